"""What one person holds under one programme: the card on its way, the card of today and those before it."""
