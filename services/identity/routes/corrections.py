"""Where an outlet asks that base data be corrected, and the centre looks and decides (R35)."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from libs.eventsourcing.desk import Desk
from libs.kernel import Clash
from libs.kernel.calendar import shanghai_day
from libs.kernel.clocks import Clock
from libs.kernel.foureyes import HandUnnamed, SameHand
from libs.kernel.ids import city_of, derived, written
from libs.web.access import allowed
from libs.web.bodies import Body, Text
from libs.web.call import Call
from libs.web.problems import refusals
from services.identity.adapters.people import Opened, People
from services.identity.adapters.records import DocumentBody, Plausible, Reference, document_of
from services.identity.domain.commands import (
    AcceptCorrection,
    RefuseCorrection,
    RequestCorrection,
    RevealPersonalData,
)
from services.identity.domain.correcting import CorrectionUnknown
from services.identity.domain.decider import DataErased, MergedAway, PersonUnknown
from services.identity.domain.documents import read
from services.identity.domain.events import CorrectionRequested
from services.identity.domain.merging import known_here
from services.identity.domain.particulars import BirthDateImplausible, BirthDateMismatch, BirthDateNeeded, born
from services.identity.domain.state import Known, Person
from services.identity.routes.people import DOCUMENT_REFUSALS, PersonPath, RevealedView
from services.ids import IdMistyped, PersonId, known

CorrectionPath = Annotated[str, Path(description="The correction, for example `330900-4K7MZQ0V5T8WX2N3`.")]
HERE = (IdMistyped, PersonUnknown, DataErased, MergedAway)


class DocumentOfAnother(Clash):
    """This document is that of {person_id}; if the two are one person, propose to merge them."""


class CorrectionBody(Body):
    """What is wrong, and the document that shows it; what is left out stays as it is."""

    document: DocumentBody | None = None
    name: Text | None = None
    birth: Plausible | None = None
    proof: Literal["id_card", "household_book", "passport", "police_certificate", "court_decision", "birth_certificate"]
    reference: Reference
    """The record of that document at your outlet; it names no person."""


class CorrectionRefusalBody(Body):
    """Why the data stay as they are."""

    reason: Literal["proof_insufficient", "proof_unreadable", "data_right_already", "change_at_police_first"]


class CorrectionView(BaseModel):
    """A correction that waits for the centre."""

    correction_id: str
    changes: list[str]
    proof: str
    reference: str
    outlet: str
    since: datetime


class CorrectionsView(BaseModel):
    """What waits for the centre about one person; who asked for it finds an empty list when it was decided."""

    person_id: str
    corrections: list[CorrectionView]


def corrections(routes: APIRouter, desk: Desk[Person], people: People, city: Clock) -> None:
    """Open this counter."""

    @routes.post(
        "/v1/persons/{person_id}/corrections",
        status_code=201,
        responses=refusals(
            *HERE, *DOCUMENT_REFUSALS, BirthDateNeeded, BirthDateMismatch, BirthDateImplausible, HandUnnamed
        ),
        dependencies=[allowed("identity:request-correction")],
    )
    async def ask_for_a_correction(person_id: PersonPath, said: CorrectionBody, call: Call) -> CorrectionsView:
        """Say what is wrong, by which document; nothing changes until the centre has accepted it."""
        person, today = PersonId(known(person_id)), shanghai_day(city.now())
        correction = written(city_of(person), derived("correction", call.command_id))

        async def ask(now: Person, at: datetime) -> RequestCorrection:
            standing = known_here(now)
            was = await people.open(standing)
            shown = document_of(said.document, today) if said.document else None
            kind = shown.kind if shown else standing.document
            issuer = (said.document.issuer if said.document else "") or was.issuer
            document = shown or read(standing.document, was.number, today, was.issuer)
            wanted = Opened(
                name=said.name or was.name,
                number=document.number,
                issuer=issuer,
                birth=born(document, said.birth or (was.birth if document.birth is None else None), today),
                mobile=was.mobile,
            )
            changes = [name for name in ("name", "number", "issuer", "birth") if _of(wanted, name) != _of(was, name)]
            return RequestCorrection(
                person_id=person,
                correction_id=correction,
                document=kind,
                particulars=await people.close(person, wanted),
                changes=(*changes, *(["document"] if kind is not standing.document else [])),
                proof=said.proof,
                reference=said.reference,
                outlet=call.caller.outlet,
                by=call.hand,
                at=at,
            )

        return _view(person, (await call.handle(desk, person, ask, city=city_of(person), reason=said.proof)).state)

    @routes.get(
        "/v1/persons/{person_id}/corrections",
        responses=refusals(*HERE),
        dependencies=[allowed("identity:look")],
    )
    async def what_waits_to_be_corrected(person_id: PersonPath, call: Call) -> CorrectionsView:
        """Which data somebody asked to have corrected, and by which document; what they say is not shown here."""
        standing = await call.see(desk, known(person_id), city=city_of(person_id))
        return _view(PersonId(person_id), standing.state)

    @routes.post(
        "/v1/persons/{person_id}/corrections/{correction_id}/reveals",
        status_code=201,
        responses=refusals(*HERE, CorrectionUnknown),
        dependencies=[allowed("identity:reveal")],
    )
    async def reveal_what_should_be_corrected(
        person_id: PersonPath, correction_id: CorrectionPath, call: Call
    ) -> RevealedView:
        """See in clear how the data should be. That you did is recorded before you see anything."""
        person = PersonId(known(person_id))

        def ask(now: Person, at: datetime) -> RevealPersonalData:
            _waiting(now, correction_id)
            return RevealPersonalData(person_id=person, at=at, reason="correction")

        state = (await call.handle(desk, person, ask, city=city_of(person), reason="correction")).state
        wanted = await people.open(_wanted(state, correction_id))
        return RevealedView(
            person_id=person,
            document=_waiting(state, correction_id).document,
            number=wanted.number,
            issuer=wanted.issuer,
            name=wanted.name,
            birth=wanted.birth,
            mobile=wanted.mobile,
        )

    @routes.post(
        "/v1/persons/{person_id}/corrections/{correction_id}/acceptances",
        status_code=201,
        responses=refusals(*HERE, CorrectionUnknown, DocumentOfAnother, SameHand, HandUnnamed),
        dependencies=[allowed("identity:decide-correction")],
    )
    async def accept_a_correction(person_id: PersonPath, correction_id: CorrectionPath, call: Call) -> CorrectionsView:
        """The data are these from now on; a new document leads to the person as the old one does."""
        person, today = PersonId(known(person_id)), shanghai_day(city.now())

        async def ask(now: Person, at: datetime) -> AcceptCorrection:
            if isinstance(now, Known) and any(one.correction_id == correction_id for one in now.corrections):
                wanted = await people.open(_wanted(now, correction_id))
                document = read(_waiting(now, correction_id).document, wanted.number, today, wanted.issuer)
                holder = await people.claim(city_of(person), document, person)
                if holder not in (person, *now.also):
                    raise DocumentOfAnother(person_id=holder)
            return AcceptCorrection(person_id=person, correction_id=correction_id, by=call.hand, at=at)

        return _view(person, (await call.handle(desk, person, ask, city=city_of(person))).state)

    @routes.post(
        "/v1/persons/{person_id}/corrections/{correction_id}/refusals",
        status_code=201,
        responses=refusals(*HERE, CorrectionUnknown, SameHand, HandUnnamed),
        dependencies=[allowed("identity:decide-correction")],
    )
    async def refuse_a_correction(
        person_id: PersonPath, correction_id: CorrectionPath, said: CorrectionRefusalBody, call: Call
    ) -> CorrectionsView:
        """The data stay as they are, for this reason."""
        person = PersonId(known(person_id))

        def ask(_now: Person, at: datetime) -> RefuseCorrection:
            return RefuseCorrection(
                person_id=person, correction_id=correction_id, reason=said.reason, by=call.hand, at=at
            )

        return _view(person, (await call.handle(desk, person, ask, city=city_of(person), reason=said.reason)).state)


def _of(opened: Opened, name: str) -> object:
    return getattr(opened, name)


def _waiting(person: Person, correction_id: str) -> CorrectionRequested:
    """Raises CorrectionUnknown."""
    for one in known_here(person).corrections:
        if one.correction_id == correction_id:
            return one
    raise CorrectionUnknown


def _wanted(person: Person, correction_id: str) -> Known:
    """The person as they should stand."""
    waiting = _waiting(person, correction_id)
    return replace(known_here(person), document=waiting.document, particulars=waiting.particulars)


def _view(person_id: PersonId, person: Person) -> CorrectionsView:
    return CorrectionsView(
        person_id=person_id,
        corrections=[
            CorrectionView(
                correction_id=one.correction_id,
                changes=list(one.changes),
                proof=one.proof,
                reference=one.reference,
                outlet=one.outlet,
                since=one.at,
            )
            for one in known_here(person).corrections
        ],
    )
