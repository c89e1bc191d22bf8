"""What has to be known before two entries are merged, or parted again: does the other stand, and who has a card."""

from dataclasses import replace
from datetime import datetime

from libs.eventsourcing.desk import Desk
from libs.kernel.calendar import shanghai_day
from libs.kernel.ids import city_of
from libs.kernel.why import Cited
from services.identity.adapters.bylaws import DataSharing
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.people import People
from services.identity.domain.commands import ApproveProposal, ProposeMerge, ProposeParting, Release, TakeIn
from services.identity.domain.decider import DataErased
from services.identity.domain.events import MergeProposed, Verdict
from services.identity.domain.merging import with_taken_in, without
from services.identity.domain.particulars import age
from services.identity.domain.state import Known, Merged, Person, Unknown
from services.identity.projections import IdentityQuestions
from services.ids import PersonId, holding_id

Asked = ProposeMerge | ProposeParting | ApproveProposal | TakeIn | Release


async def stands_now(persons: Desk[Person], person: Person) -> Person:
    """The entry under which this one stands now: itself, unless it was merged into another."""
    seen: set[PersonId] = set()
    while isinstance(person, Merged) and person.into not in seen:
        seen.add(person.into)
        person = (await persons.standing(person.into)).state
    return person


async def entry_now(persons: Desk[Person], person_id: PersonId) -> PersonId:
    """Under which entry somebody stands now who was registered under this one."""
    person = await stands_now(persons, (await persons.standing(person_id)).state)
    return person_id if isinstance(person, Unknown) else person.person_id


class Merges:
    """Completes the commands of a merge with what must come from outside the domain."""

    def __init__(
        self,
        people: People,
        eligibility: Eligibility,
        sharing: DataSharing,
        questions: IdentityQuestions,
        persons: Desk[Person],
    ) -> None:
        self._people, self._eligibility, self._sharing = people, eligibility, sharing
        self._questions, self._persons = questions, persons

    async def brief(self, command: Asked, person: Person, at: datetime) -> Asked:
        match command, person:
            case TakeIn(), Known():
                return replace(command, verdicts=await self._judged(with_taken_in(person, command.brings), at))
            case Release(), Known():
                return replace(command, verdicts=await self._judged(without(person, command.parted), at))
            case ProposeMerge(into=into), Known():
                clash, one_each = await self._clash(into, person, at)
                stands = await self._stands(into, person)
                return replace(command, into_stands=stands, clash=clash, one_each=one_each)
            case ApproveProposal(), Known():
                for one in person.proposals.waiting:
                    if isinstance(one, MergeProposed) and one.proposal_id == command.proposal_id:
                        clash, one_each = await self._clash(one.into, person, at)
                        stands = await self._stands(one.into, person)
                        return replace(command, into_stands=stands, clash=clash, one_each=one_each)
            case ((ProposeParting() | ApproveProposal()), Merged(into=into)):
                return replace(command, into_stands=await self._stands(into, person))
        return command

    async def _person_of(self, person_id: str) -> Person:
        return (await self._persons.standing(person_id)).state

    async def _stands(self, into: PersonId, person: Known | Merged) -> bool:
        if into == person.person_id or city_of(into) != city_of(person.person_id):
            return False
        return isinstance(await self._person_of(into), Known)

    async def _clash(self, into: PersonId, person: Known, at: datetime) -> tuple[tuple[str, ...], Cited | None]:
        """The two cards that they would have of the first product of which both have one, and where the city says that
        nobody has two; nothing if there is none."""
        other, city = await self._person_of(into), city_of(into)
        if not isinstance(other, Known):
            return (), None
        for programme in self._eligibility.programmes(city):
            theirs = [
                await self._questions.card_of(holding_id(entry, programme) for entry in (one.person_id, *one.also))
                for one in (person, other)
            ]
            if all(theirs):
                return tuple(theirs), self._sharing.one_card_each(city, programme, at)
        return (), None

    async def _judged(self, person: Known, at: datetime) -> tuple[Verdict, ...]:
        try:
            birth = await self._people.birth(person)
        except DataErased:
            return ()  # Of somebody whom nobody can read, nothing is judged.
        years, city = age(birth, shanghai_day(at)), city_of(person.person_id)
        return self._eligibility.verdicts(city, person.holding(at), years, at, birth)
