"""The counter where two people say that two entries of the register are one person, or that they are not after all."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from libs.eventsourcing.desk import Desk
from libs.kernel.foureyes import (
    HandUnnamed,
    ProposalId,
    ProposalLapsed,
    ProposalOvertaken,
    ProposalUnknown,
    SameHand,
)
from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.bodies import Body
from libs.web.call import Call
from libs.web.problems import refusals
from services.identity.adapters.merges import Asked, Merges
from services.identity.adapters.records import Reference
from services.identity.domain.commands import ApproveProposal, DeclineProposal, ProposeMerge, ProposeParting
from services.identity.domain.decider import DataErased, MergedAway, PersonUnknown
from services.identity.domain.events import MergeProposed
from services.identity.domain.merging import NotMerged, SurvivorUnfit, TwoCards
from services.identity.domain.state import Erased, Known, Merged, Person, Unknown
from services.identity.routes.people import PersonPath
from services.ids import IdMistyped, PersonId, known


class MergeBody(Body):
    """Why two entries are one person."""

    into: Annotated[str, StringConstraints(max_length=30)]
    """The entry that is to remain."""
    reason: Literal["registered_twice", "document_renewed", "old_and_new_form", "number_corrected"]
    reference: Reference
    """The record that shows it, by your own number; it names no person."""


class PartingBody(Body):
    """Why two entries that were merged are two persons."""

    reason: Literal["two_persons", "wrong_entry"]
    reference: Reference


class ProposalBody(Body):
    """A proposal, looked at by another person."""

    proposal_id: Annotated[str, StringConstraints(min_length=1, max_length=80)]


class MergeProposalView(BaseModel):
    """What one person has proposed and another must approve."""

    proposal_id: str
    act: Literal["merge", "part"]
    into: str
    reason: str
    reference: str
    until: datetime
    """When it lapses unless somebody approves."""


class EntryView(BaseModel):
    """Whether an entry stands for itself, and what was proposed about it."""

    person_id: str
    merged_into: str | None = None
    merged_at: datetime | None = None
    also: list[str] = []
    """Entries that were merged into this one."""
    proposals: list[MergeProposalView] = []


def merges(routes: APIRouter, desk: Desk[Person], together: Merges) -> None:
    """Open this counter."""

    @routes.get(
        "/v1/persons/{person_id}/entry",
        responses=refusals(IdMistyped, PersonUnknown, DataErased),
        dependencies=[allowed("identity:look")],
    )
    async def whether_an_entry_stands_for_itself(person_id: PersonPath, call: Call) -> EntryView:
        """Where somebody stands who was registered under this id, and what was proposed about that."""
        return _view((await call.see(desk, known(person_id), city=city_of(person_id))).state)

    @routes.post(
        "/v1/persons/{person_id}/merge-proposals",
        status_code=202,
        responses=refusals(IdMistyped, PersonUnknown, DataErased, MergedAway, SurvivorUnfit, TwoCards, HandUnnamed),
        dependencies=[allowed("identity:propose-merge")],
    )
    async def propose_to_merge_two_persons(person_id: PersonPath, said: MergeBody, call: Call) -> EntryView:
        """Say why this entry and another are one person; nothing changes until another person approves.

        Two persons who both have a card of one product, or one on its way, are not merged: both cards are named.
        """
        person, into = PersonId(known(person_id)), PersonId(known(said.into))

        async def ask(now: Person, at: datetime) -> Asked:
            asked = ProposeMerge(
                person_id=person,
                into=into,
                reason=said.reason,
                reference=said.reference,
                proposal_id=call.proposal_id,
                by=call.hand,
                at=at,
            )
            return await together.brief(asked, now, at)

        return _view((await call.handle(desk, person, ask, city=city_of(person), reason=said.reason)).state)

    @routes.post(
        "/v1/persons/{person_id}/parting-proposals",
        status_code=202,
        responses=refusals(IdMistyped, PersonUnknown, DataErased, NotMerged, SurvivorUnfit, HandUnnamed),
        dependencies=[allowed("identity:propose-merge")],
    )
    async def propose_to_take_a_merge_back(person_id: PersonPath, said: PartingBody, call: Call) -> EntryView:
        """Say why a merge was a mistake; nothing changes until another person approves."""
        person = PersonId(known(person_id))

        async def ask(now: Person, at: datetime) -> Asked:
            asked = ProposeParting(
                person_id=person,
                reason=said.reason,
                reference=said.reference,
                proposal_id=call.proposal_id,
                by=call.hand,
                at=at,
            )
            return await together.brief(asked, now, at)

        return _view((await call.handle(desk, person, ask, city=city_of(person), reason=said.reason)).state)

    @routes.post(
        "/v1/persons/{person_id}/approvals",
        status_code=201,
        responses=refusals(
            IdMistyped, PersonUnknown, DataErased, ProposalUnknown, ProposalLapsed, ProposalOvertaken, SameHand,
            HandUnnamed, SurvivorUnfit, TwoCards,
        ),
        dependencies=[allowed("identity:approve-merge")],
    )  # fmt: skip
    async def approve_what_was_proposed_about_a_person(
        person_id: PersonPath, said: ProposalBody, call: Call
    ) -> EntryView:
        """Another person has looked too: the two entries are one person from now on, or two again."""
        person = PersonId(known(person_id))

        async def ask(now: Person, at: datetime) -> Asked:
            asked = ApproveProposal(person_id=person, proposal_id=ProposalId(said.proposal_id), by=call.hand, at=at)
            return await together.brief(asked, now, at)

        return _view((await call.handle(desk, person, ask, city=city_of(person))).state)

    @routes.post(
        "/v1/persons/{person_id}/objections",
        status_code=201,
        responses=refusals(IdMistyped, PersonUnknown, DataErased, ProposalUnknown, ProposalOvertaken, HandUnnamed),
        dependencies=[allowed("identity:propose-merge")],
    )
    async def object_to_what_was_proposed_about_a_person(
        person_id: PersonPath, said: ProposalBody, call: Call
    ) -> EntryView:
        """Say no to what another person has proposed, or take back what you proposed yourself."""
        person = PersonId(known(person_id))

        def ask(_now: Person, at: datetime) -> DeclineProposal:
            return DeclineProposal(person_id=person, proposal_id=ProposalId(said.proposal_id), by=call.hand, at=at)

        return _view((await call.handle(desk, person, ask, city=city_of(person))).state)


def _view(person: Person) -> EntryView:
    """Raises PersonUnknown, DataErased."""
    match person:
        case Known():
            entry = EntryView(person_id=person.person_id, also=list(person.also))
        case Merged():
            entry = EntryView(
                person_id=person.person_id,
                merged_into=person.into,
                merged_at=person.at,
                also=list(person.was.also),
            )
        case Erased():
            raise DataErased
        case Unknown():
            raise PersonUnknown
    entry.proposals = [
        MergeProposalView(
            proposal_id=one.proposal_id,
            act="merge" if isinstance(one, MergeProposed) else "part",
            into=one.into if isinstance(one, MergeProposed) else str(entry.merged_into),
            reason=one.reason,
            reference=one.reference,
            until=one.until,
        )
        for one in person.proposals.waiting
    ]
    return entry
