"""Programs that run in processes of their own: peers to be measured beside, and the load."""
