"""Why a card is valid until that day, is kept so long, is not made, or has ended: by the rules as they were then."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from libs.eventsourcing.store import Recorded
from libs.kernel import Missing
from libs.kernel.calendar import shanghai_day
from libs.kernel.ids import city_of
from libs.kernel.why import Decision, FactUsed, Ground, Said, Why, in_words
from services.ids import CardId
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.domain.holding.decider import HELD, NOT_COLLECTED, ONE_CARD, UNDER_WAY
from services.issuance.domain.holding.events import (
    CardActivated,
    CardArrived,
    CardCancelled,
    CardDeclined,
    CardEndorsed,
    CardReplaced,
    CardReserved,
    CardUnclaimed,
    EndorsementTakenBack,
    VerdictNoted,
)
from services.issuance.domain.holding.joining import HELD_ALREADY, MERGED, MERGED_AWAY
from services.issuance.domain.validity import LONG_TERM

Story = Sequence[tuple[Any, Recorded]]
AboutCard = Literal["refusal", "validity", "collection", "end"]

ONE_CARD_EACH = "issuance.applying.cards_per_person"
_KEPT = "programme.issuance.kept_days"
_ENDORSEMENT = "programme.endorsement"
_REASONS = "loss.cancel_reasons"
_VALID_BY = {"": "issuance.validity_years", "years": "issuance.validity_years", "age": "validity_by_age"}

_NOT_MADE: Mapping[str, str] = {
    NOT_COLLECTED: "新卡逾期未领取",
    UNDER_WAY: "该卡的另一份申请正在办理",
    HELD: "持卡人已有此卡，请挂失或换卡",
    HELD_ALREADY: "持卡人在与本登记合并的另一登记下已有此卡",
    MERGED_AWAY: "申请人的登记已并入另一登记，请以该登记申请",
}
"""Reasons of ours in Chinese; any other is a verdict's, and its rule says the same in both languages."""


class NotDecided(Missing):
    """The city has decided nothing yet about the {about} of this."""


_ENDS: Mapping[str, tuple[str, str]] = {
    "death": (_REASONS, "deceased"),
    "moved_away": (_REASONS, "moved_away"),
    "report lapsed unsigned": ("loss.on_lapse", ""),
    "written report ran out": ("loss.written_report_term", ""),
    MERGED: (ONE_CARD_EACH, ""),
}
"""By which rule a card ends, and which fact leads to it, by the reason that the loss desk tells, or we give.

Any other reason is one of the city's own list, and somebody's wish.
"""


def why_card(about: AboutCard, card_id: CardId, story: Story, bylaws: IssuanceBylaws) -> Why:
    """The explanation of what was decided last about a card, whether somebody applied for it or not.

    `refusal` is why none was made in its place. Raises NotDecided.
    """

    def mine(fact: Any) -> bool:
        return card_id == (fact.old_card_id if isinstance(fact, CardDeclined) else getattr(fact, "card_id", None))

    answer = CardCase(city_of(card_id), programme_of(story), mine, story, bylaws).why(about)
    if answer is None:
        raise NotDecided(about=about)
    return answer


@dataclass(frozen=True)
class CardCase:
    """What has happened to a holding; `mine` says which of it is about the card in question."""

    city: str
    programme: str
    mine: Callable[[Any], bool]
    story: Story
    bylaws: IssuanceBylaws

    def why(self, about: AboutCard) -> Why | None:
        """What was decided last about this, if anything was."""
        *_, last = (None, *self._told(about))
        return last

    def _told(self, about: AboutCard) -> Iterator[Why | None]:
        verdict: VerdictNoted | None = None
        reserved: CardReserved | None = None
        for fact, row in self.story:
            if isinstance(fact, VerdictNoted):
                verdict = fact
            elif self.mine(fact):
                reserved = fact if isinstance(fact, CardReserved) else reserved
                match about, fact:
                    case "refusal", CardDeclined():
                        yield self._declined(fact, row, verdict)
                    case "collection", CardArrived() | CardUnclaimed():
                        yield self._kept(fact, row)
                    case "validity", CardReserved() | CardActivated() | CardReplaced() | CardEndorsed() if reserved:
                        yield from self._valid(fact, row, reserved, verdict)
                    case "validity", EndorsementTakenBack():
                        until = _valid_until(fact.valid_to)
                        said = Said(
                            zh=f"{until.zh}；签注时卡片已挂失，该次签注已撤回",
                            en=f"{until.en}, as before: it had been reported lost when it was endorsed",
                        )
                        yield self._by(Decision.DEADLINE, said, _ENDORSEMENT, fact, row)
                    case "end", CardCancelled():
                        yield self._ended(fact, row, verdict)

    def _declined(self, fact: CardDeclined, row: Recorded, verdict: VerdictNoted | None) -> Why | None:
        """By the verdict, if it was the reason, with the statements of departments that were looked at for it.

        None where it was the applicant who did not want the card any more.
        """
        said = Said(zh=f"不予制卡：{_NOT_MADE.get(fact.reason, '不符合条件')}", en=f"no card is made: {fact.reason}")
        if fact.reason == NOT_COLLECTED:
            return self._by(Decision.REFUSAL, said, _KEPT, fact, row)
        if fact.reason in ONE_CARD:
            return self._by(Decision.REFUSAL, said, ONE_CARD_EACH, fact, row)
        if verdict is None or verdict.because != fact.reason:
            return None
        return Why(
            city=self.city,
            decision=Decision.REFUSAL,
            said=said,
            grounds=(self._judged_by(verdict),),
            facts=verdict.used,
            missing=verdict.missing,
            at=verdict.at,
        )

    def _kept(self, fact: CardArrived | CardUnclaimed, row: Recorded) -> Why:
        if isinstance(fact, CardArrived):
            day = last_day(fact.kept_until)
            said = Said(zh=f"卡片保管至{day.zh}", en=f"the card is kept to the end of {day.en}")
        else:
            day = last_day(fact.at)
            said = Said(
                zh=f"卡片保管至{day.zh}，逾期未领取，不再保管",
                en=f"the card was kept to the end of {day.en}; nobody collected it, and it is kept no longer",
            )
        return self._by(Decision.DEADLINE, said, _KEPT, fact, row)

    def _valid(
        self,
        fact: CardReserved | CardActivated | CardReplaced | CardEndorsed,
        row: Recorded,
        reserved: CardReserved,
        verdict: VerdictNoted | None,
    ) -> Iterator[Why | None]:
        """As it was printed, as it was counted from the hand-over, or as it was endorsed.

        One that takes the place of a card which is endorsed from year to year is valid as long as that one.
        """
        used = verdict.used if verdict else ()
        match fact:
            case CardEndorsed():
                yield self._by(Decision.DEADLINE, _valid_until(fact.valid_to), _ENDORSEMENT, fact, row, used)
            case CardReplaced() if self._says(_ENDORSEMENT, fact, row):
                until = _valid_until(fact.valid_to)
                said = Said(zh=f"{until.zh}，与所替换的旧卡相同", en=f"{until.en}, as the card in whose place it came")
                yield self._by(Decision.DEADLINE, said, _ENDORSEMENT, fact, row)
            case CardReserved(valid_to=None):
                yield None  # A new number in place of a spoiled card: what was said of that one holds no more.
            case _ if fact is reserved or reserved.valid_to is None:
                assert fact.valid_to is not None
                rule = f"programme.{_VALID_BY.get(reserved.valid_by, 'issuance.validity_ends_with')}"
                looked_at = tuple(one for one in used if one.fact == reserved.valid_by)
                yield self._by(Decision.DEADLINE, _valid_until(fact.valid_to), rule, fact, row, looked_at)

    def _ended(self, fact: CardCancelled, row: Recorded, verdict: VerdictNoted | None) -> Why:
        """By the city's rule, and by what a department had said of the holder, with the row that makes it count."""
        rule, told_of = _ENDS.get(fact.reason, (_REASONS, ""))
        reason = self.bylaws.names(self.city).named("reason", fact.reason)
        said = Said(zh=f"卡片已注销：{reason.zh}", en=f"the card has ended for good: {reason.en}")
        used = tuple(one for one in verdict.used if one.fact == told_of) if verdict else ()
        answer = self._by(Decision.BLOCK, said, rule, fact, row, used)
        return replace(answer, grounds=(*answer.grounds, self._judged_by(verdict))) if verdict and used else answer

    def _by(
        self, decision: Decision, said: Said, rule: str, fact: Any, row: Recorded, used: tuple[FactUsed, ...] = ()
    ) -> Why:
        ground = self.bylaws.basis(self.city, f"{self.programme}/{rule}", fact.at, row.edition)
        return Why(city=self.city, decision=decision, said=said, grounds=(ground,), facts=used, at=fact.at)

    def _says(self, rule: str, fact: Any, row: Recorded) -> bool:
        return self.bylaws.ground(self.city, f"{self.programme}/{rule}", fact.at, row.edition) is not None

    def _judged_by(self, verdict: VerdictNoted) -> Ground:
        """The entry that identity has named; the table as it held then, of a verdict from before it did."""
        if verdict.ground:
            return self.bylaws.cited(self.city, verdict.ground, verdict.edition)
        return self.bylaws.basis(self.city, f"{self.programme}/programme.eligibility", verdict.at, verdict.edition)


def programme_of(story: Story) -> str:
    """Under which an application or a holding stands, as the first fact that names one has it."""
    return next((str(fact.programme) for fact, _ in story if hasattr(fact, "programme")), "")


def last_day(until: datetime) -> Said:
    """The day that ends with this hour, or on which it falls."""
    return in_words(shanghai_day(until - timedelta(microseconds=1)))


def _valid_until(valid_to: datetime) -> Said:
    if shanghai_day(valid_to) > LONG_TERM:
        return Said(zh="长期有效", en="valid for life")
    day = last_day(valid_to)
    return Said(zh=f"有效期至{day.zh}", en=f"valid to the end of {day.en}")
