"""What holders are told whenever somebody else has done something."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from libs.messaging.contract import Contract
from services.ids import HoldingId
from services.issuance.contracts import (
    ApplicationRejected,
    CardArrived,
    CardCancelled,
    CardEndorsed,
    CardExpired,
    CardMailed,
    CardReplaced,
    CardSentOn,
    CardUnclaimed,
    CollectionReminded,
    EndorsementReminded,
    EndorsementTakenBack,
    NewCardDeclined,
    ReviewOverdue,
    SupplementAsked,
)
from services.loss.contracts import CardStopped, CardWoken, LapseApproaching
from services.notice.domain.commands import TellHolder
from services.notice.domain.events import Details, Step
from services.notice.domain.naming import notice_id


class _Told(Protocol):
    """Every step is of a holding and has its hour."""

    @property
    def holding_id(self) -> HoldingId: ...
    @property
    def at(self) -> datetime: ...


def when_something_is_missing_ask_for_it(told: SupplementAsked) -> Iterator[TellHolder]:
    """The application waits for the applicant, who should not wait for us."""
    yield _tell(told, Step.SUPPLEMENT_ASKED, told.application_id, Details(until=told.until, reason=told.reason))


def when_an_application_is_rejected_say_why(told: ApplicationRejected) -> Iterator[TellHolder]:
    """Nobody should stand at the counter to learn that she need not have come."""
    yield _tell(told, Step.APPLICATION_REJECTED, told.application_id, Details(reason=told.reason))


def when_no_new_card_will_come_say_why(told: NewCardDeclined) -> Iterator[TellHolder]:
    """Whoever reported a loss may now lift the report, if she knows."""
    about = told.application_id or told.old_card_id
    yield _tell(told, Step.NEW_CARD_DECLINED, about, Details(reason=told.reason))


def when_a_review_is_late_say_that_the_city_still_waits(told: ReviewOverdue) -> Iterator[TellHolder]:
    """Whoever was promised a day hears before it passes in silence that another authority has not answered."""
    yield _tell(told, Step.REVIEW_OVERDUE, told.application_id, Details())


def when_a_card_arrives_call_its_holder(told: CardArrived) -> Iterator[TellHolder]:
    """It says where the card lies and until when it is kept."""
    yield _tell(told, Step.CARD_ARRIVED, told.card_id, Details(outlet=told.outlet, until=told.kept_until))


def when_a_card_still_lies_there_remind_its_holder(told: CollectionReminded) -> Iterator[TellHolder]:
    """Each reminder is a notice of its own, and says until when the card is kept."""
    yield _tell(told, Step.COLLECTION_REMINDED, told.card_id, Details(outlet=told.outlet, until=told.kept_until))


def when_a_card_goes_to_another_outlet_say_where(told: CardSentOn) -> Iterator[TellHolder]:
    """It is collected there, and kept no longer than before."""
    yield _tell(told, Step.CARD_SENT_ON, told.card_id, Details(outlet=told.outlet, until=told.kept_until))


def when_a_card_is_in_the_post_say_how_to_follow_it(told: CardMailed) -> Iterator[TellHolder]:
    """Somebody must be there to sign for it."""
    yield _tell(told, Step.CARD_MAILED, told.card_id, Details(tracking=told.tracking))


def when_a_card_is_not_fetched_say_what_becomes_of_it(told: CardUnclaimed) -> Iterator[TellHolder]:
    """It was kept as long as promised."""
    yield _tell(told, Step.CARD_UNCLAIMED, told.card_id, Details())


def when_a_new_card_works_tell_that_the_old_has_ended(told: CardReplaced) -> Iterator[TellHolder]:
    """A found card must not be trusted again."""
    yield _tell(told, Step.CARD_REPLACED, told.card_id, Details())


def when_a_card_expires_tell_its_holder(told: CardExpired) -> Iterator[TellHolder]:
    """Better by telephone than at a gate that stays shut; one that can be endorsed need not be made anew."""
    step = Step.ENDORSEMENT_MISSED if told.endorsable else Step.CARD_EXPIRED
    yield _tell(told, step, told.card_id, Details(until=told.grace_until))


def when_a_year_will_soon_be_full_remind_the_holder(told: EndorsementReminded) -> Iterator[TellHolder]:
    """There is still time to have it endorsed."""
    yield _tell(told, Step.ENDORSEMENT_NEAR, told.card_id, Details(until=told.valid_to))


def when_a_card_is_endorsed_say_until_when_it_holds(told: CardEndorsed) -> Iterator[TellHolder]:
    """It is printed nowhere."""
    yield _tell(told, Step.CARD_ENDORSED, told.card_id, Details(until=told.valid_to))


def when_an_endorsement_is_taken_back_say_until_when_it_holds(told: EndorsementTakenBack) -> Iterator[TellHolder]:
    """Whoever was told the one must be told the other."""
    yield _tell(told, Step.ENDORSEMENT_TAKEN_BACK, told.card_id, Details(until=told.valid_to))


def when_a_card_is_cancelled_tell_its_holder(told: CardCancelled) -> Iterator[TellHolder]:
    """Whoever did not ask for it must learn of it – but nobody writes to the dead."""
    if told.reason != "death":
        yield _tell(told, Step.CARD_CANCELLED, told.card_id, Details())


def when_a_card_stops_tell_its_holder(told: CardStopped) -> Iterator[TellHolder]:
    """If it was not she who called, she learns it now; and until when it rests, if it wakes by itself."""
    step = Step.CARD_STOPPED if told.until is None else Step.CARD_RESTS
    yield _tell(told, step, told.card_id, Details(until=told.until))


def when_a_report_is_about_to_lapse_warn_its_holder(told: LapseApproaching) -> Iterator[TellHolder]:
    """There is still time to sign."""
    yield _tell(told, Step.LAPSE_NEAR, told.card_id, Details(until=told.lapses_at))


def when_a_card_wakes_tell_its_holder(told: CardWoken) -> Iterator[TellHolder]:
    """A card that works again can be misused again."""
    step = Step.REPORT_LAPSED if told.why == "lapsed" else Step.REPORT_LIFTED
    yield _tell(told, step, told.card_id, Details())


def _tell(told: _Told, step: Step, about: object, details: Details) -> TellHolder:
    """The same step of the same hour is the same notice, whichever message brings it."""
    return TellHolder(
        notice_id=notice_id(told.holding_id, step, about, told.at.isoformat()),
        holding_id=told.holding_id,
        step=step,
        details=details,
        at=told.at,
    )


WHENEVER: Mapping[type[Contract], Callable[[Any], Iterator[TellHolder]]] = {
    SupplementAsked: when_something_is_missing_ask_for_it,
    ApplicationRejected: when_an_application_is_rejected_say_why,
    NewCardDeclined: when_no_new_card_will_come_say_why,
    ReviewOverdue: when_a_review_is_late_say_that_the_city_still_waits,
    CardArrived: when_a_card_arrives_call_its_holder,
    CollectionReminded: when_a_card_still_lies_there_remind_its_holder,
    CardSentOn: when_a_card_goes_to_another_outlet_say_where,
    CardMailed: when_a_card_is_in_the_post_say_how_to_follow_it,
    CardUnclaimed: when_a_card_is_not_fetched_say_what_becomes_of_it,
    CardReplaced: when_a_new_card_works_tell_that_the_old_has_ended,
    CardExpired: when_a_card_expires_tell_its_holder,
    EndorsementReminded: when_a_year_will_soon_be_full_remind_the_holder,
    CardEndorsed: when_a_card_is_endorsed_say_until_when_it_holds,
    EndorsementTakenBack: when_an_endorsement_is_taken_back_say_until_when_it_holds,
    CardCancelled: when_a_card_is_cancelled_tell_its_holder,
    CardStopped: when_a_card_stops_tell_its_holder,
    LapseApproaching: when_a_report_is_about_to_lapse_warn_its_holder,
    CardWoken: when_a_card_wakes_tell_its_holder,
}
REACTIONS = tuple(WHENEVER.values())
