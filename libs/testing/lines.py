"""Raw keep-alive connections to servers of this machine: a comfortable client would cost more than the server."""

import asyncio
from typing import cast


class Line(asyncio.Protocol):
    """A connection on which one request is under way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @property
    def open(self) -> bool:
        """Whether the next request can go out here."""
        return self._transport is not None and not self._transport.is_closing()

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
            if not answer.done():
                answer.set_result((int(head[9:12]), body[:length]))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server hung up"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises ConnectionError if the server goes away meanwhile."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def line(port: int) -> Line:
    """A connection to a server of this machine. Raises OSError."""
    return (await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", port))[1]


def written(method: str, path: str, token: str, key: str, body: bytes) -> bytes:
    """A request as it goes over the wire."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
