"""A limit on everything that a stranger can send."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.kernel import Refused
from libs.web.problems import problem

BODY_MAX_BYTES = 2_000_000  # A portrait of 40 KB or a return file of ten thousand rows; both fit many times.
DISCARDED_MAX_BYTES = 64_000_000  # Whoever is still sending hears the answer only if somebody goes on listening.
DISCARDED_MAX_S = 5

WRONG_MAX, WRONG_WITHIN_S = 30, 60
GUESSERS_MAX = 10_000


class BodyLimit:
    """Answers 413 as soon as a body is known to be too large, and keeps nothing of it.

    `larger` names addresses, by how they begin, that take more, and how much.
    """

    def __init__(
        self, app: ASGIApp, body_max_bytes: int = BODY_MAX_BYTES, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app, self._least, self._larger = app, body_max_bytes, larger or {}

    def _max_at(self, path: str) -> int:
        return next((most for begins, most in self._larger.items() if path.startswith(begins)), self._least)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, most = dict(scope["headers"]), self._max_at(scope["path"])
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most:
            await self._too_large(scope, receive, send, most)
            return
        if b"transfer-encoding" not in headers:  # The server takes no more than was announced.
            await self._app(scope, receive, send)
            return
        got, answered = 0, False

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > most:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            if got <= most or answered:
                answered = True
                await send(message)

        with suppress(_TooLarge):
            await self._app(scope, counted, noted)
        if got > most and not answered:  # Whatever the application has made of it.
            await self._too_large(scope, receive, send, most)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        answer = problem(
            413, "body-too-large", f"Bodies end at {most} bytes; nothing was done. Send less at once.",
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


class TooManyGuesses(Refused):
    """Too many numbers that do not exist were asked for from where you are; ask again in {retry_after_s} seconds."""

    status = 429


class Guesses:
    """Whoever asks for what does not exist again and again has to wait, and hears nothing meanwhile.

    `WRONG_MAX` wrong numbers within `WRONG_WITHIN_S` seconds are a slip of the pen. Counted by this process alone.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def admit(self, who: str) -> None:
        """Raises TooManyGuesses."""
        now, wrong = self._monotonic(), self._wrong.get(who, [])
        wrong[:] = [at for at in wrong if now - at < WRONG_WITHIN_S]
        if len(wrong) >= WRONG_MAX:
            raise TooManyGuesses(retry_after_s=int(WRONG_WITHIN_S - (now - wrong[0])) + 1)

    def was_wrong(self, who: str) -> None:
        """Remember a number that does not exist; of too many who guess, those are forgotten who began first."""
        self._wrong.setdefault(who, []).append(self._monotonic())
        if len(self._wrong) > GUESSERS_MAX:
            self._wrong.popitem(last=False)


async def _discard(receive: Receive) -> None:
    left = DISCARDED_MAX_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            return


class _TooLarge(Exception):
    """More came than was announced."""
