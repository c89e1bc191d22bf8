"""Brings a file of taps to the wallet over HTTP, and goes on where it stood when the connection breaks."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from libs.kernel import Refused
from services.wallet.adapters.tap_files import inspect

SLICE_BYTES = 256 * 1024
PAUSE_MAX_S = 10.0
CLEARING_MAX_S = 900.0


def upload(path: Path, to: str, token: str, tries: int, say: Callable[[str], None]) -> int:
    """Send a file, again if need be, and say how its records ended; returns an exit status."""
    try:
        with path.open("rb") as file:
            about = inspect(file, path.stat().st_size)
    except OSError as error:
        say(f"citycard: {path} cannot be read: {error.strerror}")
        return 2
    except Refused as unfit:
        say(f"citycard: {unfit}")
        return 2
    say(f"{path.name}: file {about.number} of {about.sender}, {about.records} records, {about.total_fen} fen")
    address = f"{to.rstrip('/')}/v1/tap-files/{about.sender}/{about.number}"
    for attempt in range(tries):
        if attempt:
            threading.Event().wait(min(0.5 * 2 ** (attempt - 1), PAUSE_MAX_S))
        try:
            answer = httpx.put(
                address,
                content=_slices(path),
                headers={"Authorization": f"Bearer {token}", "Content-Length": str(path.stat().st_size)},
                timeout=httpx.Timeout(10.0, read=CLEARING_MAX_S, write=CLEARING_MAX_S),
            )
        except httpx.TransportError as broken:
            say(f"the connection broke ({type(broken).__name__}); going on where it stood")
            continue
        if answer.status_code == 503:
            say("the wallet is out of reach; going on where it stood")
            continue
        if answer.status_code != 200:
            say(f"citycard: refused ({answer.status_code}): {answer.json().get('detail', '')}")
            return 1
        told = answer.json()
        for name, ended in told["classes"].items():
            say(f"  {name:<18} {ended['records']:>9} records {ended['fen']:>13} fen")
        say(f"  {'together':<18} {told['cleared']:>9} records of {told['records']}")
        return 0
    say("citycard: the wallet could not be reached; send the same file again, nothing is booked twice")
    return 1


def _slices(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(SLICE_BYTES):
            yield part
