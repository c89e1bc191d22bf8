"""From the application to the hand of the holder; it alone says which card is current."""
