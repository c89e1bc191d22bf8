"""Bylaws, portraits and the vendor's files."""
