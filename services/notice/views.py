"""What may be shown of a notice: what it says and what became of it, and of the number only enough to recognise it."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Literal, assert_never

from pydantic import BaseModel

from services.notice.adapters.texts import local
from services.notice.domain.decider import NoticeUnknown
from services.notice.domain.naming import NoticeId
from services.notice.domain.state import (
    Failed,
    Notice,
    Sending,
    Told,
    Uncertain,
    Unheard,
    WaitingForHolder,
    Wanted,
)
from services.notice.ports import Contacts

Status = Literal["wanted", "waiting_for_holder", "sending", "sent", "failed", "uncertain"]


class NoticeView(BaseModel):
    """How a notice stands."""

    notice_id: str
    holding_id: str
    step: str
    """What is told, for example `card-arrived`."""
    status: Status
    at: datetime
    """Since when it stands so, UTC."""
    to: str = ""
    """The number, masked; `erased` once its person's data are."""
    language: str = ""
    text: str = ""
    reason: str = ""
    """Why it failed: `holder-unknown`, `holder-erased`, `given-up`, or what the provider said."""
    advice: str
    """What to do about it."""


async def view(notice_id: NoticeId, notice: Notice, contacts: Contacts) -> NoticeView:
    """How this notice stands, in words that a clerk can act on. Raises NoticeUnknown."""
    if isinstance(notice, Unheard):
        raise NoticeUnknown(notice_id=notice_id)
    status, at, advice = _standing(notice)
    letter = None if isinstance(notice, Wanted | WaitingForHolder) else notice.letter
    return NoticeView(
        notice_id=notice_id,
        holding_id=notice.errand.holding_id,
        step=notice.errand.step,
        status=status,
        at=at,
        to=masked(await contacts.number(letter)) if letter else "",
        language=letter.language if letter else "",
        text=letter.text if letter else "",
        reason=notice.reason if isinstance(notice, Failed) else "",
        advice=advice,
    )


def _standing(
    notice: Wanted | WaitingForHolder | Sending | Told | Failed | Uncertain,
) -> tuple[Status, datetime, str]:
    match notice:
        case Wanted(errand=errand):
            return "wanted", errand.at, "It is about to be sent."
        case WaitingForHolder(since=since):
            return "waiting_for_holder", since, "The holder's number is not known here yet; we look again by ourselves."
        case Sending(since=since):
            return "sending", since, "It is on its way, or waits for the provider."
        case Told(at=at):
            return "sent", at, "Nothing is left to do."
        case Failed(at=at):
            return "failed", at, "Tell the holder by other means."
        case Uncertain(since=since):
            return "uncertain", since, "Ask the holder whether it came, then decide whether to send it again."
        case _:
            assert_never(notice)


def masked(number: str | None) -> str:
    """`+86138****5678`."""
    return "erased" if number is None else f"{number[:-8]}****{number[-4:]}"


def page(notices: Sequence[NoticeView]) -> str:
    """The telephone of the demo: what holders have been told lately."""
    return _PAGE.replace("<!-- notices -->", "\n".join(map(_bubble, notices)) or _SILENCE)


def _bubble(notice: NoticeView) -> str:
    said = escape(notice.text or notice.advice)
    stamp = f"{local(notice.at, 'zh')} · {escape(notice.step)} · {notice.status.replace('_', ' ')}"
    return (
        f'<article class="{notice.status}" lang="{escape(notice.language or "en")}">'
        f"<header>{escape(notice.to or '–')}</header><p>{said}</p><footer>{stamp}</footer></article>"
    )


_SILENCE = '<p class="silence">Nobody has been told anything yet.</p>'

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Notices</title>
<style>
  :root { color-scheme: light dark; --paper: #f4f5f7; --card: #fff; --ink: #1c2430; --faint: #6b7686; --sent: #2f7d5b;
          --failed: #b3382c; --open: #a8741a }
  @media (prefers-color-scheme: dark) { :root { --paper: #14181e; --card: #1e242d; --ink: #e6e9ee; --faint: #8d98a8 } }
  body { margin: 0; background: var(--paper); color: var(--ink);
         font: 16px/1.55 system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif }
  main { max-width: 30rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
  h1 { font-size: 1.35rem; font-weight: 600; margin: 0 }
  .lead { color: var(--faint); margin: .25rem 0 2rem }
  article { background: var(--card); border-left: 4px solid var(--open); border-radius: 4px 14px 14px 4px;
            padding: .8rem 1rem; margin-bottom: 1rem; box-shadow: 0 1px 3px #0001 }
  article.sent { border-color: var(--sent) }
  article.failed { border-color: var(--failed) }
  article p { margin: .2rem 0 .4rem; overflow-wrap: anywhere }
  article header { font-variant-numeric: tabular-nums; font-weight: 600 }
  article footer, .silence { color: var(--faint); font-size: .82rem }
</style>
<main>
<h1>短信 · Notices</h1>
<p class="lead">What holders were told, newest first. A simulated telephone; the numbers are masked.</p>
<!-- notices -->
</main>
</html>
"""
