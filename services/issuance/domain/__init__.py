"""What becomes of an application, a batch and a card, decided free of the outside world."""
