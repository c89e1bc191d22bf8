"""What the wallet decides, with nothing around it."""
