"""What happens to a card that its holder has lost, damaged or no longer needs."""
