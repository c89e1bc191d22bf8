"""Where the bylaws on loss are read from."""
