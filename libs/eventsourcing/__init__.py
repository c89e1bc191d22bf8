"""Facts are stored once, in an order that no reader can skip, together with all that follows from them."""
