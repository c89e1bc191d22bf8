"""Where others' files come in and ours go out, and where differences are looked at and worked off."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from libs.kernel import Missing, Unfit
from libs.kernel.calendar import shanghai_day
from libs.kernel.foureyes import HandUnnamed
from libs.kernel.ids import city_of, well_written
from libs.web.access import NotAllowed, allowed
from libs.web.bodies import Body, Text
from libs.web.call import Call, CallContext
from libs.web.problems import refusals
from services.ids import IdMistyped, known
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.adapters.reconciling import (
    BEFORE_ALL,
    FileUnknown,
    NotReconciledHere,
    NotReconciledYet,
    Received,
    Reconciling,
    Waiting,
    account_of,
)
from services.wallet.adapters.statement_files import (
    FILE_MAX_BYTES,
    StatementAltered,
    StatementUnfit,
    decoded,
    read,
    write,
)
from services.wallet.domain import chart, money
from services.wallet.domain.adjustment import decider as adjustments
from services.wallet.domain.adjustment.commands import ProposeWriteOff
from services.wallet.domain.adjustment.state import Adjustment
from services.wallet.domain.naming import (
    DifferenceId,
    adjustment_id,
    pile_id,
    pile_of,
    reconciliation_id,
)
from services.wallet.domain.reconciliation.bylaw import Party
from services.wallet.domain.reconciliation.commands import ExplainDifference
from services.wallet.domain.reconciliation.decider import DifferenceUnknown, MoneyLiesThere, NothingToExplain
from services.wallet.domain.reconciliation.events import DayReconciled
from services.wallet.domain.reconciliation.matching import Class, Source
from services.wallet.domain.reconciliation.state import Difference
from services.wallet.routes.bodies import Fen, Reference
from services.wallet.routes.books import CursorUnreadable
from services.wallet.routes.hands import Hands
from services.wallet.views import AdjustmentView, adjustment_view

STATEMENT_FILES = "/v1/statement-files/"
STATEMENT_BODIES = {STATEMENT_FILES: FILE_MAX_BYTES}
PAGE_MAX = 500
NUMBER_MAX = 999_999_999

SourcePath = Annotated[Source, Path(description="The kind of the file, as its heading says.")]
Sender = Annotated[str, Path(max_length=40, description="Whose file it is, as its heading says.")]
Number = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The number that the sender gave the file.")]
DayPath = Annotated[date, Path(description="A day, `YYYY-MM-DD`, in the city's zone.")]
DifferencePath = Annotated[str, Path(description="The difference, as the register names it.")]


class AnotherStatement(Unfit):
    """The heading says {kind} file {number} of {sender}, and the address another; send each file to its own address."""


class NoSuchParty(Missing):
    """The city has agreed on no {source} files with {sender}, but on {kinds_of_files}; send one of those."""


class StatementCounter:
    """Files, days and differences. `reconciling` is None where everything is in memory."""

    def __init__(self, reconciling: Reconciling | None, bylaws: ReconciliationBylaws) -> None:
        self.reconciling, self.bylaws = reconciling, bylaws

    @property
    def open(self) -> Reconciling:
        """Raises NotReconciledHere."""
        if self.reconciling is None:
            raise NotReconciledHere
        return self.reconciling


class FileView(BaseModel):
    """A file that was taken, whole."""

    source: Source
    sender: str
    number: int
    day: date
    lines: int
    total_fen: int
    sha256: str
    """Over everything before its last line."""
    received_at: datetime
    reconciled_with: date | None
    """The day whose reconciliation has taken it; none, until there is one."""

    @classmethod
    def of(cls, file: Received) -> "FileView":
        return cls(
            reconciled_with=file.taken_on,
            **{
                name: getattr(file, name)
                for name in ("source", "sender", "number", "day", "lines", "total_fen", "sha256", "received_at")
            },
        )


class PartView(BaseModel):
    """How many differences have a part in this class, and what these parts come to."""

    count: int
    fen: int


class PartyView(BaseModel):
    """How one party stands; the classes add up to `ours_fen` less `theirs_fen`, to the fen."""

    source: Source
    sender: str
    ours_fen: int
    theirs_fen: int
    difference_fen: int
    classes: dict[Class, PartView]
    stale: int
    """Movements that no file has confirmed for longer than the city waits."""
    stale_fen: int
    oldest_in_suspense: date | None
    missing: int
    """Days in our books for which no file has come in time; of terminals, each day of each of them."""
    missing_since: date | None


class ReconciliationView(BaseModel):
    """How the books of a city stood beside all files that had come, at the end of a day."""

    city: str
    day: date
    parties: list[PartyView]
    at: datetime

    @classmethod
    def of(cls, done: DayReconciled) -> "ReconciliationView":
        return cls(
            city=done.city,
            day=done.day,
            at=done.at,
            parties=[
                PartyView(
                    source=one.source,
                    sender=one.sender,
                    ours_fen=one.ours_fen,
                    theirs_fen=one.theirs_fen,
                    difference_fen=one.ours_fen - one.theirs_fen,
                    classes={part.kind: PartView(count=part.count, fen=part.fen) for part in one.parts},
                    stale=one.stale,
                    stale_fen=one.stale_fen,
                    oldest_in_suspense=one.oldest,
                    missing=one.missing,
                    missing_since=one.missing_since,
                )
                for one in done.tallies
            ],
        )


class DifferenceView(BaseModel):
    """A difference that nobody could explain when its day was reconciled."""

    difference_id: str
    source: Source
    sender: str
    reference: str
    """What the sender and we call the movement."""
    why: Class
    since: date
    age_days: int
    ours_fen: int
    theirs_fen: int
    suspended_fen: int
    """What of ours less theirs was put into suspense."""
    left_fen: int
    """What of that is still to be worked off."""
    pile: str
    """The pile of suspense in which it lies; empty where no money lies, only a question."""
    explanation: str = ""
    evidence: str = ""


class RegisterView(BaseModel):
    """A page of the register, the oldest first."""

    differences: list[DifferenceView]
    next: str = ""
    """Where the next page begins; empty on the last one."""


class ExplanationBody(Body):
    """Why there is a difference, where no money needs to move."""

    reason: Text
    evidence: Reference
    """The number of the file in which the evidence lies; never a name."""


class WorkOffBody(Body):
    """Who shall bear what lies in suspense because of a difference."""

    bears: Literal["issuer", "party"]
    """`issuer`, or `party` where the sender owns up to it: then its account stands as our books had it."""
    amount_fen: Fen
    reason: Text
    evidence: Reference
    reference: Reference


def statements(routes: APIRouter, hands: Hands, counter: StatementCounter) -> None:
    """Open the counter for others' files."""

    def party(call: CallContext, city: str, source: Source, sender: str) -> Party:
        """Raises NotAllowed for files of somebody else, here or elsewhere, and NoSuchParty for a kind that nobody has
        agreed on with this sender."""
        under = counter.bylaws.at(city, hands.city.now())
        agreed = under.parties if under else ()
        if sender not in {one.sender for one in agreed}:
            raise NotAllowed
        call.allow(city=city, outlet=sender)
        found = [one for one in agreed if (one.source, one.sender) == (source, sender)]
        if not found:
            kinds = ", ".join(one.source for one in agreed if one.sender == sender)
            by = counter.bylaws.by(city, hands.city.now())
            raise NoSuchParty(by, source=source, sender=sender, kinds_of_files=kinds)
        return found[0]

    def own_city(call: CallContext, city: str) -> str:
        if not well_written_city(city):
            raise NotAllowed
        call.allow(city=city)
        return city

    async def shown(found: list[Waiting]) -> list[DifferenceView]:
        today = shanghai_day(hands.city.now())
        names = [pile_of(one.difference_id) for one in found]
        accounts = [chart.suspense(city_of(one.difference_id), name) for one, name in zip(found, names, strict=True)]
        balances = await hands.ledger.balances(accounts)
        standings = await hands.desks["difference"].standings([one.difference_id for one in found])
        views = []
        for one, name, account, standing in zip(found, names, accounts, standings, strict=True):
            state: Difference = standing.state
            booked = state.noted is not None and bool(state.noted.account)
            words = [said for said in state.explained if said.fen == state.fen]
            views.append(
                DifferenceView(
                    difference_id=one.difference_id,
                    source=one.source,
                    sender=one.sender,
                    reference=one.reference,
                    why=one.why,
                    since=one.since,
                    age_days=(today - one.since).days,
                    ours_fen=one.ours_fen,
                    theirs_fen=one.theirs_fen,
                    suspended_fen=one.suspended_fen,
                    left_fen=balances[account].balance_fen if booked else one.suspended_fen - state.explained_fen,
                    pile=name if booked else "",
                    explanation=words[0].reason if words else "",
                    evidence=words[0].evidence if words else "",
                )
            )
        return views

    @routes.put(
        "/v1/statement-files/{source}/{sender}/{number}",
        responses=refusals(StatementUnfit, StatementAltered, AnotherStatement, NoSuchParty, NotReconciledHere),
        dependencies=[allowed("wallet:bring-statements")],
    )
    async def bring_a_file(
        source: SourcePath, sender: Sender, number: Number, request: Request, call: Call
    ) -> FileView:  # fmt: skip
        """Send a file as it is (text/csv, docs/statement-files.md); it is taken whole, or refused with its line.

        Sent again it is answered as before; with another content it is refused. The next reconciliation takes it.
        """
        city = call.caller.city
        party(call, city, source, sender)
        reconciling = counter.open
        come = await asyncio.to_thread(lambda raw: read(decoded(raw)), await request.body())
        if (come.kind, come.sender, come.number) != (source, sender, number):
            raise AnotherStatement(kind=come.kind, sender=come.sender, number=come.number)
        return FileView.of(await reconciling.receive(city, come))

    @routes.get(
        "/v1/statement-files/{source}/{sender}/{number}",
        responses=refusals(FileUnknown, NoSuchParty, NotReconciledHere),
        dependencies=[allowed("wallet:look-at-statements")],
    )
    async def what_became_of_a_file(source: SourcePath, sender: Sender, number: Number, call: Call) -> FileView:
        """Whether a file has come, and with which day it was reconciled."""
        city = call.caller.city
        party(call, city, source, sender)
        return FileView.of(await counter.open.received(city, source, sender, number))

    @routes.get(
        "/v1/cities/{city}/settlements/{source}/{sender}/{day}",
        responses=refusals(NoSuchParty, NotReconciledYet, NotReconciledHere),
        dependencies=[allowed("wallet:look-at-statements")],
    )
    async def our_file_for_a_day(city: str, source: SourcePath, sender: Sender, day: DayPath, call: Call) -> Response:
        """What our books say of a merchant, a bank or a channel, as a file with count, total and checksum."""
        party(call, city, source, sender)
        text = write(await counter.open.ours(city, source, sender, day))
        headers = {"Content-Disposition": f'attachment; filename="{source}-{sender}-{day}.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @routes.get(
        "/v1/cities/{city}/reconciliations/{day}",
        responses=refusals(NotReconciledYet),
        dependencies=[allowed("wallet:see-reconciliation")],
    )
    async def how_a_day_was_reconciled(city: str, day: DayPath, call: Call) -> ReconciliationView:
        """Each party's sums, and every fen of difference in its class."""
        standing = await call.see(
            hands.desks["reconciliation"], reconciliation_id(own_city(call, city), day), city=city
        )
        if standing.state.done is None:
            raise NotReconciledYet(day=day.isoformat(), sender="anybody")
        return ReconciliationView.of(standing.state.done)

    @routes.get(
        "/v1/cities/{city}/differences",
        responses=refusals(CursorUnreadable, NotReconciledHere),
        dependencies=[allowed("wallet:see-reconciliation")],
    )
    async def what_lies_in_suspense(
        city: str,
        call: Call,
        until: Annotated[date | None, Query(description="Only what is at least as old as this day.")] = None,
        after: Annotated[str, Query(max_length=60, description="`next` of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
    ) -> RegisterView:
        """Every difference that waits to be worked off, the oldest first, with its age."""
        own_city(call, city)
        found = await counter.open.waiting(city, _place(after), until or shanghai_day(hands.city.now()), limit)
        last = found[-1] if len(found) == limit else None
        views = await shown(list(found))
        return RegisterView(
            differences=[one for one in views if one.left_fen],
            next="" if last is None else f"{last.since}~{last.difference_id}",
        )

    @routes.get(
        "/v1/differences/{difference_id}",
        responses=refusals(IdMistyped, DifferenceUnknown, NotReconciledHere),
        dependencies=[allowed("wallet:see-reconciliation")],
    )
    async def how_a_difference_stands(difference_id: DifferencePath, call: Call) -> DifferenceView:
        """What both sides say, what lies in suspense, and what somebody has explained."""
        name = known(difference_id)
        await call.see(hands.desks["difference"], name, city=city_of(name))
        [view] = await shown([await found_in_the_register(name)])
        return view

    @routes.post(
        "/v1/differences/{difference_id}/explanations",
        status_code=201,
        responses=refusals(
            IdMistyped, HandUnnamed, DifferenceUnknown, MoneyLiesThere, NothingToExplain, NotReconciledHere
        ),
        dependencies=[allowed("wallet:adjust")],
    )
    async def explain_a_difference(difference_id: DifferencePath, said: ExplanationBody, call: Call) -> DifferenceView:
        """Say why, where no money lies in suspense; where some does, two people work it off."""
        name = known(difference_id)
        call.allow(city=city_of(name))
        found = await found_in_the_register(name)

        def ask(_now: Difference, at: datetime) -> ExplainDifference:
            return ExplainDifference(
                difference_id=DifferenceId(name), reason=said.reason, evidence=said.evidence, by=call.hand, at=at
            )

        await hands.decide("difference", name, ask, call)
        [view] = await shown([found])
        return view

    @routes.post(
        "/v1/differences/{difference_id}/write-offs",
        status_code=202,
        responses=refusals(
            IdMistyped, HandUnnamed, DifferenceUnknown, money.ReferenceReused, adjustments.PileSmaller,
            NotReconciledHere,
        ),
        dependencies=[allowed("wallet:adjust")],
    )  # fmt: skip
    async def propose_to_work_a_difference_off(
        difference_id: DifferencePath, said: WorkOffBody, call: Call
    ) -> AdjustmentView:
        """Let the issuer bear it, or put it back on the sender's account; booked when another person approves it."""
        city = city_of(known(difference_id))
        call.allow(city=city)
        found = await found_in_the_register(difference_id)
        pile, against = pile_of(DifferenceId(difference_id)), account_of(city, found.source, found.sender)
        name, account = adjustment_id(pile_id(city, pile), said.reference), chart.suspense(city, pile)

        async def ask(_now: Adjustment, at: datetime) -> ProposeWriteOff:
            return ProposeWriteOff(
                adjustment_id=name,
                city=city,
                pile=pile,
                amount_fen=said.amount_fen,
                stands_fen=(await hands.ledger.balances([account]))[account].balance_fen,
                reason=said.reason,
                evidence=said.evidence,
                proposal_id=call.proposal_id,
                by=call.hand,
                at=at,
                against=against if said.bears == "party" else "",
            )

        return adjustment_view(name, await hands.decide("adjustment", name, ask, call))

    async def found_in_the_register(name: str) -> Waiting:
        found = await counter.open.one_waiting(DifferenceId(name))
        if found is None:
            raise DifferenceUnknown(difference_id=name)
        return found


def well_written_city(text: str) -> bool:
    """Whether this can be an area code (GB/T 2260)."""
    return len(text) == 6 and text.isdecimal() and text.isascii()


def _place(cursor: str) -> tuple[date, str]:
    """The place in the register behind which a page begins. Raises CursorUnreadable."""
    if not cursor:
        return BEFORE_ALL
    day, _, name = cursor.partition("~")
    try:
        place = date.fromisoformat(day)
    except ValueError:
        raise CursorUnreadable from None
    if not well_written(name):
        raise CursorUnreadable
    return place, name
