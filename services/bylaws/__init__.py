"""The workbench of whoever writes a city's bylaws: check a pack, explain a verdict, see whom a change would touch."""
