"""What every set of books promises; the twin in memory and PostgreSQL pass the same tests."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.eventsourcing.store import SHARDS, Append, Appended, Conflict, Declined, NewFact, Replayed
from libs.eventsourcing.wholesale import append_many
from libs.ledger import guards
from libs.ledger.entry import Balance, Booking, Entry, Guard, Ledger, Post, Posted, Posting, Standing
from libs.testing.clocks import NOON
from libs.testing.store_contract import WRITTEN_AT, asked, key_in, published, stored

HERS, HIS = "online:hers", "online:his"
BUS, HALL = "merchant:bus", "channel:hall"
CARD = "card.1"


def paid_in(reference: str, amount_fen: int, to: str = HERS, most_fen: int | None = None) -> Entry:
    """Money from a hall's till onto an account."""
    guard = Guard(least_fen=None, most_fen=most_fen)
    return Entry(reference, "top-up", (Posting(HALL, -amount_fen), Posting(to, amount_fen, guard=guard)))


def paid(reference: str, amount_fen: int, by: str = HERS, to: str = BUS, **asked_of_it: object) -> Entry:
    """Money from an account to a merchant."""
    guard = replace(Guard(), **asked_of_it)  # type: ignore[arg-type]
    return Entry(reference, "payment", (Posting(by, -amount_fen, guard=guard), Posting(to, amount_fen)))


def held(reference: str, amount_fen: int, by: str = HERS) -> Entry:
    """Money put aside for somebody, and not yet given; less than nothing releases it."""
    return Entry(reference, "hold", (Posting(by, 0, amount_fen, Guard()),))


def post(entry: Entry, key: str = "hers", **other: object) -> Post:
    return replace(Post(routing_key=key, at=NOON, entry=entry), **other)  # type: ignore[arg-type]


def booked(command: object, *entries: Entry, stream: str = "", **other: object) -> Append:
    """A command with one fact and these entries."""
    booking = Booking(entries=entries, standings=tuple(other.pop("standings", ())))  # type: ignore[arg-type]
    return replace(asked(command, stream or f"payment-{command}"), booking=booking, routing_key="hers", **other)  # type: ignore[arg-type]


async def opened(ledger: Ledger, *standings: Standing) -> None:
    for standing in standings:
        outcome = await ledger.append(booked(f"open {standing}", standings=[standing]))
        assert isinstance(outcome, Appended)


class LedgerContract:
    """Entries, guards, balances, statements and audit, as `Ledger` promises them."""

    @pytest.fixture
    async def books(self, ledger: Ledger) -> Ledger:
        """Two accounts, hers with a hundred yuan."""
        await opened(ledger, Standing(HERS, CARD), Standing(HIS, CARD))
        assert await ledger.post(post(paid_in("cash-1", 10_000))) == Posted()
        return ledger

    # -- entries

    async def test_an_entry_is_booked_on_all_its_legs(self, books: Ledger) -> None:
        assert await books.post(post(paid("p-1", 180))) == Posted()
        assert await books.balances([HERS, BUS, HALL, "merchant:nobody"]) == {
            HERS: Balance(9_820), BUS: Balance(180), HALL: Balance(-10_000), "merchant:nobody": Balance(),
        }  # fmt: skip

    async def test_a_reference_happens_once_however_often_it_is_said(self, books: Ledger) -> None:
        said = post(paid("p-1", 180))
        assert await books.post(said) == Posted()
        assert await books.post(said) == Posted(again=True)
        assert await books.post(replace(said, at=NOON + timedelta(days=1))) == Posted(again=True)
        assert (await books.balances([BUS]))[BUS] == Balance(180)

    async def test_the_same_reference_with_another_body_is_refused(self, books: Ledger) -> None:
        await books.post(post(paid("p-1", 180)))
        for other in (paid("p-1", 181), paid("p-1", 180, to="merchant:metro"), paid_in("p-1", 180)):
            assert await books.post(post(other)) == Declined(guards.REFERENCE_REUSED, "p-1")
        assert (await books.balances([BUS]))[BUS] == Balance(180)

    async def test_one_reference_said_by_many_at_once_happens_once(self, books: Ledger) -> None:
        """Also where they say it for different shards, on different lanes."""
        said = [post(paid_in("once", 100), key=key_in(shard)) for shard in (0, 0, 1, 1, 2, 3)]
        outcomes = await asyncio.gather(*map(books.post, said))
        assert Counter(outcomes) == {Posted(): 1, Posted(again=True): 5}
        assert (await books.balances([HERS]))[HERS] == Balance(10_100)

    @pytest.mark.parametrize("amount_fen", [10**15, -(10**15)])
    async def test_the_largest_amounts_are_booked_to_the_fen(self, books: Ledger, amount_fen: int) -> None:
        huge = Entry("huge", "adjustment", (Posting(BUS, amount_fen), Posting("merchant:x", -amount_fen)))
        await books.post(post(huge))
        assert (await books.balances([BUS]))[BUS] == Balance(amount_fen)

    # -- guards

    async def test_nobody_pays_what_she_has_not(self, books: Ledger) -> None:
        assert await books.post(post(paid("p-1", 10_001))) == Declined(guards.FUNDS_SHORT, HERS)
        assert await books.post(post(paid("p-2", 10_000))) == Posted()
        assert await books.post(post(paid("p-3", 1))) == Declined(guards.FUNDS_SHORT, HERS)

    async def test_what_is_held_cannot_be_spent(self, books: Ledger) -> None:
        await books.post(post(held("h-1", 6_000)))
        assert await books.post(post(paid("p-1", 4_001))) == Declined(guards.FUNDS_SHORT, HERS)
        assert await books.post(post(held("h-2", 4_001))) == Declined(guards.FUNDS_SHORT, HERS)
        assert await books.post(post(paid("p-2", 4_000))) == Posted()
        assert (await books.balances([HERS]))[HERS] == Balance(6_000, 6_000)

    async def test_no_more_is_released_than_is_held(self, books: Ledger) -> None:
        await books.post(post(held("h-1", 100)))
        assert await books.post(post(held("r-1", -101))) == Declined(guards.HOLD_SHORT, HERS)
        assert await books.post(post(held("r-2", -100))) == Posted()

    async def test_a_cap_counts_what_is_held(self, books: Ledger) -> None:
        await books.post(post(held("h-1", 9_000)))
        assert await books.post(post(paid_in("c-2", 1, most_fen=10_000))) == Declined(guards.ABOVE_CAP, HERS)
        assert await books.post(post(paid_in("c-3", 1, most_fen=10_001))) == Posted()

    async def test_an_account_that_was_never_opened_moves_nothing(self, books: Ledger) -> None:
        assert await books.post(post(paid_in("c-2", 1, to="online:x"))) == Declined(guards.ACCOUNT_UNKNOWN, "online:x")

    async def test_a_stopped_account_pays_nothing_from_that_moment_until_the_hour_that_was_set(
        self, books: Ledger
    ) -> None:
        hour = timedelta(hours=1)
        stopped = Standing(HERS, CARD, stopped_from=NOON, stopped_until=NOON + hour)
        await opened(books, stopped)
        assert await books.standing(HERS) == stopped
        moments = {-hour: True, timedelta(0): False, hour - timedelta(milliseconds=1): False, hour: True}
        for nth, (later, may) in enumerate(moments.items()):
            outcome = await books.post(post(paid(f"p-{nth}", 1, in_use=True), at=NOON + later))
            assert outcome == (Posted() if may else Declined(guards.ACCOUNT_STOPPED, HERS)), later

    async def test_an_account_without_an_end_of_its_stop_stays_stopped(self, books: Ledger) -> None:
        await opened(books, Standing(HERS, CARD, stopped_from=NOON))
        later = NOON + timedelta(days=36_500)
        assert await books.post(post(paid("p", 1, in_use=True), at=later)) == Declined(guards.ACCOUNT_STOPPED, HERS)
        assert await books.post(post(paid("q", 1), at=later)) == Posted(), "who does not ask for use gets none checked"

    async def test_an_account_is_open_before_its_last_moment_and_not_at_it(self, books: Ledger) -> None:
        await opened(books, Standing(HERS, CARD, open_until=NOON))
        before = NOON - timedelta(milliseconds=1)
        assert await books.post(post(paid("p-1", 1, in_use=True), at=before)) == Posted()
        assert await books.post(post(paid("p-2", 1, in_use=True))) == Declined(guards.ACCOUNT_STOPPED, HERS)

    async def test_an_account_is_used_with_the_card_that_it_belongs_to(self, books: Ledger) -> None:
        assert await books.post(post(paid("p-1", 1, bearer="card.0"))) == Declined(guards.OTHER_BEARER, HERS)
        assert await books.post(post(paid("p-2", 1, bearer=CARD))) == Posted()

    async def test_accounts_without_a_guard_may_stand_below_nothing(self, books: Ledger) -> None:
        assert (await books.balances([HALL]))[HALL] == Balance(-10_000)

    # -- with a command

    async def test_facts_and_entries_are_stored_together(self, books: Ledger) -> None:
        facts, _, _ = await stored(books)
        wanted = booked("a", paid("p-1", 180), messages=[published()])
        assert await books.append(wanted) == Appended(1)
        assert await stored(books) == (facts + 1, 1, 0)
        assert (await books.balances([BUS]))[BUS] == Balance(180)

    async def test_a_declined_command_leaves_nothing(self, books: Ledger) -> None:
        before = await stored(books)
        wanted = booked("a", paid("p-1", 1), paid("p-2", 10_000), messages=[published()])
        assert await books.append(wanted) == Declined(guards.FUNDS_SHORT, HERS)
        assert await stored(books) == before
        assert await books.find(wanted.command_id) is None
        assert await books.balances([HERS, BUS]) == {HERS: Balance(10_000), BUS: Balance()}
        assert await books.post(post(paid("p-1", 1))) == Posted(), "its references are free"

    async def test_a_declined_command_opens_no_account(self, books: Ledger) -> None:
        wanted = booked("a", paid("p-1", 10_001), standings=[Standing("online:new", CARD)])
        assert await books.append(wanted) == Declined(guards.FUNDS_SHORT, HERS)
        assert await books.standing("online:new") is None

    async def test_a_command_said_twice_books_once(self, books: Ledger) -> None:
        wanted = booked("a", paid("p-1", 180))
        assert [await books.append(wanted) for _ in range(3)] == [
            Appended(1), Replayed(1, "payment-a"), Replayed(1, "payment-a"),
        ]  # fmt: skip
        assert (await books.balances([BUS]))[BUS] == Balance(180)

    async def test_a_command_decided_on_another_version_books_nothing(self, books: Ledger) -> None:
        await books.append(booked("a", paid("p-1", 180), stream="payment-x"))
        late = booked("b", paid("p-2", 180), stream="payment-x")
        assert await books.append(late) == Conflict(1)
        assert (await books.balances([BUS]))[BUS] == Balance(180)

    async def test_another_command_cannot_use_a_reference_again_not_even_with_the_same_body(
        self, books: Ledger
    ) -> None:
        await books.append(booked("a", paid("p-1", 180)))
        assert await books.append(booked("b", paid("p-1", 180))) == Declined(guards.REFERENCE_REUSED, "p-1")
        assert (await books.balances([BUS]))[BUS] == Balance(180)

    async def test_a_command_without_a_booking_is_like_any_other(self, books: Ledger) -> None:
        assert await books.append(asked("plain", facts=2)) == Appended(2)

    async def test_many_commands_in_one_instant_are_each_judged_alone(self, books: Ledger) -> None:
        """Some can pay, some cannot, some are conflicts, some only note something."""

        def wanted(nth: int) -> Append:
            account = f"online:{nth}"
            match nth % 4:
                case 0:
                    return booked(nth, paid(f"p-{nth}", 50, by=account))
                case 1:
                    return booked(nth, paid(f"p-{nth}", 51, by=account))
                case 2:
                    return replace(booked(nth, paid(f"p-{nth}", 50, by=account)), expected=7)
            return replace(booked(nth), booking=None, facts=[NewFact("noted", "{}")])

        accounts = [f"online:{nth}" for nth in range(64)]
        await asyncio.gather(*(opened(books, Standing(account, CARD)) for account in accounts))
        await asyncio.gather(*(books.post(post(paid_in(f"c-{a}", 50, to=a), key=a)) for a in accounts))
        outcomes = await asyncio.gather(*(books.append(wanted(nth)) for nth in range(64)))
        expected = [Appended(1), Declined(guards.FUNDS_SHORT, ""), Conflict(0), Appended(1)]
        assert [replace(one, what="") if isinstance(one, Declined) else one for one in outcomes] == expected * 16
        balances = await books.balances([*accounts, BUS])
        assert balances[BUS] == Balance(16 * 50)
        assert [balances[a].balance_fen for a in accounts] == [0, 50, 50, 50] * 16

    async def test_a_wholesale_append_books_as_one_by_one(self, books: Ledger) -> None:
        batch = [
            booked("a", paid("p-1", 180)),
            replace(booked("b"), booking=None),
            booked("c", paid("p-2", 10_001)),
            booked("d", paid("p-3", 20)),
        ]
        outcomes = [Appended(1), Appended(1), Declined(guards.FUNDS_SHORT, HERS), Appended(1)]
        assert [*await append_many(books, batch)] == outcomes
        assert await books.balances([HERS, BUS]) == {HERS: Balance(9_800), BUS: Balance(200)}

    # -- many at once

    async def test_callers_of_one_account_never_overdraw_it(self, books: Ledger) -> None:
        outcomes = await asyncio.gather(*(books.post(post(paid(f"p-{nth}", 300))) for nth in range(64)))
        assert Counter(type(one) for one in outcomes) == {Posted: 33, Declined: 31}
        assert await books.balances([HERS, BUS]) == {HERS: Balance(100), BUS: Balance(9_900)}

    async def test_two_who_pay_each_other_crosswise_are_both_served(self, books: Ledger) -> None:
        """They lock the same two accounts; whoever locked them in the order of naming would wait for ever."""
        await books.post(post(paid_in("cash-2", 10_000, to=HIS)))

        def crosswise(nth: int) -> Post:
            one, other = (HERS, HIS) if nth % 2 else (HIS, HERS)
            legs = (Posting(one, -10, guard=Guard()), Posting(other, 10, guard=Guard()))
            return post(Entry(f"x-{nth}", "move", legs), key=key_in(nth % 2))

        assert set(await asyncio.gather(*(books.post(crosswise(nth)) for nth in range(40)))) == {Posted()}
        assert await books.balances([HERS, HIS]) == {HERS: Balance(10_000), HIS: Balance(10_000)}

    async def test_a_pile_without_a_row_is_judged_by_what_was_booked_on_it(self, books: Ledger) -> None:
        pile, most, least = "suspense:pile", Guard(least_fen=None, most_fen=0, folded=True), Guard(folded=True)

        def taken(reference: str, fen: int, guard: Guard) -> Post:
            return post(Entry(reference, "write-off", (Posting(pile, fen, guard=guard), Posting(BUS, -fen))))

        await books.post(post(Entry("lost", "taps", (Posting(pile, -500), Posting(BUS, 500)))))
        assert await books.post(taken("w-1", 501, most)) == Declined(guards.ABOVE_CAP, pile)
        assert await books.post(taken("w-2", 300, most)) == Posted()
        await books.fold(1_000)
        assert await books.post(taken("w-3", 201, most)) == Declined(guards.ABOVE_CAP, pile)
        assert await books.append(booked("w-4", taken("w-4", 200, most).entry)) == Appended(1)
        assert await books.post(taken("w-5", -1, least)) == Declined(guards.FUNDS_SHORT, pile)
        assert (await books.balances([pile]))[pile] == Balance(0)
        assert (await books.audit()).sound

    async def test_of_many_who_write_off_one_pile_at_once_no_more_succeed_than_lies_there(self, books: Ledger) -> None:
        pile, guard = "suspense:pile", Guard(least_fen=None, most_fen=0, folded=True)
        await books.post(post(Entry("lost", "taps", (Posting(pile, -500), Posting(BUS, 500)))))
        written_off = (
            post(Entry(f"w-{nth}", "write-off", (Posting(pile, 200, guard=guard), Posting(BUS, -200))), key_in(nth))
            for nth in range(20)
        )
        outcomes = await asyncio.gather(*map(books.post, written_off))
        assert Counter(type(one) for one in outcomes) == {Posted: 2, Declined: 18}
        assert (await books.balances([pile]))[pile] == Balance(-100)

    # -- reading

    async def test_a_statement_is_read_page_by_page(self, books: Ledger) -> None:
        for nth in range(5):
            await books.post(post(paid(f"p-{nth}", nth + 1)))
        first = await books.statement(HERS, limit=4)
        rest = await books.statement(HERS, (first[-1].shard, first[-1].position))
        assert [line.reference for line in (*first, *rest)] == ["cash-1", *(f"p-{nth}" for nth in range(5))]
        assert [line.amount_fen for line in (*first, *rest)] == [10_000, -1, -2, -3, -4, -5]
        assert {line.others for line in first[1:]} == {(BUS,)}
        assert [line.amount_fen for line in await books.statement(BUS)] == [1, 2, 3, 4, 5]

    async def test_a_line_names_all_other_accounts_however_many(self, books: Ledger) -> None:
        payers = tuple(Posting(f"suspense:{nth}", -1) for nth in range(12))
        await books.post(post(Entry("shared", "fare", (*payers, Posting(BUS, 12)))))
        (of_bus,), (of_third,) = await books.statement(BUS), await books.statement("suspense:2")
        assert of_bus.others == tuple(posting.account for posting in payers)
        assert of_third.others == tuple(
            posting.account for posting in (*payers, Posting(BUS, 12)) if posting != payers[2]
        )

    async def test_the_journal_is_gap_free_and_says_all(self, books: Ledger) -> None:
        entry = paid("p-1", 180)
        await books.post(post(entry))
        shard = post(entry).shard
        first, second = await books.journal(shard, 0, 10)
        assert [first.position, second.position] == [1, 2]
        assert (second.reference, second.kind, second.digest) == ("p-1", "payment", entry.digest)
        assert (second.at, second.recorded_at) == (NOON, WRITTEN_AT)
        assert (second.accounts, second.amounts_fen, second.held_fen) == ((HERS, BUS), (-180, 180), (0, 0))
        assert [*await books.journal(shard, 1, 10)] == [second]

    async def test_folding_changes_no_balance(self, books: Ledger) -> None:
        for shard in range(SHARDS):
            await books.post(post(paid_in(f"c-{shard}", 1), key=key_in(shard)))
        before = await books.balances([HERS, HALL])
        assert before[HALL] == Balance(-10_064)
        assert await books.fold(1) == 64
        assert await books.balances([HERS, HALL]) == before
        assert await books.fold(100) == 1
        assert await books.fold(100) == 0
        assert await books.balances([HERS, HALL]) == before
        await books.post(post(paid("p-1", 10)))
        assert (await books.balances([BUS]))[BUS] == Balance(10)

    # -- audit

    async def test_right_books_pass_the_audit(self, books: Ledger) -> None:
        await books.append(booked("a", paid("p-1", 180), held("h-1", 20)))
        found = await books.audit()
        assert (found.entries, found.unbalanced, found.drifted, found.gaps, found.drift_fen) == (3, [], [], [], 0)
