"""What every service stands on; nothing in here knows what a card is."""
