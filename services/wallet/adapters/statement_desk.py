"""The operator's side of reconciliation: files to the wallet and from it, and how a day ended, over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from libs.kernel import Refused
from services.wallet.adapters.statement_files import decoded, read

Say = Callable[[str], None]
PATIENCE_S = 600.0


def bring(path: Path, to: str, token: str, say: Say) -> int:
    """Send a file that was looked at first; returns an exit status."""
    try:
        raw = path.read_bytes()
        about = read(decoded(raw))
    except OSError as error:
        say(f"citycard: {path} cannot be read: {error.strerror}")
        return 2
    except Refused as unfit:
        say(f"citycard: {unfit}")
        return 2
    answer = _asked("PUT", to, f"/v1/statement-files/{about.kind}/{about.sender}/{about.number}", token, say, raw)
    if answer is None:
        return 1
    told = answer.json()
    say(
        f"{path.name}: {told['source']} file {told['number']} of {told['sender']} for {told['day']}, "
        f"{told['lines']} lines, {told['total_fen']} fen"
    )
    with_ = told["reconciled_with"]
    say(f"reconciled with {with_}" if with_ else "the next reconciliation takes it")
    return 0


def fetch(city: str, source: str, sender: str, day: str, out: Path, to: str, token: str, say: Say) -> int:
    """Write our file for a party and a day, once it was found whole; returns an exit status."""
    answer = _asked("GET", to, f"/v1/cities/{city}/settlements/{source}/{sender}/{day}", token, say)
    if answer is None:
        return 1
    try:
        about = read(decoded(answer.content))
    except Refused as torn:
        say(f"citycard: {torn}")
        return 1
    out.write_bytes(answer.content)
    say(f"{out}: {len(about.lines)} lines, {about.total_fen} fen")
    return 0


def report(city: str, day: str, to: str, token: str, say: Say) -> int:
    """Say how a day was reconciled; the exit status is 1 if something lies in suspense or is stale, 2 if it is not
    known."""
    answer = _asked("GET", to, f"/v1/cities/{city}/reconciliations/{day}", token, say)
    if answer is None:
        return 2
    worries = 0
    for party in answer.json()["parties"]:
        say(
            f"{party['sender']} ({party['source']}): ours {party['ours_fen']} fen, theirs {party['theirs_fen']} fen, "
            f"difference {party['difference_fen']} fen"
        )
        for name, part in party["classes"].items():
            say(f"  {name:<14} {part['count']:>8} {part['fen']:>14} fen")
        if party["stale"]:
            say(f"  confirmed by no file for too long: {party['stale']} ({party['stale_fen']} fen)")
        worries += bool(party["stale"] or party["oldest_in_suspense"])
    return 1 if worries else 0


def _asked(
    method: str, to: str, path: str, token: str, say: Say, raw: bytes | None = None
) -> httpx.Response | None:  # fmt: skip
    """The answer; None if there is none, or it is a refusal, which is said. A file that was sent may be sent again."""
    headers: dict[str, Any] = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.request(method, to.rstrip("/") + path, content=raw, headers=headers, timeout=PATIENCE_S)
    except httpx.TransportError as broken:
        say(f"citycard: the wallet could not be reached ({type(broken).__name__}); ask again, nothing happens twice")
        return None
    if answer.status_code != 200:
        told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        say(f"citycard: refused ({answer.status_code}): {told.get('detail', '')}")
        return None
    return answer
