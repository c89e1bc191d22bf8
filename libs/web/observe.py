"""Every request leaves a trace, a line in the log and a figure; a bug answers as a problem and is loud."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.telemetry import Telemetry, current_trace_id, log_for
from libs.web.problems import problem

log = log_for("http")


class Observe:
    """The outermost room of the doors."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app, self._telemetry, self._log = app, telemetry, log.bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *named]
            await send(message)

        parent = next((text.decode("latin-1") for name, text in scope["headers"] if name == b"traceparent"), "")
        with self._telemetry.span("http", parent) as traceparent:
            named = (b"traceparent", traceparent.encode()), (b"x-request-id", current_trace_id().encode())
            try:
                await self._app(scope, receive, answer)
            except Exception as error:
                self._log.error("bug", error_type=type(error).__name__, exc_info=error)
                if not status:
                    await problem(
                        500, "our-fault", "Something is broken on our side; quote the trace id when you tell us."
                    )(scope, receive, answer)
            took_s = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "none")
            self._telemetry.requests.labels(scope["method"], route, status).observe(took_s)
            self._log.info("answered", method=scope["method"], route=route, status=status, ms=round(took_s * 1e3, 1))
