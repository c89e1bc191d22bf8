"""What two people put right in the books: a holder's account, or a pile of suspense that nobody can explain."""
