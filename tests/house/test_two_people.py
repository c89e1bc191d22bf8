"""Acts that nobody completes alone (R169): whatever one person says, in whatever order, none of them happens."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from libs.kernel.foureyes import NOBODY, HandUnnamed, ProposalId, ProposalOvertaken, ProposalUnknown, TwoPeople
from libs.testing.twopeople import ONE, OTHER, Conversation, acts_done, after, by_one_hand, eyes_of

ROOT = Path(__file__).parents[2]

WANTED = {
    "issue in spite of a refusal",
    "lift a written report",
    "cancel a card",
    "let a unit's code count that fails its check",
    "enact a bylaw",
    "merge two persons",
    "adjust a wallet",
    "rule on a tap",
    "replace a key",
}
"""What R169 and the city's own controls want two people for, by the name under which a service declares it."""

NOT_BUILT = {
    "replace a key": "keys are replaced outside the platform",
}
"""Acts that nobody at all can do yet, and so nobody alone. Whoever builds one declares it and takes its line away."""


NOBODY_OBJECTS = {
    "issue in spite of a refusal": "it lapses after 30 days",
    "let a unit's code count that fails its check": "it lapses after 30 days",
    "enact a bylaw": "it lapses after 30 days",
}
"""Acts whose proposals one no does not end. Whoever builds that takes the line away."""


@dataclass(frozen=True)
class Declared:
    """An act as its domain declares it, and the conversation by which its tests bring it about."""

    room: str
    act: TwoPeople
    conversation: Conversation


def declared() -> Iterator[tuple[str, TwoPeople]]:
    """Each `TWO_PEOPLE` in the domain of a service, with the module that it stands in."""
    for path in sorted((ROOT / "services").glob("*/domain/**/*.py")):
        if "TWO_PEOPLE" in path.read_text():
            room = str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
            for act in getattr(importlib.import_module(room), "TWO_PEOPLE", ()):
                yield room, act


def conversations(service: str) -> dict[str, Conversation]:
    """The `CONVERSATIONS` in tests/services/<service>/two_people.py, by the act that they bring about."""
    name = f"tests.services.{service}.two_people"
    if find_spec(f"tests.services.{service}") is None or find_spec(name) is None:
        return {}
    return {one.act: one for one in importlib.import_module(name).CONVERSATIONS}


ALL = [(room, act, conversations(room.split(".")[1]).get(act.act)) for room, act in declared()]
ACTS = [Declared(room, act, conversation) for room, act, conversation in ALL if conversation is not None]
each_act = pytest.mark.parametrize("one", ACTS, ids=[one.act.act for one in ACTS])


@pytest.mark.requirement("R169")
def test_every_act_that_takes_two_people_is_declared_or_cannot_be_done_at_all() -> None:
    built = [act.act for _, act, _ in ALL]
    assert sorted(built) == sorted(set(built)), "an act is declared once"
    assert set(built) | NOT_BUILT.keys() == WANTED
    assert not set(built) & NOT_BUILT.keys(), "what is built is not missing any more: take its line away"


def test_every_declared_act_has_a_conversation_that_brings_it_about() -> None:
    silent = [f"{room}: {act.act}" for room, act, conversation in ALL if conversation is None]
    assert not silent, "write it into tests/services/<service>/two_people.py"


@each_act
@pytest.mark.requirement("R169")
def test_two_people_can_do_it_together_and_both_are_written_down(one: Declared) -> None:
    done = list(acts_done(one.act, one.conversation, one.conversation.said))
    assert done, "this conversation never comes to the act, so the tests beside this one would show nothing"
    for command, fact in done:
        eyes = eyes_of(fact)
        assert eyes is not None
        assert {eyes.proposed_by, eyes.approved_by} == {ONE, OTHER}
        assert command.by == eyes.approved_by, "it happens by the approval, not by the proposal"


@each_act
@pytest.mark.requirement("R169")
@settings(max_examples=300)
@for_all(st.data())
def test_one_person_alone_never_completes_it(one: Declared, data: st.DataObject) -> None:
    hand = data.draw(st.sampled_from([ONE, NOBODY]))
    said = data.draw(by_one_hand(one.conversation, hand))
    assert not list(acts_done(one.act, one.conversation, said))


@each_act
@pytest.mark.requirement("R169")
@settings(max_examples=300)
@for_all(st.data())
def test_however_it_comes_about_two_people_are_written_down(one: Declared, data: st.DataObject) -> None:
    """Two people, talking at random: what happens was seen by both."""
    words = [*one.conversation.said, *one.conversation.also]
    said = data.draw(
        st.lists(
            st.tuples(st.sampled_from(words), st.sampled_from([ONE, OTHER, NOBODY])).map(
                lambda pair: replace(pair[0], by=pair[1]) if hasattr(pair[0], "by") else pair[0]
            ),
            max_size=12,
        )
    )
    for command, fact in acts_done(one.act, one.conversation, said):
        eyes = eyes_of(fact)
        assert eyes is not None
        assert command.by == eyes.approved_by != eyes.proposed_by


def test_what_was_proposed_can_be_objected_to_or_it_is_said_why_not() -> None:
    assert {one.act.act for one in ACTS if one.conversation.objection is None} == NOBODY_OBJECTS.keys()


OBJECTED = [one for one in ACTS if one.conversation.objection is not None]
each_that_can_be_objected_to = pytest.mark.parametrize("one", OBJECTED, ids=[one.act.act for one in OBJECTED])


@each_that_can_be_objected_to
@pytest.mark.requirement("R169")
@pytest.mark.parametrize("by", [ONE, OTHER], ids=["whoever proposed it", "another"])
def test_one_no_ends_what_waits_and_said_twice_changes_nothing(one: Declared, by: Any) -> None:
    proposal, approval = one.conversation.said[:2]
    no, decide = replace(one.conversation.objection, by=by), one.act.decider.decide
    stands = after(one.act, one.conversation, proposal, no)
    assert not decide(no, stands)
    with pytest.raises(ProposalOvertaken):
        decide(approval, stands)


@each_that_can_be_objected_to
@pytest.mark.requirement("R169")
def test_a_no_comes_too_late_for_what_another_has_approved(one: Declared) -> None:
    """Whoever objects is told so, for they would believe that it has been stopped."""
    proposal, approval = one.conversation.said[:2]
    stands = after(one.act, one.conversation, proposal, approval)
    with pytest.raises(ProposalOvertaken):
        one.act.decider.decide(one.conversation.objection, stands)


@each_that_can_be_objected_to
def test_a_no_is_somebody_s_and_to_something(one: Declared) -> None:
    no, decide = one.conversation.objection, one.act.decider.decide
    stands = after(one.act, one.conversation, one.conversation.said[0])
    with pytest.raises(HandUnnamed):
        decide(replace(no, by=NOBODY), stands)
    with pytest.raises(ProposalUnknown):
        decide(replace(no, proposal_id=ProposalId("nothing that was proposed")), stands)
