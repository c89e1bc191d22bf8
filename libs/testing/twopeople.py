"""One person alone, trying everything: how an act that needs two people is put to the test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from libs.kernel.foureyes import FourEyes, Hand, TwoPeople
from libs.kernel.refusals import Refused

ONE, OTHER = Hand("person-1"), Hand("person-2")


@dataclass(frozen=True)
class Conversation:
    """How an act comes about: after these facts, two people say this, the last word completing it.

    The commands bear the hands `ONE` and `OTHER`. `also` is whatever else can be said at such a desk; the more it
    holds, the more one person alone will try. `objection` is the word by which one person ends what the first word of
    `said` has proposed; without one, whatever was proposed can only lapse.
    """

    act: str
    given: Sequence[Any]
    said: Sequence[Any]
    also: Sequence[Any] = ()
    objection: Any = None


def by_one_hand(conversation: Conversation, hand: Hand) -> st.SearchStrategy[list[Any]]:
    """Whatever one hand can say, in any order and as often as it likes."""
    words = [replace(word, by=hand) if hasattr(word, "by") else word for word in conversation.said]
    others = [replace(word, by=hand) if hasattr(word, "by") else word for word in conversation.also]
    return st.lists(st.sampled_from([*words, *others]), max_size=12)


def acts_done(declared: TwoPeople, conversation: Conversation, commands: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Each fact that is the declared act and takes two people, with the command that it followed from."""
    desk = declared.decider.fold(conversation.given)
    for command in commands:
        try:
            facts = declared.decider.decide(command, desk)
        except Refused:
            continue
        for fact in facts:
            if isinstance(fact, declared.facts) and declared.needs(desk, fact):
                yield command, fact
            desk = declared.decider.evolve(desk, fact)


def after(declared: TwoPeople, conversation: Conversation, *commands: Any) -> Any:
    """How things stand after these words, none of which is refused."""
    desk = declared.decider.fold(conversation.given)
    for command in commands:
        desk = declared.decider.fold(declared.decider.decide(command, desk), desk)
    return desk


def eyes_of(fact: Any) -> FourEyes | None:
    """Who has seen to it that this happened."""
    eyes = getattr(fact, "eyes", None)
    assert eyes is None or isinstance(eyes, FourEyes)
    return eyes
