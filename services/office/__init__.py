"""Whoever acts for the city was appointed to it, within the reach of who appointed them; bylaws take two people."""
