"""Serving: a process with its doors open, until it is told to stop."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from libs.runtime.app import build_app
from libs.runtime.development import trusted_keys
from libs.runtime.engines import open_platform
from libs.runtime.house import House
from libs.runtime.platform import Platform
from libs.runtime.service import Service
from libs.runtime.settings import Settings, refuse_unsafe
from libs.telemetry import configure_logging, log_for

KEEP_ALIVE_S = 75  # Longer than gateways keep idle connections: the caller hangs up, never we on a request under way.


class Server(uvicorn.Server):
    """Stops gracefully when it is told to, and leaves the engines time to stop after it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            # uvicorn would raise it once more, and a process that dies of it leaves its database running.
            self._captured_signals[:] = [one for one in self._captured_signals if one != signal.SIGTERM]


async def serve(
    settings: Settings, names: Sequence[str], city: Sequence[str], build: Callable[[Platform], list[Service]]
) -> None:
    """Serve the services of `names` until told to stop; `city` are all that there are, wherever they run."""
    refuse_unsafe(settings)
    configure_logging(settings.log_style, settings.log_level)
    async with open_platform(settings, list(city)) as platform:
        services = build(platform)
        for service in services:
            await service.before_the_doors_open()
        house = House(platform, services, names)
        keys, issuer, own_keys = trusted_keys(settings)
        app = build_app(house, keys, issuer, own_keys=own_keys)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        server = Server(config)
        log_for("house").info(
            "at your service", address=f"http://{settings.host}:{settings.port}", services=list(names)
        )
        await server.serve()
