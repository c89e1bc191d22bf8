"""How a holding can stand: at most one card on its way, at most one card that counts, and those that came before."""

from dataclasses import field, replace
from datetime import date, datetime
from typing import TypeAlias, assert_never

from libs.kernel import state, value
from libs.kernel.calendar import shanghai_day
from libs.kernel.foureyes import Proposals
from libs.kernel.why import Cited, FactUsed
from services.ids import ApplicationId, BatchId, CardId, HoldingId, PersonId
from services.issuance.domain.applying import Way
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding.events import (
    CardActivated,
    CardApproved,
    CardArrived,
    CardCancelled,
    CardDeclined,
    CardDestroyed,
    CardEndorsed,
    CardExpired,
    CardHandedOver,
    CardMailed,
    CardOrdered,
    CardProduced,
    CardReplaced,
    CardReserved,
    CardSentOn,
    CardSpoiled,
    CardUnclaimed,
    CaseClosed,
    CollectionReminded,
    EndorsementReminded,
    EndorsementTakenBack,
    Event,
    FingerprintMismatched,
    FunctionGrant,
    FunctionOpened,
    FunctionState,
    FunctionsTurned,
    HoldingEmptied,
    HoldingJoined,
    HoldingLeft,
    HoldingPassedOn,
    IssueProposed,
    Kind,
    OlderUntil,
    PlasticRecalled,
    ReissueJoined,
    SeatDeclined,
    Standing,
    VerdictNoted,
)


@value
class Order:
    """What the card on its way is for."""

    kind: Kind
    application_id: ApplicationId | None
    old_card_id: CardId | None
    outlet: str
    unit: str = ""
    way: Way = Way.COUNTER


@value
class Plastic:
    """A card as a thing: its number, where it was made, and once it is made the identification code of its chip."""

    card_id: CardId
    card_number: str
    batch_id: BatchId
    seat: int
    ident: str = ""
    valid_to: datetime | None = None


@state
class NothingComing:
    """No card is on its way."""


@state
class Waiting:
    """The order waits for identity's verdict."""

    order: Order


@state
class Queued:
    """The order waits for a batch."""

    order: Order


@state
class InWork:
    """The card is being made."""

    order: Order
    plastic: Plastic


@state
class Good:
    """The card is made and on its way to the outlet."""

    order: Order
    plastic: Plastic


@state
class AtOutlet:
    """The card lies at the counter, or was put into the post there (`tracking`); `case` keeps it from being given."""

    order: Order
    plastic: Plastic
    outlet: str
    kept_until: datetime
    destroy_at: datetime | None = None
    tracking: str = ""
    case: str = ""
    reminded: tuple[datetime, ...] = ()


@state
class InHand:
    """The holder has the card, and it does not work yet."""

    order: Order
    plastic: Plastic
    since: datetime


Coming: TypeAlias = NothingComing | Waiting | Queued | InWork | Good | AtOutlet | InHand


@value
class BeforeEndorsed:
    """How a card stood before it was endorsed at `at`, which may turn out to have been a mistake."""

    at: datetime
    valid_to: datetime
    since: date | None
    expired: bool
    rests: tuple[tuple[datetime, datetime], ...]
    reminded: tuple[datetime, ...]


@value
class Life:
    """A card that worked once: from when, and until when; `ended_at` is None while it is the one that counts."""

    card_id: CardId
    card_number: str
    active_from: datetime
    valid_to: datetime
    ended_at: datetime | None = None
    ending: str = ""
    expired: bool = False
    ident: str = ""
    older: tuple[OlderUntil, ...] = ()
    since: date | None = None
    """From when its years count, if not from its own first day."""
    rests: tuple[tuple[datetime, datetime], ...] = ()
    """Stretches in which its year was full and nobody had endorsed it yet."""
    reminded: tuple[datetime, ...] = ()
    endorsed: BeforeEndorsed | None = None

    def active(self, at: datetime) -> bool:
        return self.active_from <= at and not self.out_of_date(at) and (self.ended_at is None or at < self.ended_at)

    def out_of_date(self, at: datetime) -> bool:
        """Whether its validity has ended, or it rested at this instant for want of an endorsement."""
        return at >= self.valid_to or any(full <= at < endorsed for full, endorsed in self.rests)


@value
class Verdict:
    """What identity has said, and since when."""

    granted: bool
    because: str
    functions: tuple[FunctionGrant, ...]
    at: datetime
    facts: tuple[str, ...] = ()
    may_apply: bool = True
    used: tuple[FactUsed, ...] = ()
    ground: str = field(default="", compare=False)
    """The entry that decided (`Ground.ref`), in the `edition`; the same verdict under another one is no news."""
    edition: str = field(default="", compare=False)
    missing: tuple[str, ...] = field(default=(), compare=False)

    def by(self, under: IssuanceBylaw) -> Cited:
        """What a refusal by this verdict cites: the entry that identity has named, or the table as it holds now."""
        told = under.by("programme.eligibility", facts=self.used, missing=self.missing)
        return replace(told, edition=self.edition, articles=(self.ground,)) if self.ground else told

    def allows(self, kind: Kind) -> bool:
        """Whether a card of this kind may be ordered: the conditions of applying are those of a first card alone."""
        return self.granted and (self.may_apply or kind is not Kind.FIRST)


@value
class Opened:
    """A function that was opened on the card that counts."""

    function: str
    at: datetime


@state
class Holding:
    """The cards of one person under one programme.

    `claims` are the applications that were answered; `numbered` counts every card ever reserved, spoiled ones too.
    `functions` and `opened` are of the card that counts; `returned` are cards that nobody fetched.
    `proposals` are of cards to be made in spite of the verdict; another verdict or another order overtakes them.
    `lead` is the same person's holding under the entry that remains, if this one's entry was merged into it; `beside`
    are the holdings of merged entries in which there is a card, or one on its way; those that `gave_way` had to end it.
    """

    person_id: PersonId | None = None
    programme: str = ""
    verdicts: tuple[Verdict, ...] = ()
    coming: Coming = NothingComing()
    lives: tuple[Life, ...] = ()
    numbered: int = 0
    claims: tuple[ApplicationId, ...] = ()
    functions: tuple[FunctionState, ...] = ()
    opened: tuple[Opened, ...] = ()
    returned: tuple[CardId, ...] = ()
    proposals: Proposals[IssueProposed] = Proposals[IssueProposed]()
    lead: HoldingId | None = None
    beside: tuple[HoldingId, ...] = ()
    gave_way: tuple[HoldingId, ...] = ()

    @property
    def current(self) -> Life | None:
        """The card that counts: the only one that is not ended."""
        return next((life for life in self.lives if life.ended_at is None), None)

    def life_of(self, card_id: CardId) -> Life | None:
        return next((life for life in self.lives if life.card_id == card_id), None)

    def verdict_at(self, at: datetime) -> Verdict | None:
        """What identity had last said by this instant."""
        return next((verdict for verdict in reversed(self.verdicts) if verdict.at <= at), None)


def evolve(holding: Holding, fact: Event) -> Holding:
    match fact:
        case VerdictNoted():
            verdict = Verdict(
                granted=fact.granted,
                because=fact.because,
                functions=fact.functions,
                at=fact.at,
                facts=fact.facts,
                may_apply=fact.may_apply,
                used=fact.used,
                ground=fact.ground,
                edition=fact.edition,
                missing=fact.missing,
            )
            return replace(
                holding,
                person_id=fact.person_id,
                programme=fact.programme,
                verdicts=(*holding.verdicts, verdict),
                proposals=holding.proposals.when_changed(),
            )
        case CardOrdered():
            order = Order(
                kind=fact.kind,
                application_id=fact.application_id,
                old_card_id=fact.old_card_id,
                outlet=fact.outlet,
                unit=fact.unit,
                way=fact.way,
            )
            coming = Queued(order=order) if fact.approved else Waiting(order=order)
            done = holding.proposals.when_done(fact.proposal_id) if fact.proposal_id else holding.proposals
            return replace(
                holding,
                person_id=fact.person_id,
                programme=fact.programme,
                coming=coming,
                claims=_with(holding.claims, fact.application_id),
                proposals=done.when_changed(),
            )
        case IssueProposed():
            return replace(holding, proposals=holding.proposals.with_new(fact))
        case ReissueJoined():
            assert not isinstance(holding.coming, NothingComing)
            order = replace(holding.coming.order, kind=Kind.REISSUE)
            return replace(holding, coming=replace(holding.coming, order=order))
        case CardApproved():
            return replace(holding, coming=Queued(order=_order(holding)))
        case CardDeclined():
            waits = isinstance(holding.coming, Waiting | Queued)
            mine = fact.recalled or (waits and _order(holding).application_id == fact.application_id)
            return replace(
                holding,
                coming=NothingComing() if mine else holding.coming,
                claims=_with(holding.claims, fact.application_id),
            )
        case CardReserved():
            plastic = Plastic(
                card_id=fact.card_id,
                card_number=fact.card_number,
                batch_id=fact.batch_id,
                seat=fact.seat,
                valid_to=fact.valid_to,
            )
            return replace(
                holding, coming=InWork(order=_order(holding), plastic=plastic), numbered=holding.numbered + 1
            )
        case SeatDeclined() | PlasticRecalled():
            return holding
        case CardProduced():
            made = replace(_plastic(holding), ident=fact.ident)
            return replace(holding, coming=Good(order=_order(holding), plastic=made))
        case CardSpoiled():
            return replace(holding, coming=Queued(order=_order(holding)))
        case CardArrived():
            return replace(
                holding,
                coming=AtOutlet(
                    order=_order(holding),
                    plastic=_plastic(holding),
                    outlet=fact.outlet,
                    kept_until=fact.kept_until,
                    destroy_at=fact.destroy_at,
                ),
            )
        case CardSentOn():
            return replace(holding, coming=replace(_at_outlet(holding), outlet=fact.outlet))
        case CardMailed():
            return replace(holding, coming=replace(_at_outlet(holding), tracking=fact.tracking))
        case FingerprintMismatched():
            return replace(holding, coming=replace(_at_outlet(holding), case="fingerprint"))
        case CaseClosed():
            return replace(holding, coming=replace(_at_outlet(holding), case=""))
        case CollectionReminded():
            there = _at_outlet(holding)
            return replace(holding, coming=replace(there, reminded=(*there.reminded, fact.at)))
        case CardUnclaimed():
            returned = (*holding.returned, fact.card_id) if fact.destroy_at else holding.returned
            return replace(holding, coming=NothingComing(), returned=returned)
        case CardDestroyed():
            return replace(holding, returned=tuple(one for one in holding.returned if one != fact.card_id))
        case FunctionOpened():
            return replace(holding, opened=(*holding.opened, Opened(function=fact.function, at=fact.at)))
        case FunctionsTurned():
            kept = {one.function for one in fact.functions if one.standing in (Standing.ENABLED, Standing.SUSPENDED)}
            opened = tuple(one for one in holding.opened if one.function in kept)
            return replace(holding, functions=fact.functions, opened=opened)
        case CardHandedOver():
            return replace(holding, coming=InHand(order=_order(holding), plastic=_plastic(holding), since=fact.at))
        case CardActivated():
            return replace(holding, coming=NothingComing(), lives=(*holding.lives, _born(holding, fact)))
        case CardReplaced():
            ended = _ended(holding.lives, fact.old_card_id, fact.at, "replaced")
            born = replace(_born(holding, fact), since=_since(holding.life_of(fact.old_card_id)))
            return replace(holding, coming=NothingComing(), lives=(*ended, born))
        case CardCancelled():
            return replace(
                holding,
                coming=NothingComing(),
                lives=_ended(holding.lives, fact.card_id, fact.at, f"cancelled: {fact.reason}"),
                functions=(),
                opened=(),
            )
        case CardExpired():
            lives = tuple(
                replace(life, expired=True) if life.card_id == fact.card_id else life for life in holding.lives
            )
            return replace(holding, lives=lives)
        case EndorsementReminded():
            return replace(
                holding,
                lives=tuple(
                    replace(life, reminded=(*life.reminded, fact.at)) if life.card_id == fact.card_id else life
                    for life in holding.lives
                ),
            )
        case CardEndorsed():
            return replace(
                holding,
                lives=tuple(_endorsed(life, fact) if life.card_id == fact.card_id else life for life in holding.lives),
            )
        case EndorsementTakenBack():
            return replace(
                holding,
                lives=tuple(_as_before(life) if life.card_id == fact.card_id else life for life in holding.lives),
            )
        case HoldingPassedOn():
            return replace(
                holding,
                person_id=fact.person_id,
                programme=fact.programme,
                lead=fact.lead,
                proposals=holding.proposals.when_changed(),
            )
        case HoldingJoined():
            changed = holding.proposals.when_changed()
            if fact.gives_way:
                return replace(holding, gave_way=(*holding.gave_way, fact.other), proposals=changed)
            return replace(holding, beside=(*holding.beside, fact.other), proposals=changed)
        case HoldingLeft():
            beside = tuple(one for one in holding.beside if one != fact.other)
            return replace(holding, beside=beside, gave_way=tuple(one for one in holding.gave_way if one != fact.other))
        case HoldingEmptied():
            return holding
        case _:
            assert_never(fact)


def _order(holding: Holding) -> Order:
    assert not isinstance(holding.coming, NothingComing)
    return holding.coming.order


def _plastic(holding: Holding) -> Plastic:
    assert isinstance(holding.coming, InWork | Good | AtOutlet | InHand)
    return holding.coming.plastic


def _at_outlet(holding: Holding) -> AtOutlet:
    assert isinstance(holding.coming, AtOutlet)
    return holding.coming


def _born(holding: Holding, fact: CardActivated | CardReplaced) -> Life:
    return Life(
        card_id=fact.card_id,
        card_number=_plastic(holding).card_number,
        active_from=fact.at,
        valid_to=fact.valid_to,
        ident=_plastic(holding).ident,
        older=fact.older if isinstance(fact, CardActivated) else (),
    )


def _since(life: Life | None) -> date | None:
    """From when the years count: they go on with the next card."""
    return None if life is None else life.since or shanghai_day(life.active_from)


def _endorsed(life: Life, fact: CardEndorsed) -> Life:
    rested = ((life.valid_to, fact.at),) if fact.at > life.valid_to else ()
    before = BeforeEndorsed(
        at=fact.at,
        valid_to=life.valid_to,
        since=life.since,
        expired=life.expired,
        rests=life.rests,
        reminded=life.reminded,
    )
    return replace(
        life,
        valid_to=fact.valid_to,
        since=fact.since,
        expired=False,
        rests=(*life.rests, *rested),
        reminded=(),
        endorsed=before,
    )


def _as_before(life: Life) -> Life:
    before = life.endorsed
    assert before is not None
    return replace(
        life,
        valid_to=before.valid_to,
        since=before.since,
        expired=before.expired,
        rests=before.rests,
        reminded=before.reminded,
        endorsed=None,
    )


def _ended(lives: tuple[Life, ...], card_id: CardId, at: datetime, ending: str) -> tuple[Life, ...]:
    return tuple(
        replace(life, ended_at=at, ending=ending) if life.card_id == card_id and life.ended_at is None else life
        for life in lives
    )


def _with(claims: tuple[ApplicationId, ...], claim: ApplicationId | None) -> tuple[ApplicationId, ...]:
    return claims if claim is None or claim in claims else (*claims, claim)
