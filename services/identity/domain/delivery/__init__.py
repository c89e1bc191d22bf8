"""What a department delivers at once: every record is taken, or put aside with a reason, and the count agrees."""
