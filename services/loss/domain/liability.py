"""Who bears what was taken through a function at an instant: it follows from the recorded instants, from no clock."""

from datetime import datetime
from enum import StrEnum

from libs.kernel import value
from services.ids import CardId
from services.loss.domain.bylaw import Bearer, Liability, LossBylaw
from services.loss.domain.state import Desk, Stopped


class Rule(StrEnum):
    """The rule by which it is decided, in the order in which they are tried."""

    ENDED = "ended"
    AFTER_EFFECT = "after_effect"
    NOT_IN_EFFECT_YET = "not_in_effect_yet"
    RAN_OUT = "ran_out"
    NOT_REPORTABLE = "not_reportable"
    BEFORE_EFFECT = "before_effect"


SENTENCES = {
    Rule.ENDED: (
        "该卡此前已永久失效，此后的使用不由持卡人承担。",
        "The card had ended for good; what is done with it after that is not the holder's.",
    ),
    Rule.AFTER_EFFECT: (
        "该功能的挂失此前已生效，生效后的损失不由持卡人承担。",
        "A report had taken effect for this function; what is lost after that is not the holder's.",
    ),
    Rule.NOT_IN_EFFECT_YET: (
        "已经挂失，但该功能的挂失当时尚未生效，生效前的损失由持卡人承担。",
        "The loss was reported, but for this function the report had not taken effect yet; "
        "what is lost before it does is borne by the holder.",
    ),
    Rule.RAN_OUT: (
        "口头挂失未在规定期限内办理书面手续，已失效；未按规定挂失造成的损失由持卡人承担。",
        "A report by telephone had lapsed because nobody signed in time; "
        "what is lost through that is borne by the holder.",
    ),
    Rule.NOT_REPORTABLE: (
        "该功能不能挂失，其中的金额视同现金，损失由持卡人承担。",
        "This function cannot be reported lost; what it holds is like cash, and its loss is borne by the holder.",
    ),
    Rule.BEFORE_EFFECT: (
        "当时没有已生效的挂失，挂失生效前的损失由持卡人承担。",
        "No report had taken effect; what is lost before one does is borne by the holder.",
    ),
}
"""Each rule as citizen, clerk and appeal file read it: in Chinese and in English (Zhoushan FAQ 3)."""


@value
class Answer:
    """Who bears it, by which rule, counted from which recorded instant, and up to how many fen for each card."""

    rule: Rule
    bearer: Bearer
    since: datetime | None = None
    cap_fen: int | None = None


def who_bears(card: CardId, function: str, at: datetime, desk: Desk, under: LossBylaw | None) -> Answer:
    """Who bears a use of this function of this card at this instant, under the rules that held then, if any did."""
    share = (under and under.liable.get(function)) or Liability()
    for ending in desk.endings:
        if ending.card_id == card and at >= ending.at:
            return Answer(rule=Rule.ENDED, bearer=share.bearer, since=ending.at, cap_fen=share.cap_fen)
    reports = [one for one in desk.history if one.of(card, function) and one.reported_at <= at]
    for one in reports:
        if one.covers(card, function, at):
            return Answer(rule=Rule.AFTER_EFFECT, bearer=share.bearer, since=one.from_, cap_fen=share.cap_fen)
    last: Stopped | None = max(reports, key=lambda one: one.reported_at, default=None)
    if last is not None and (last.until is None or at < last.until):
        return Answer(rule=Rule.NOT_IN_EFFECT_YET, bearer=Bearer.HOLDER, since=last.from_)
    if last is not None and last.unsigned:
        return Answer(rule=Rule.RAN_OUT, bearer=Bearer.HOLDER, since=last.until)
    if under is not None and not under.reaches(function):
        return Answer(rule=Rule.NOT_REPORTABLE, bearer=Bearer.HOLDER)
    return Answer(rule=Rule.BEFORE_EFFECT, bearer=Bearer.HOLDER)
