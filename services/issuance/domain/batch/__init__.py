"""A production batch: every piece of plastic is somewhere, and the count always agrees."""
