"""Why a function of a card is stopped: by which report, and under which entries of the bylaws as they were then."""

from collections.abc import Sequence
from datetime import datetime

from libs.kernel import Missing
from libs.kernel.calendar import SHANGHAI
from libs.kernel.ids import city_of
from libs.kernel.why import Decision, Said, Why
from services.ids import CardId
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.events import Event, LossPreReported, LossReported
from services.loss.domain.state import Desk, Hold

_OF_A_CALL = ("pre_report_covers", "pre_report_window", "on_lapse", "own_clocks")
_OF_A_SIGNATURE = ("written_report_covers", "written_report_term")


class NotStopped(Missing):
    """The loss desk has not stopped {function} on card {card_id}; it has stopped: {stopped}."""


def why_stopped(card_id: CardId, function: str, desk: Desk, story: Sequence[Event], bylaws: LossBylaws) -> Why:
    """The report that holds this function now, and its rules as they were then. Raises NotStopped."""
    holds = () if desk.succeeded(card_id) else desk.holds
    hold = next((one for one in holds if one.function == function), None)
    report = _report(card_id, function, story)
    if hold is None or report is None:
        stopped = ", ".join(one.function for one in holds) or "nothing"
        raise NotStopped(card_id=card_id, function=function, stopped=stopped)
    leaves = _OF_A_SIGNATURE if hold.signed else _OF_A_CALL
    articles = [ref for ref in report.grounds.articles if ref.partition("@")[0].rpartition(".")[2] in leaves]
    city = city_of(card_id)
    return Why(
        city=city,
        decision=Decision.BLOCK,
        said=_said(hold, bylaws.names(city).named("function", function)),
        grounds=tuple(bylaws.ground(city, ref, report.grounds.edition) for ref in articles),
        at=report.at,
    )


def _report(card_id: CardId, function: str, story: Sequence[Event]) -> LossPreReported | LossReported | None:
    """The latest report of this card that stopped the function."""
    reports = (fact for fact in reversed(story) if isinstance(fact, LossPreReported | LossReported))
    mine = (fact for fact in reports if fact.card_id == card_id)
    return next((fact for fact in mine if any(stop.function == function for stop in fact.stops)), None)


def _said(hold: Hold, name: Said) -> Said:
    since, until = _hour(hold.from_), hold.lapses_at and _hour(hold.lapses_at)
    zh = f"持卡人已{'书面' if hold.signed else '电话'}挂失，“{name.zh}”功能自{since}起停用"
    en = f"reported lost {'in writing' if hold.signed else 'by telephone'}: {name.en} is stopped from {since}"
    if until is None:
        return Said(zh=f"{zh}，至解挂或换发新卡为止", en=f"{en}, until the report is lifted or a new card works")
    if hold.ends_card:
        return Said(
            zh=f"{zh}，至{until}未书面挂失则注销该卡", en=f"{en}; at {until} the card ends, unless it is signed for"
        )
    return Said(zh=f"{zh}，至{until}自动恢复", en=f"{en}; at {until} it works again by itself")


def _hour(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
