"""Telephone calls from many connections at once: `python -m bench.peers.load`, one order a line.

A raw keep-alive client, because a comfortable one would be measured more than the server.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from uuid import uuid4

from libs.kernel.ids import written
from libs.testing.lines import Line, line
from libs.testing.lines import written as as_sent

BODY = b'{"verified_by": "knowledge"}'
READY_PER_S = 7_000  # Requests are written before the clock starts, and more than any server here can answer.


def telephone_call(card: str, token: str, key: str) -> bytes:
    """A request as it goes over the wire."""
    return as_sent("POST", f"/v1/cards/{card}/pre-reports", token, key, BODY)


async def lines(port: int, count: int) -> list[Line]:
    """Connections to a server of this machine."""
    return [await line(port) for _ in range(count)]


async def accepted_per_s(port: int, token: str, connections: int, seconds: float) -> dict[str, float]:
    """Call from all connections without a pause; every answer must be an acceptance."""
    ready = [
        telephone_call(f"{written('330900', number)}.1", token, number.hex)
        for number in (uuid4() for _ in range(int(seconds * READY_PER_S)))
    ]
    took: list[float] = []
    opened = await lines(port, connections)
    began = time.perf_counter()

    async def caller(mine: Line) -> None:
        while ready and (asked := time.perf_counter()) < began + seconds:
            status, body = await mine.ask(ready.pop())
            took.append(time.perf_counter() - asked)
            if status != 201:
                raise RuntimeError(f"{status} {body.decode()}")

    await asyncio.gather(*map(caller, opened))
    whole = time.perf_counter() - began
    for each in opened:
        each.close()
    took.sort()
    return {"accepted": len(took), "per_s": len(took) / whole, "p50_ms": _ms(took, 0.5), "p99_ms": _ms(took, 0.99)}


def _ms(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))] * 1e3


def main() -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for order in sys.stdin:
            sys.stdout.write(json.dumps(runner.run(accepted_per_s(**json.loads(order)))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
