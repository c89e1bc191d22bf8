"""Two entries of the register that are one person: two people say so, and two people take it back (R169).

The proposal, the merge and its end stand in the stream of the entry that gives way. It keeps all that it was told, so a
merge that was a mistake is undone by a further decision. The entry that remains hears of it from the city itself.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from libs.kernel import Clash, Missing
from libs.kernel.foureyes import named
from libs.kernel.why import Cited
from services.identity.domain.commands import (
    ApproveProposal,
    DeclineProposal,
    ProposeMerge,
    ProposeParting,
    Release,
    StayAsYouWere,
    TakeIn,
)
from services.identity.domain.events import (
    EntitlementJudged,
    Event,
    MergeFailed,
    MergeProposed,
    NobodyTakenIn,
    PartingProposed,
    PersonMerged,
    PersonParted,
    PersonReleased,
    PersonTakenIn,
    ProposalDeclined,
    TakenIn,
    Verdict,
)
from services.identity.domain.state import Erased, Known, Merged, Person, Unknown
from services.ids import PersonId

PROPOSALS_STAND_FOR = timedelta(days=30)


class PersonUnknown(Missing):
    """We know nobody by this; compare it with the document, or register the person first."""


class DataErased(Clash):
    """The data of this person were erased and nobody can read them; register the person again if they come back."""


class MergedAway(Clash):
    """This entry and {person_id} were found to be one person, who stands under {person_id}; ask for that one."""


class SurvivorUnfit(Clash):
    """Nobody stands under {person_id} who could take this person in: another one of the same city, not merged away."""


class TwoCards(Clash):
    """Together they would have two cards of one product, {one} and {other}; cancel one of them first."""


class NotMerged(Clash):
    """This entry was not merged into another; there is nothing to take back."""


def known_here(person: Person) -> Known:
    """Raises PersonUnknown, MergedAway, DataErased."""
    match person:
        case Known():
            return person
        case Unknown():
            raise PersonUnknown
        case Merged(into=into):
            raise MergedAway(person_id=into)
        case Erased():
            raise DataErased


def propose_merge(asked: ProposeMerge, person: Person) -> Sequence[Event]:
    """Somebody says why the two are one; nothing changes until another person has looked."""
    named(asked.by)
    if isinstance(person, Merged) and person.into == asked.into:
        return []
    known = known_here(person)
    if known.proposals.known(asked.proposal_id):
        return []
    earlier = known.proposals.open(MergeProposed, asked.at)
    if earlier is not None and earlier.into == asked.into:
        return []
    _fits_together(asked.into, asked.into_stands, asked.clash, asked.one_each)
    return [
        MergeProposed(
            person_id=asked.person_id,
            into=asked.into,
            reason=asked.reason,
            reference=asked.reference,
            proposal_id=asked.proposal_id,
            by=asked.by,
            until=asked.at + PROPOSALS_STAND_FOR,
            at=asked.at,
        )
    ]


def propose_parting(asked: ProposeParting, person: Person) -> Sequence[Event]:
    """Somebody says why they were not one after all."""
    named(asked.by)
    merged = _merged(person)
    if merged.proposals.known(asked.proposal_id) or merged.proposals.open(PartingProposed, asked.at):
        return []
    _fits_together(merged.into, asked.into_stands)
    return [
        PartingProposed(
            person_id=asked.person_id,
            reason=asked.reason,
            reference=asked.reference,
            proposal_id=asked.proposal_id,
            by=asked.by,
            until=asked.at + PROPOSALS_STAND_FOR,
            at=asked.at,
        )
    ]


def approve(asked: ApproveProposal, person: Person) -> Sequence[Event]:
    """Another has looked too. Whatever has changed meanwhile has overtaken the proposal."""
    if not isinstance(person, Known | Merged):
        known_here(person)
    assert isinstance(person, Known | Merged)
    approved = person.proposals.approved(asked.proposal_id, asked.by, asked.at)
    if approved is None:
        return []
    proposal, eyes = approved
    match proposal, person:
        case MergeProposed(into=into), Known():
            _fits_together(into, asked.into_stands, asked.clash, asked.one_each)
            return [
                PersonMerged(
                    person_id=asked.person_id,
                    into=into,
                    brings=TakenIn(entries=(asked.person_id, *person.also), statements=person.said),
                    proposal_id=asked.proposal_id,
                    eyes=eyes,
                    at=asked.at,
                )
            ]
        case PartingProposed(), Merged(into=into):
            _fits_together(into, asked.into_stands)
            return [
                PersonParted(
                    person_id=asked.person_id, into=into, proposal_id=asked.proposal_id, eyes=eyes, at=asked.at
                )
            ]
    return []


def decline(asked: DeclineProposal, person: Person) -> Sequence[Event]:
    """One no is enough, whoever says it, as long as nothing has happened; the same can be proposed anew."""
    if not isinstance(person, Known | Merged):
        known_here(person)
    assert isinstance(person, Known | Merged)
    if person.proposals.objected(asked.proposal_id, asked.by) is None:
        return []
    return [ProposalDeclined(person_id=asked.person_id, proposal_id=asked.proposal_id, by=asked.by, at=asked.at)]


def take_in(asked: TakeIn, person: Person) -> Sequence[Event]:
    """What was said of the other counts here, and is judged in the same breath; or nobody is there to take them in."""
    match person:
        case Known() if asked.merged in person.also:
            return []
        case Known():
            taken = PersonTakenIn(
                person_id=asked.person_id,
                brings=asked.brings,
                programmes=tuple(verdict.programme for verdict in asked.verdicts),
                eyes=asked.eyes,
                at=asked.at,
            )
            return [taken, *_judged(asked.person_id, asked.verdicts, (*person.also, *asked.brings.entries), asked)]
        case _:
            return [NobodyTakenIn(person_id=asked.person_id, merged=asked.merged, at=asked.at)]


def stay_as_you_were(asked: StayAsYouWere, person: Person) -> Sequence[Event]:
    if not isinstance(person, Merged) or person.into != asked.into:
        return []
    return [MergeFailed(person_id=asked.person_id, into=asked.into, at=asked.at)]


def release(asked: Release, person: Person) -> Sequence[Event]:
    """What the other had brought counts no more, and what is left is judged in the same breath."""
    if not isinstance(person, Known):
        return []
    taken = next((one for one in person.taken_in if one.entries[0] == asked.parted), None)
    if taken is None:
        return []
    also = tuple(entry for entry in person.also if entry not in taken.entries)
    released = PersonReleased(
        person_id=asked.person_id,
        entries=taken.entries,
        programmes=tuple(verdict.programme for verdict in asked.verdicts),
        at=asked.at,
    )
    return [released, *_judged(asked.person_id, asked.verdicts, also, asked)]


def with_taken_in(person: Known, brings: TakenIn) -> Known:
    """How the person stands with what the other brings; for whoever asks the city's tables beforehand."""
    return replace(person, taken_in=(*person.taken_in, brings))


def without(person: Known, parted: PersonId) -> Known:
    """How the person stands without what the other had brought."""
    return replace(person, taken_in=tuple(one for one in person.taken_in if one.entries[0] != parted))


def _judged(
    person_id: PersonId, verdicts: Sequence[Verdict], also: tuple[PersonId, ...], asked: TakeIn | Release
) -> list[Event]:
    """Every verdict is told anew, for all entries hear it."""
    return [EntitlementJudged(person_id=person_id, at=asked.at, verdict=verdict, also=also) for verdict in verdicts]


def _merged(person: Person) -> Merged:
    """Raises NotMerged, PersonUnknown, DataErased."""
    if isinstance(person, Merged):
        return person
    known_here(person)
    raise NotMerged


def _fits_together(
    into: PersonId, into_stands: bool, clash: tuple[str, ...] = (), one_each: Cited | None = None
) -> None:
    """Raises SurvivorUnfit, TwoCards."""
    if not into_stands:
        raise SurvivorUnfit(person_id=into)
    if clash:
        raise TwoCards(one_each, one=clash[0], other=clash[1])
