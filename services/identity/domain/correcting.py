"""Base data that are wrong: an outlet asks with a document in hand, and the centre alone changes them (R35)."""

from collections.abc import Sequence
from dataclasses import replace

from libs.kernel import Missing
from libs.kernel.foureyes import SameHand, named
from services.identity.domain.commands import AcceptCorrection, RefuseCorrection, RequestCorrection
from services.identity.domain.events import CorrectionRefused, CorrectionRequested, Event, PersonCorrected
from services.identity.domain.merging import known_here
from services.identity.domain.state import Known, Person


class CorrectionUnknown(Missing):
    """No such correction was asked for; look at the list of this person's corrections."""


def request(asked: RequestCorrection, person: Person) -> Sequence[Event]:
    """Nothing changes until the centre has looked. What is right already needs no correction."""
    named(asked.by)
    known = known_here(person)
    if asked.correction_id in known.decided or _waiting(known, asked.correction_id) or not asked.changes:
        return []
    return [
        CorrectionRequested(
            person_id=asked.person_id,
            correction_id=asked.correction_id,
            document=asked.document,
            particulars=asked.particulars,
            changes=asked.changes,
            proof=asked.proof,
            reference=asked.reference,
            outlet=asked.outlet,
            by=asked.by,
            at=asked.at,
        )
    ]


def accept(asked: AcceptCorrection, person: Person) -> Sequence[Event]:
    """The data change, and with them what follows; where messages go stays as it is."""
    known = known_here(person)
    if (waiting := _to_decide(known, asked)) is None:
        return []
    corrected = PersonCorrected(
        person_id=asked.person_id,
        correction_id=asked.correction_id,
        document=waiting.document,
        particulars=replace(waiting.particulars, mobile=known.particulars.mobile),
        changes=waiting.changes,
        at=asked.at,
    )
    return [corrected]


def refuse(asked: RefuseCorrection, person: Person) -> Sequence[Event]:
    known = known_here(person)
    if _to_decide(known, asked) is None:
        return []
    return [
        CorrectionRefused(
            person_id=asked.person_id, correction_id=asked.correction_id, reason=asked.reason, at=asked.at
        )
    ]


def _waiting(person: Known, correction_id: str) -> CorrectionRequested | None:
    return next((one for one in person.corrections if one.correction_id == correction_id), None)


def _to_decide(person: Known, asked: AcceptCorrection | RefuseCorrection) -> CorrectionRequested | None:
    """The request, unless it has been decided. Raises HandUnnamed, CorrectionUnknown, SameHand."""
    named(asked.by)
    if asked.correction_id in person.decided:
        return None
    waiting = _waiting(person, asked.correction_id)
    if waiting is None:
        raise CorrectionUnknown
    if waiting.by == asked.by:
        raise SameHand
    return waiting
