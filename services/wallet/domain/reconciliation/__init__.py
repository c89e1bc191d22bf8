"""Our books held against what others say: each fen of difference has a reason, or waits in suspense and grows old."""
