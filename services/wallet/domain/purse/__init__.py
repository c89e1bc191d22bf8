"""The wallet of a holding: whether it is open, with which card it is used, what has stopped it."""
