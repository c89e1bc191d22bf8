"""The holder's number, the city's words, and a provider of text messages."""
