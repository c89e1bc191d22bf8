"""What becomes of the wish that a holder be told of a step."""
