"""A limit on everything that a stranger can send."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.web.problems import problem

BODY_MAX_BYTES = 2_000_000  # A portrait of 40 KB or a return file of ten thousand rows; both fit many times.
DISCARDED_MAX_BYTES = 64_000_000  # Whoever is still sending hears the answer only if somebody goes on listening.
DISCARDED_MAX_S = 5


class BodyLimit:
    """Answers 413 as soon as a body is known to be too large, and keeps nothing of it."""

    def __init__(self, app: ASGIApp, body_max_bytes: int = BODY_MAX_BYTES) -> None:
        self._app, self._max = app, body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._max:
            await self._too_large(scope, receive, send)
            return
        if b"transfer-encoding" not in headers:  # The server takes no more than was announced.
            await self._app(scope, receive, send)
            return
        got, answered = 0, False

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._max:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            if got <= self._max or answered:
                answered = True
                await send(message)

        with suppress(_TooLarge):
            await self._app(scope, counted, noted)
        if got > self._max and not answered:  # Whatever the application has made of it.
            await self._too_large(scope, receive, send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = problem(
            413, "body-too-large", f"Bodies end at {self._max} bytes; nothing was done. Send less at once.",
            headers={"Connection": "close"},
        )  # fmt: skip

        async def answer_and_listen(message: Message) -> None:
            last = message["type"] == "http.response.body"
            await send({**message, "more_body": True} if last else message)
            if last:
                with suppress(TimeoutError):
                    async with asyncio.timeout(DISCARDED_MAX_S):
                        await _discard(receive)
                await send({"type": "http.response.body", "body": b""})

        await answer(scope, receive, answer_and_listen)


async def _discard(receive: Receive) -> None:
    left = DISCARDED_MAX_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            return


class _TooLarge(Exception):
    """More came than was announced."""
