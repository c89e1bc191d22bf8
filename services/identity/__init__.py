"""Who a person is, what each department says of them and since when, and what they are entitled to, explained."""
