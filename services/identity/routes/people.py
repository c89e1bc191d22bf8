"""The counter of identity: who somebody is, what the departments say, and what follows from it."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, StringConstraints

from libs.eventsourcing.desk import Desk
from libs.kernel.calendar import shanghai_day
from libs.kernel.clocks import Clock
from libs.kernel.ids import city_of, derived
from libs.runtime.citypack import CityPacks
from libs.web.access import allowed
from libs.web.bodies import Body, Text
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.why import WhyView
from services.identity.adapters.bylaws import CityNotServed, DataSharing
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.merges import entry_now, stands_now
from services.identity.adapters.mobiles import MobileUnfit, e164, masked
from services.identity.adapters.pairs import Pairs
from services.identity.adapters.people import Opened, People
from services.identity.adapters.records import DocumentBody, FactBody, Plausible, document_of
from services.identity.domain.commands import ErasePerson, RegisterPerson, RevealPersonalData, StateFact
from services.identity.domain.decider import (
    DataErased,
    FactNotYours,
    MergedAway,
    NotJudged,
    PersonUnknown,
    ValidityReversed,
)
from services.identity.domain.documents import (
    BirthDateAhead,
    BirthDateTooLongAgo,
    BirthDateUnreal,
    CheckCharacterWrong,
    Document,
    IssuerMisshapen,
    Kind,
    KindMistaken,
    NumberMisshapen,
    mask,
)
from services.identity.domain.events import FactStated, Statement, Verdict
from services.identity.domain.particulars import (
    BirthDateImplausible,
    BirthDateMismatch,
    BirthDateNeeded,
    born,
    mask_name,
)
from services.identity.domain.state import Erased, Known, Merged, Person, Unknown
from services.ids import IdMistyped, PersonId, holding_id, known, person_id

DOCUMENT_REFUSALS = (
    NumberMisshapen,
    CheckCharacterWrong,
    KindMistaken,
    BirthDateUnreal,
    BirthDateAhead,
    BirthDateTooLongAgo,
    IssuerMisshapen,
)


PersonPath = Annotated[str, Path(description="The person, for example `330900-4K7MZQ0V5T8WX2N3`.")]


class RegistrationBody(Body):
    """A person who shows a document for the first time."""

    document: DocumentBody
    name: Text
    """The name as it is printed on the document."""
    birth: Plausible | None = None
    """Needed where the number of the document does not tell it."""
    mobile: Annotated[str, StringConstraints(max_length=40)]
    """Where the person, or a child's guardian, gets messages; without a country code it is a Chinese number."""
    language: Literal["zh", "en"] = "zh"


class RevealBody(Body):
    """Why somebody must see a person's data in clear."""

    reason: Literal["holder_asks", "correction", "fraud_inquiry", "court_order"]


class ErasureBody(Body):
    """Why a person's data must go."""

    reason: Literal["own_request", "death", "registered_in_error"]


class FoundView(BaseModel):
    """A person who is known, and the document by which."""

    person_id: str
    document: Kind
    number: str
    """The number, masked."""


class FactView(BaseModel):
    """What a department says of a person."""

    person_id: str
    fact: str
    department: str
    valid_from: date
    valid_to: date | None
    ended: bool
    reference: str
    stated_at: datetime
    holds: bool
    """Whether it holds now; in the answer to a department, whether it held when it was stated."""


class SaidView(FactView):
    """What a department said once, whatever it has said since; `holds` is as of when it was stated."""

    recorded_at: datetime
    """When the platform wrote it down."""


class FunctionVerdictView(BaseModel):
    """Whether the person meets the conditions of a function."""

    function: str
    granted: bool
    because: str
    article: str
    rule: str
    """The row of the city's table that decided."""


class EntitlementView(BaseModel):
    """What the person is entitled to under a programme, and why."""

    programme: str
    holding_id: str
    granted: bool
    rule: str
    """The row of the city's table that decided."""
    article: str
    """The legal text behind that row."""
    basis: str
    text: str
    """Which of the city's eligibility texts was applied."""
    may_apply: bool
    """Whether a first card may be applied for now; a card that is held stays as long as `granted`."""
    holds_until: datetime | None
    """When time alone will change this, if nobody says anything new."""
    facts_used: list[str]
    """The facts on which it rests, each with the department that states it."""
    missing: list[str]
    """For a refusal: the facts of which any one would change the verdict."""
    functions: list[FunctionVerdictView]
    bylaws: str
    """The edition of the city's bylaws that was applied."""


class PersonView(BaseModel):
    """A person, masked."""

    person_id: str
    erased: bool = False
    """Whether the data were erased; then there is nothing else to be seen."""
    merged_into: str | None = None
    """The entry under which this person stands, if this one was merged into another; ask for that one."""
    also: list[str] = []
    """Entries that were merged into this one."""
    document: Kind | None = None
    number: str | None = None
    name: str | None = None
    mobile: str | None = None
    language: str | None = None
    registered_at: datetime | None = None
    facts: list[FactView] = []
    entitlements: list[EntitlementView] = []


class RevealedView(BaseModel):
    """A person in clear."""

    person_id: str
    document: Kind
    number: str
    issuer: str
    name: str
    birth: date
    mobile: str


class ErasedView(BaseModel):
    """A person whom nobody can read any more."""

    person_id: str
    erased: bool = True
    erased_at: datetime


def router(
    desk: Desk[Person],
    people: People,
    pairs: Pairs,
    sharing: DataSharing,
    eligibility: Eligibility,
    packs: CityPacks,
    city: Clock,
) -> APIRouter:
    routes = APIRouter(tags=["identity"])

    def read_document(shown: DocumentBody) -> Document:
        return document_of(shown, shanghai_day(city.now()))

    @routes.post(
        "/v1/persons",
        status_code=201,
        responses=refusals(
            *DOCUMENT_REFUSALS, BirthDateNeeded, BirthDateMismatch, BirthDateImplausible, MobileUnfit, CityNotServed,
            DataErased,
        ),
        dependencies=[allowed("identity:register")],
    )  # fmt: skip
    async def register_a_person(said: RegistrationBody, call: Call) -> FoundView:
        """Register whoever shows a document.

        The same document is the same person: shown again, it leads to the same id and changes nothing.
        """
        document = read_document(said.document)
        opened = Opened(
            name=said.name,
            number=document.number,
            issuer=said.document.issuer,
            birth=born(document, said.birth, shanghai_day(city.now())),
            mobile=e164(said.mobile),
        )
        where = sharing.served(call.caller.city)
        # The claim comes before the fact, and a crash between them does no harm: whoever shows the document next, under
        # this key or another, is led to the same person and completes it. The body is part of the id, so that another
        # body under a used key cannot tie its document to somebody else.
        newcomer = person_id(where, derived(call.command_id, call.fingerprint.hex()))
        person = await people.claim(where, document, newcomer)
        closed = await people.close(person, opened)

        def ask(_now: Person, at: datetime) -> RegisterPerson:
            return RegisterPerson(
                person_id=person, at=at, document=document.kind, particulars=closed, language=said.language
            )

        receipt = await call.handle(desk, person, ask, city=where)
        await pairs.look(document, opened, person, f"{call.caller.role}:{call.caller.id}", call.channel)
        return await found(receipt.state)

    @routes.post(
        "/v1/persons/searches",
        responses=refusals(*DOCUMENT_REFUSALS, PersonUnknown, DataErased),
        dependencies=[allowed("identity:search")],
    )
    async def find_a_person_by_document(said: DocumentBody, call: Call) -> FoundView:
        """Find somebody of your city by a document; a POST, so that no number stands in an address."""
        person = await people.find(call.caller.city, read_document(said))
        if person is None:
            raise PersonUnknown
        standing = await call.see(desk, person, city=city_of(person))
        return await found(standing.state)

    @routes.get(
        "/v1/persons/{person_id}",
        responses=refusals(IdMistyped, PersonUnknown),
        dependencies=[allowed("identity:look")],
    )
    async def how_a_person_stands(person_id: PersonPath, call: Call) -> PersonView:
        """A person, masked: what each department says and since when, and what they are entitled to and why."""
        standing = await call.see(desk, known(person_id), city=city_of(person_id))
        match standing.state:
            case Unknown():
                raise PersonUnknown
            case Erased():
                return PersonView(person_id=person_id, erased=True)
            case Merged(into=into):
                return PersonView(person_id=person_id, merged_into=into)
            case person:
                try:
                    return view(person, await people.open(person), city.now())
                except DataErased:
                    return PersonView(person_id=person_id, erased=True)

    @routes.get(
        "/v1/persons/{person_id}/entitlements/{programme}/why",
        responses=refusals(IdMistyped, PersonUnknown, DataErased, MergedAway, NotJudged),
        dependencies=[allowed("identity:ask-why")],
    )
    async def why_is_a_person_entitled_or_not(
        person_id: PersonPath,
        programme: Annotated[str, Path(description="The programme, for example `citizen-card`.")],
        call: Call,
        function: Annotated[str, Query(description="Ask about one function, for example `medical`.")] = "",
    ) -> WhyView:
        """By which rule of the city's bylaws, on which facts, and what is missing; in Chinese and English.

        The text is the same for the citizen, the clerk and the file of an appeal.
        """
        standing = await call.see(desk, known(person_id), city=city_of(person_id))
        match standing.state:
            case Unknown():
                raise PersonUnknown
            case Erased():
                raise DataErased
            case Merged(into=into):
                raise MergedAway(person_id=into)
            case person:
                where, verdict = city_of(person_id), person.verdict(programme)
                if verdict is None:
                    raise NotJudged(what=programme, judged=", ".join(one.programme for one in person.verdicts))
                at = person.judged_at or person.registered_at
                if not function:
                    return WhyView.of(eligibility.why(where, verdict, at), packs[where])
                named = next((one for one in verdict.functions if one.function == function), None)
                if named is None:
                    raise NotJudged(what=function, judged=", ".join(one.function for one in verdict.functions))
                return WhyView.of(eligibility.why_function(where, verdict, named, at), packs[where])

    @routes.get(
        "/v1/persons/{person_id}/facts",
        responses=refusals(IdMistyped, PersonUnknown),
        dependencies=[allowed("identity:look")],
    )
    async def what_was_ever_said_of_a_person(person_id: PersonPath, call: Call) -> list[SaidView]:
        """All that departments ever said of a person, the oldest first: what, who, since when, and when we heard it."""
        standing = await call.see(desk, known(person_id), city=city_of(person_id))
        if isinstance(standing.state, Unknown):
            raise PersonUnknown
        return [
            SaidView(
                **fact_view(PersonId(person_id), fact.statement, fact.at).model_dump(), recorded_at=row.recorded_at
            )
            for fact, row in await desk.story(person_id)
            if isinstance(fact, FactStated)
        ]

    @routes.post(
        "/v1/facts",
        status_code=201,
        responses=refusals(*DOCUMENT_REFUSALS, PersonUnknown, DataErased, FactNotYours, ValidityReversed),
        dependencies=[allowed("identity:state-fact")],
    )
    async def state_a_fact(said: FactBody, call: Call) -> FactView:
        """Say something of a person on behalf of your department.

        It takes the place of what your department said of the same fact before. It takes effect at 0:00 of `valid_from`
        and ends at 24:00 of `valid_to`; each time the person's entitlements are judged anew. Said twice, done once.
        """
        department = call.caller.department
        holder = await people.find(call.caller.city, read_document(said.document))
        if holder is None:
            raise PersonUnknown
        person = await entry_now(desk, holder)

        def ask(_now: Person, at: datetime) -> StateFact:
            return StateFact(
                person_id=person,
                at=at,
                fact=said.fact,
                department=department,
                valid_from=said.valid_from,
                valid_to=said.valid_to,
                ended=said.ended,
                reference=said.reference,
                may_state=sharing.facts_of(city_of(person), department),
                under=sharing.by(city_of(person), department, at),
            )

        receipt = await call.handle(desk, person, ask, city=city_of(person))
        assert isinstance(receipt.state, Known)
        statement = receipt.state.statement(department, said.fact)
        assert statement is not None
        return fact_view(person, statement, statement.stated_at)

    @routes.post(
        "/v1/persons/{person_id}/reveals",
        status_code=201,
        responses=refusals(IdMistyped, PersonUnknown, DataErased, MergedAway),
        dependencies=[allowed("identity:reveal")],
    )
    async def reveal_a_person(person_id: PersonPath, said: RevealBody, call: Call) -> RevealedView:
        """See a person in clear. That you did, and why, is recorded before you see anything."""
        person = PersonId(known(person_id))

        def ask(_now: Person, at: datetime) -> RevealPersonalData:
            return RevealPersonalData(person_id=person, at=at, reason=said.reason)

        receipt = await call.handle(desk, person, ask, city=city_of(person), reason=said.reason)
        assert isinstance(receipt.state, Known)
        opened = await people.open(receipt.state)
        return RevealedView(
            person_id=person,
            document=receipt.state.document,
            number=opened.number,
            issuer=opened.issuer,
            name=opened.name,
            birth=opened.birth,
            mobile=opened.mobile,
        )

    @routes.post(
        "/v1/persons/{person_id}/erasures",
        status_code=201,
        responses=refusals(IdMistyped, PersonUnknown, MergedAway),
        dependencies=[allowed("identity:erase")],
    )
    async def erase_a_person(person_id: PersonPath, said: ErasureBody, call: Call) -> ErasedView:
        """Destroy the key to a person's data, in every service and for ever; it ends no card."""
        person = PersonId(known(person_id))

        def ask(_now: Person, at: datetime) -> ErasePerson:
            return ErasePerson(person_id=person, at=at, reason=said.reason)

        # The fact comes first and sets DestroyKey due, so that the city itself completes what a crash interrupts here;
        # the other way round, a key could be gone that no record and no neighbour ever hears of. Both may happen twice.
        receipt = await call.handle(desk, person, ask, city=city_of(person), reason=said.reason)
        assert isinstance(receipt.state, Erased)
        await people.erase(person)
        return ErasedView(person_id=person, erased_at=receipt.state.at)

    async def found(shown: Person) -> FoundView:
        match person := await stands_now(desk, shown):
            case Unknown():
                raise PersonUnknown
            case Erased():
                raise DataErased
            case Merged(into=into):
                raise MergedAway(person_id=into)
            case Known():
                opened = await people.open(person)
                return FoundView(person_id=person.person_id, document=person.document, number=mask(opened.number))

    return routes


def view(person: Known, opened: Opened, at: datetime) -> PersonView:
    """A person as a clerk may see them."""
    return PersonView(
        person_id=person.person_id,
        document=person.document,
        number=mask(opened.number),
        name=mask_name(opened.name),
        mobile=masked(opened.mobile) if opened.mobile else None,
        language=person.language,
        registered_at=person.registered_at,
        facts=[fact_view(person.person_id, said, at) for said in person.said],
        also=list(person.also),
        entitlements=[entitlement_view(person.person_id, verdict) for verdict in person.verdicts],
    )


def fact_view(person: PersonId, said: Statement, at: datetime) -> FactView:
    return FactView(
        person_id=person,
        fact=said.fact,
        department=said.department,
        valid_from=said.valid_from,
        valid_to=said.valid_to,
        ended=said.ended,
        reference=said.reference,
        stated_at=said.stated_at,
        holds=said.holds(at),
    )


def entitlement_view(person: PersonId, verdict: Verdict) -> EntitlementView:
    return EntitlementView(
        programme=verdict.programme,
        holding_id=holding_id(person, verdict.programme),
        granted=verdict.granted,
        rule=verdict.rule,
        article=verdict.article,
        basis=verdict.basis,
        text=verdict.text,
        may_apply=verdict.may_apply,
        holds_until=verdict.holds_until,
        facts_used=list(verdict.facts_used),
        missing=list(verdict.missing),
        functions=[
            FunctionVerdictView(
                function=one.function, granted=one.granted, because=one.because, article=one.article, rule=one.rule
            )
            for one in verdict.functions
        ],
        bylaws=verdict.bylaws,
    )
