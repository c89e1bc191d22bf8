"""The whole city in one thread of one seed: what must never be is looked for after every fact that is stored."""
