"""Telephone calls from many connections at once: `python -m bench.peers.load`, one order a line.

A raw keep-alive client, because a comfortable one would be measured more than the server.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from typing import cast
from uuid import uuid4

from libs.kernel.ids import written

BODY = b'{"verified_by": "knowledge"}'
READY_PER_S = 7_000  # Requests are written before the clock starts, and more than any server here can answer.


def telephone_call(card: str, token: str, key: str) -> bytes:
    """A request as it goes over the wire."""
    head = (
        f"POST /v1/cards/{card}/pre-reports HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


class Line(asyncio.Protocol):
    """A connection on which one request is under way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, gap, body = self._got.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length and self._answer is not None:
            self._got = body[length:]
            answer, self._answer = self._answer, None
            answer.set_result((int(head[9:12]), body[:length]))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server hung up"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def lines(port: int, count: int) -> list[Line]:
    """Connections to a server of this machine."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Line, "127.0.0.1", port))[1] for _ in range(count)]


async def accepted_per_s(port: int, token: str, connections: int, seconds: float) -> dict[str, float]:
    """Call from all connections without a pause; every answer must be an acceptance."""
    ready = [
        telephone_call(f"{written('330900', number)}.1", token, number.hex)
        for number in (uuid4() for _ in range(int(seconds * READY_PER_S)))
    ]
    took: list[float] = []
    opened = await lines(port, connections)
    began = time.perf_counter()

    async def caller(line: Line) -> None:
        while ready and (asked := time.perf_counter()) < began + seconds:
            status, body = await line.ask(ready.pop())
            took.append(time.perf_counter() - asked)
            if status != 201:
                raise RuntimeError(f"{status} {body.decode()}")

    await asyncio.gather(*map(caller, opened))
    whole = time.perf_counter() - began
    for line in opened:
        line.close()
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
