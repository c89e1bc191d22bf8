"""Two pairs of eyes: what one person has proposed happens only when another has approved it (R169).

A stream whose acts need this keeps three things. A fact that says what was proposed, by whom and until when (it is a
`Proposed`); `Proposals` in its state, moved on by `evolve`; and `eyes: FourEyes` in the fact that is the act itself.
The decider asks `open` before it proposes, and `approved` before it lets the act happen. Beside the decider it declares
`TwoPeople`, and the test of the house then tries to complete the act with one person alone.

The hand arrives in the command as `by`, and the desk holds it against the order: nobody acts by another's hand, and
timers, reactions and feeds have none. Two accounts of one person look like two people; that is for whoever gives out
accounts to prevent.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, NewType, Protocol, TypeVar

from libs.kernel.decider import Decider
from libs.kernel.refusals import Clash, Forbidden, Missing
from libs.kernel.shapes import value

Hand = NewType("Hand", str)
"""The opaque id of a person who acts, the same in each of their roles."""

NOBODY = Hand("")
"""The hand of whatever is no person: a timer, a reaction, a feed, a file."""

ProposalId = NewType("ProposalId", str)


class SameHand(Forbidden):
    """You proposed this yourself; another person must look at it and approve it."""


class HandUnnamed(Forbidden):
    """This takes two people, and the city must know who each of them is; sign in under your own name and ask again."""


class ProposalUnknown(Missing):
    """Nothing was proposed here under {proposal_id}; look at how this stands, and propose it if it is still wanted."""


class ProposalLapsed(Clash):
    """This proposal lapsed at {until}, before anybody had approved it; propose it again if it is still wanted."""


class ProposalOvertaken(Clash):
    """Things have changed since this was proposed; look at how they stand, and propose it anew if still wanted."""


@value
class FourEyes:
    """Who proposed an act and who approved it. One person alone makes none, so nor is there a fact that bears one."""

    proposed_by: Hand
    approved_by: Hand

    def __post_init__(self) -> None:
        if NOBODY in (self.proposed_by, self.approved_by) or self.proposed_by == self.approved_by:
            raise ValueError("an act that needs two pairs of eyes was seen by two people, each of them known")


class Proposed(Protocol):
    """A fact that says what somebody has proposed. It stands until the moment `until`, that moment excluded."""

    @property
    def proposal_id(self) -> ProposalId: ...
    @property
    def by(self) -> Hand: ...
    @property
    def until(self) -> datetime: ...


P = TypeVar("P", bound=Proposed)
Q = TypeVar("Q", bound=Proposed)


@dataclass(frozen=True, kw_only=True)  # Without slots, or `Proposals[…]()` could not be written down.
class Proposals(Generic[P]):
    """What has been proposed in one stream and waits for another person, and what has become of the rest."""

    waiting: tuple[P, ...] = ()
    done: frozenset[ProposalId] = frozenset()
    overtaken: frozenset[ProposalId] = frozenset()

    def open(self, kind: type[Q], at: datetime) -> Q | None:
        """The proposal of this kind that can be approved at this moment; proposing it again changes nothing."""
        return next((one for one in self.waiting if isinstance(one, kind) and at < one.until), None)

    def approved(self, proposal_id: ProposalId, by: Hand, at: datetime) -> tuple[P, FourEyes] | None:
        """What may happen now, and who has seen it; None if it has happened already.

        Raises HandUnnamed, ProposalOvertaken, ProposalUnknown, SameHand or ProposalLapsed, in this order.
        """
        named(by)
        if proposal_id in self.done:
            return None
        if proposal_id in self.overtaken:
            raise ProposalOvertaken
        found = next((one for one in self.waiting if one.proposal_id == proposal_id), None)
        if found is None:
            raise ProposalUnknown(proposal_id=proposal_id)
        if found.by == by:
            raise SameHand
        if at >= found.until:
            raise ProposalLapsed(until=found.until.isoformat(timespec="seconds"))
        return found, FourEyes(proposed_by=found.by, approved_by=by)

    def objected(self, proposal_id: ProposalId, by: Hand) -> P | None:
        """What one no ends, whoever says it; None if it is ended already.

        Raises HandUnnamed, ProposalOvertaken if it has happened, for then it is too late, or ProposalUnknown.
        """
        named(by)
        if proposal_id in self.done:
            raise ProposalOvertaken
        found = next((one for one in self.waiting if one.proposal_id == proposal_id), None)
        if found is None and proposal_id not in self.overtaken:
            raise ProposalUnknown(proposal_id=proposal_id)
        return found

    def known(self, proposal_id: ProposalId) -> bool:
        """Whether this was ever proposed here, whatever has become of it."""
        return proposal_id in self.done | self.overtaken | {one.proposal_id for one in self.waiting}

    def with_new(self, proposal: P) -> "Proposals[P]":
        """This is proposed now; an earlier proposal of its kind, which must have lapsed, is overtaken by it."""
        earlier = tuple(one for one in self.waiting if isinstance(one, type(proposal)))
        kept = tuple(one for one in self.waiting if one not in earlier)
        gone = frozenset(one.proposal_id for one in earlier)
        return replace(self, waiting=(*kept, proposal), overtaken=self.overtaken | gone)

    def without(self, proposal_id: ProposalId) -> "Proposals[P]":
        """Whoever looked said no, or it was taken back."""
        return replace(
            self,
            waiting=tuple(one for one in self.waiting if one.proposal_id != proposal_id),
            overtaken=self.overtaken | {proposal_id},
        )

    def when_done(self, proposal_id: ProposalId) -> "Proposals[P]":
        """This one was carried out. It has changed how things stand: `when_changed` says what of the others is left."""
        return replace(
            self,
            waiting=tuple(one for one in self.waiting if one.proposal_id != proposal_id),
            done=self.done | {proposal_id},
        )

    def when_changed(self, *kinds: type[P]) -> "Proposals[P]":
        """Things stand otherwise than they did when these kinds were proposed (all kinds, if none is named)."""
        gone = tuple(one for one in self.waiting if not kinds or isinstance(one, kinds))
        if not gone:
            return self
        return replace(
            self,
            waiting=tuple(one for one in self.waiting if one not in gone),
            overtaken=self.overtaken | {one.proposal_id for one in gone},
        )


def named(by: Hand) -> Hand:
    """The same hand, if it is somebody's. Raises HandUnnamed."""
    if by == NOBODY:
        raise HandUnnamed
    return by


def always(_state: Any, _fact: Any) -> bool:
    """Whenever this fact happens."""
    return True


@value
class TwoPeople:
    """An act that nobody completes alone, declared beside its decider in a tuple named `TWO_PEOPLE`.

    `facts` are the act; `needs(state, fact)` says whether this one, happening in this state, takes two people (a
    report by telephone is lifted by one, a signed one by two). Each fact that does bears `eyes: FourEyes`.
    """

    act: str
    decider: Decider[Any, Any, Any]
    facts: tuple[type, ...]
    needs: Callable[[Any, Any], bool] = always
