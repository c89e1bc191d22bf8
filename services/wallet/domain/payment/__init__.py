"""One payment from the online account: held, captured, given back; each is a short stream of its own."""
