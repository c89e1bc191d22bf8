"""A roll: persons whom a department lists, so that they get their cards without asking for them."""
