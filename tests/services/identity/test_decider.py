"""What the city keeps of a person, and when it asks what follows from it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce

from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Due, Refused, Sealed
from libs.kernel.ids import derived
from libs.testing.conversation import given
from services.identity.domain.commands import (
    Command,
    DestroyKey,
    ErasePerson,
    JudgeEntitlements,
    RegisterPerson,
    RevealPersonalData,
    StateFact,
)
from services.identity.domain.decider import (
    DataErased,
    FactNotYours,
    PersonUnknown,
    ValidityReversed,
    due,
    person_desk,
)
from services.identity.domain.documents import Kind
from services.identity.domain.events import (
    ContactGiven,
    EntitlementJudged,
    FactStated,
    FunctionVerdict,
    Particulars,
    PersonalDataRevealed,
    PersonErased,
    PersonRegistered,
    Statement,
    Verdict,
)
from services.identity.domain.state import Known, Person
from services.ids import person_id

MORNING = datetime(2026, 10, 8, 1, 0, tzinfo=UTC)
NOON = MORNING + timedelta(hours=3)
TOMORROW_0H = datetime(2026, 10, 8, 16, 0, tzinfo=UTC)  # 0:00 in Shanghai
LI = person_id("330900", derived("Li"))
CLOSED = Particulars(
    name=Sealed(box="v1.k.name"),
    number=Sealed(box="v1.k.number"),
    issuer=Sealed(box="v1.k.issuer"),
    birth=Sealed(box="v1.k.birth"),
    mobile=Sealed(box="v1.k.mobile"),
)
POLICE = frozenset({"hukou", "residence", "moved_away"})

registered = PersonRegistered(person_id=LI, at=MORNING, document=Kind.ID_CARD, particulars=CLOSED, language="zh")
reachable = ContactGiven(person_id=LI, at=MORNING, mobile=CLOSED.mobile, language="zh")
lives_here = FactStated(
    person_id=LI,
    at=NOON,
    statement=Statement(
        fact="hukou",
        department="police",
        valid_from=date(2010, 5, 1),
        valid_to=None,
        ended=False,
        reference="HK-77",
        stated_at=NOON,
    ),
)
granted = Verdict(
    programme="citizen-card",
    granted=True,
    rule="hukou",
    article="city order 36",
    basis="has a registered household in Zhoushan",
    facts_used=("hukou (police)",),
    missing=(),
    functions=(FunctionVerdict(function="transit", granted=True, because="open to all", article="FAQ (8)"),),
    bylaws="edition-1",
)
judged = EntitlementJudged(person_id=LI, at=NOON, verdict=granted)
erased = PersonErased(person_id=LI, at=NOON, reason="own_request")

a_registration = RegisterPerson(person_id=LI, at=MORNING, document=Kind.ID_CARD, particulars=CLOSED, language="zh")
a_fact = StateFact(
    person_id=LI,
    at=NOON,
    fact="hukou",
    department="police",
    valid_from=date(2010, 5, 1),
    valid_to=None,
    ended=False,
    reference="HK-77",
    may_state=POLICE,
)
a_judgement = JudgeEntitlements(person_id=LI, at=NOON, verdicts=(granted,))
a_look = RevealPersonalData(person_id=LI, at=NOON, reason="correction")
an_erasure = ErasePerson(person_id=LI, at=NOON, reason="own_request")


def stated(**other: object) -> FactStated:
    return replace(lives_here, statement=replace(lives_here.statement, **other))  # type: ignore[arg-type]


def test_who_shows_a_document_is_known_and_can_be_reached() -> None:
    given(person_desk).when(a_registration).then(registered, reachable)


def test_the_same_document_shown_again_changes_nothing() -> None:
    given(person_desk, registered, reachable).when(replace(a_registration, at=NOON)).then()


def test_the_erased_do_not_come_back_under_their_old_id() -> None:
    given(person_desk, registered, erased).when(a_registration).refused(DataErased)


def test_a_department_says_what_is_its_own_to_say() -> None:
    given(person_desk, registered).when(a_fact).then(lives_here)


def test_a_department_does_not_say_what_is_another_s() -> None:
    given(person_desk, registered).when(replace(a_fact, fact="insured_employee")).refused(FactNotYours)


def test_nothing_is_kept_of_a_stranger() -> None:
    given(person_desk).when(a_fact).refused(PersonUnknown)
    given(person_desk, registered, erased).when(a_fact).refused(DataErased)


def test_a_fact_does_not_end_before_it_begins() -> None:
    given(person_desk, registered).when(replace(a_fact, valid_to=date(2010, 4, 30))).refused(ValidityReversed)


def test_the_same_statement_twice_changes_nothing() -> None:
    given(person_desk, registered, lives_here).when(replace(a_fact, at=TOMORROW_0H)).then()


def test_a_newer_statement_of_the_same_department_takes_the_place_of_the_old_one() -> None:
    newer = stated(valid_to=date(2026, 12, 31))
    person = person_desk.fold([registered, lives_here, newer])
    assert isinstance(person, Known)
    assert person.statements == (newer.statement,)


def test_departments_do_not_overrule_each_other() -> None:
    other = stated(department="education")
    person = person_desk.fold([registered, lives_here, other])
    assert isinstance(person, Known)
    assert person.statements == (lives_here.statement, other.statement)


def test_a_statement_holds_from_the_first_midnight_to_the_last_in_shanghai() -> None:
    said = stated(valid_from=date(2026, 10, 9), valid_to=date(2026, 10, 9)).statement
    second = timedelta(seconds=1)
    assert [said.holds(at) for at in (TOMORROW_0H - second, TOMORROW_0H)] == [False, True]
    next_0h = TOMORROW_0H + timedelta(days=1)
    assert [said.holds(at) for at in (next_0h - second, next_0h)] == [True, False]


def test_what_is_said_to_have_ended_holds_no_more() -> None:
    assert not stated(ended=True).statement.holds(NOON)
    assert stated(ended=True).statement.holds(NOON - timedelta(seconds=1))
    assert not stated(ended=True, valid_to=date(2026, 12, 31)).statement.holds(NOON)
    assert not stated(ended=True, valid_to=date(2020, 1, 1)).statement.holds(MORNING)


def test_verdicts_are_asked_for_at_once_when_somebody_is_registered() -> None:
    assert list(due(registered)) == [Due(MORNING, JudgeEntitlements(person_id=LI, at=MORNING))]


def test_verdicts_are_asked_for_when_a_fact_is_stated_when_it_begins_and_when_it_ends() -> None:
    fact = stated(valid_from=date(2026, 10, 9), valid_to=date(2026, 10, 9))
    assert [one.at for one in due(fact)] == [NOON, TOMORROW_0H, TOMORROW_0H + timedelta(days=1)]
    assert [one.at for one in due(lives_here)] == [NOON]


def test_a_late_timer_judges_the_hour_at_which_the_facts_turned() -> None:
    person = person_desk.fold([registered, stated(valid_from=date(2026, 10, 9))])
    assert isinstance(person, Known)
    assert person.turned_at(TOMORROW_0H - timedelta(seconds=1)) == NOON
    assert person.turned_at(TOMORROW_0H + timedelta(days=3)) == TOMORROW_0H


def test_a_verdict_is_kept_with_its_reasons() -> None:
    given(person_desk, registered, lives_here).when(a_judgement).then(judged)


def test_the_same_verdict_is_no_news_even_under_a_new_edition_of_the_bylaws() -> None:
    again = replace(a_judgement, at=TOMORROW_0H, verdicts=(replace(granted, bylaws="edition-2"),))
    given(person_desk, registered, lives_here, judged).when(again).then()


def test_another_reason_for_the_same_verdict_is_news() -> None:
    insured = replace(granted, rule="insured_employee", facts_used=("insured_employee (hrss)",))
    again = replace(a_judgement, verdicts=(insured,))
    given(person_desk, registered, lives_here, judged).when(again).then(replace(judged, verdict=insured))


def test_nothing_is_judged_of_the_erased() -> None:
    given(person_desk, registered, erased).when(a_judgement).then()


def test_every_look_at_the_data_leaves_a_trace() -> None:
    seen = PersonalDataRevealed(person_id=LI, at=NOON, reason="correction")
    given(person_desk, registered).when(a_look).then(seen)
    given(person_desk, registered, seen).when(a_look).then(seen)
    given(person_desk, registered, erased).when(a_look).refused(DataErased)


def test_an_erasure_is_decided_once_and_its_key_destroyed_by_the_city_itself() -> None:
    given(person_desk, registered, lives_here).when(an_erasure).then(erased)
    given(person_desk, registered, erased).when(an_erasure).then()
    given(person_desk).when(an_erasure).refused(PersonUnknown)
    assert list(due(erased)) == [Due(NOON, DestroyKey(person_id=LI))]
    given(person_desk, registered, erased).when(DestroyKey(person_id=LI)).then()


days = st.dates(date(2026, 9, 1), date(2026, 11, 30))
moments = st.integers(-30 * 24, 50 * 24).map(lambda hours: MORNING + timedelta(hours=hours))
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(replace, st.just(a_registration), at=moments),
    st.builds(
        replace,
        st.just(a_fact),
        at=moments,
        fact=st.sampled_from(["hukou", "moved_away", "study"]),
        valid_from=days,
        valid_to=st.none() | days,
        ended=st.booleans(),
    ),
    st.builds(
        replace,
        st.just(a_judgement),
        at=moments,
        verdicts=st.lists(st.builds(replace, st.just(granted), granted=st.booleans()), max_size=1).map(tuple),
    ),
    st.builds(replace, st.just(a_look), at=moments),
    st.just(DestroyKey(person_id=LI)),
    st.just(an_erasure),
)


def obey(person: Person, command: Command) -> Person:
    try:
        return person_desk.fold(person_desk.decide(command, person), person)
    except Refused:
        return person


@for_all(st.lists(commands), commands)
def test_any_command_may_be_said_twice(past: Sequence[Command], command: Command) -> None:
    person = reduce(obey, past, person_desk.initial)
    assert obey(obey(person, command), command) == obey(person, command)


@for_all(st.lists(commands), moments)
def test_what_holds_is_what_has_held_since_it_last_turned(past: Sequence[Command], at: datetime) -> None:
    person = reduce(obey, past, person_desk.initial)
    if isinstance(person, Known) and person.registered_at <= at:
        assert person.holding(person.turned_at(at)) == person.holding(at)
