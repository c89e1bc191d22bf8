"""Who acts for a city, and by which edition of its bylaws."""
