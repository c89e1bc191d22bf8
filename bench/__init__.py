"""What the house can carry, measured beside peers and limits: `python -m bench`.

A measure is one module with one coroutine, `async def beside_what(ground: Ground) -> Findings`, and one line in
`bench.__main__.MEASURES`. The ground gives it databases of its own and says by `either(full, quick)` how thorough to
be; `in_turns` lets contestants take turns; what it finds is rows of the one table, and notes below it.
"""
