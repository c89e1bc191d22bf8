"""Card numbers, given out in rows and never twice."""
