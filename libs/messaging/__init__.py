"""What services tell one another: contracts in envelopes, on a log that can be read again from the beginning."""
