"""The request on paper: what was brought, and whether a clerk takes it in."""
