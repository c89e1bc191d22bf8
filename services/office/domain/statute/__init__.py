"""The editions of a city's bylaws, and which of them was enacted when, by which two people."""
