"""From the request on paper to the card in the hand, and which card counts."""
