"""Where people look into taps that nobody books silently, and rule on them."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from libs.kernel.foureyes import HandUnnamed, ProposalId, ProposalLapsed, ProposalOvertaken, ProposalUnknown, SameHand
from libs.ledger.auditor import MoneyHalted
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.wallet.domain.naming import TapCaseId
from services.wallet.domain.tapcase import decider as tap_cases
from services.wallet.domain.tapcase.commands import ApproveRuling, DeclineRuling, RuleOnTap
from services.wallet.domain.tapcase.state import Cases
from services.wallet.domain.taps.tap import Class, Ruling
from services.wallet.routes.bodies import ApprovalBody, NothingToAdd, ObjectionBody, RulingBody
from services.wallet.routes.books import CursorUnreadable, Page
from services.wallet.routes.hands import Hands
from services.wallet.routes.taps import NotClearedHere, TapCounter
from services.wallet.views import (
    GapsView,
    GapView,
    JudgedView,
    JudgementView,
    TapCasesView,
    TapCaseView,
    tap_case_view,
    tap_cases_view,
)

CasePath = Annotated[
    str, Path(max_length=40, description="City, sender, file and line of the record: `330900-zs-bus-12-204`.")
]
Cursor = Annotated[str, Query(max_length=40, description="`next` of the page before; empty for the first page.")]


def cases(routes: APIRouter, hands: Hands, counter: TapCounter) -> None:
    """Open the desk for taps."""

    @routes.get(
        "/v1/tap-cases",
        responses=refusals(CursorUnreadable, NotClearedHere),
        dependencies=[allowed("wallet:look-at-cases")],
    )
    async def which_taps_must_be_looked_into(
        call: Call,
        standing: Annotated[Class | None, Query(description="Only cases of this class.")] = None,
        after: Cursor = "",
        limit: Page = 100,
    ) -> TapCasesView:
        """Open cases of one's own city, those of the oldest file first, each with its reason."""
        city = call.caller.city
        call.allow(city=city)
        found = await counter.cases_kept.open(city, standing, _place(after), limit)
        return tap_cases_view([case for case, _ in found], found[-1][1] if len(found) == limit else None)

    @routes.get(
        "/v1/tap-cases/{case_id}",
        responses=refusals(tap_cases.TapCaseUnknown, NotClearedHere),
        dependencies=[allowed("wallet:look-at-cases")],
    )
    async def how_a_case_stands(case_id: CasePath, call: Call) -> TapCaseView:
        """The record, why it is a case, which others stand against it, and what is proposed or ruled."""
        call.allow(city=city_in(case_id))
        case = await counter.cases_kept.case(case_id)
        standing = await hands.desks["tapcase"].standing(case.counter_id)
        return await seen(case_id, standing.state)

    @routes.post(
        "/v1/tap-cases/{case_id}/rulings",
        status_code=201,
        responses=refusals(
            tap_cases.TapCaseUnknown, tap_cases.NoCaseAnyMore, tap_cases.AlreadyRuled, tap_cases.CardDidNotSign,
            tap_cases.MerchantNotKnown, tap_cases.PurseNotKnown, tap_cases.CounterChargedAlready, HandUnnamed,
            NotClearedHere, MoneyHalted,
        ) | {202: {"model": TapCaseView, "description": "It waits for a second person."}},
        dependencies=[allowed("wallet:rule-on-taps")],
    )  # fmt: skip
    async def rule_on_a_tap(case_id: CasePath, said: RulingBody, call: Call, response: Response) -> TapCaseView:
        """Book it, throw it out, or charge it to the issuer, once. Where money moves, another person must approve."""
        call.allow(city=city_in(case_id))
        counter_id = (await counter.cases_kept.case(case_id)).counter_id

        async def ask(_now: Cases, at: datetime) -> RuleOnTap:
            case = await counter.cases_kept.case(case_id)
            return RuleOnTap(
                counter_id=case.counter_id,
                case_id=case.case_id,
                standing=case.standing,
                payee_known=case.merchant is not None,
                purse_known=case.purse_open,
                amount_fen=case.fen,
                ruling=Ruling(said.ruling),
                reason=said.reason,
                evidence=said.evidence,
                proposal_id=call.proposal_id,
                by=call.hand,
                at=at,
            )

        now = await hands.decide("tapcase", counter_id, ask, call, reason=said.reason)
        shown = await carried_out(case_id, now)
        if shown.status == "proposed":
            response.status_code = 202
        return shown

    @routes.post(
        "/v1/tap-cases/{case_id}/approvals",
        status_code=201,
        responses=refusals(
            tap_cases.TapCaseUnknown, HandUnnamed, SameHand, ProposalUnknown, ProposalLapsed, ProposalOvertaken,
            NotClearedHere, MoneyHalted,
        ),
        dependencies=[allowed("wallet:rule-on-taps")],
    )  # fmt: skip
    async def approve_a_ruling(case_id: CasePath, said: ApprovalBody, call: Call) -> TapCaseView:
        """Let be so what somebody else has proposed, if the record still stands as it did."""
        call.allow(city=city_in(case_id))
        counter_id = (await counter.cases_kept.case(case_id)).counter_id

        async def ask(_now: Cases, at: datetime) -> ApproveRuling:
            case = await counter.cases_kept.case(case_id)
            return ApproveRuling(
                counter_id=case.counter_id,
                case_id=case.case_id,
                standing=case.standing,
                proposal_id=ProposalId(said.proposal_id),
                by=call.hand,
                at=at,
            )

        return await carried_out(case_id, await hands.decide("tapcase", counter_id, ask, call))

    @routes.post(
        "/v1/tap-cases/{case_id}/objections",
        status_code=201,
        responses=refusals(
            tap_cases.TapCaseUnknown, HandUnnamed, ProposalUnknown, ProposalOvertaken, NotClearedHere, MoneyHalted
        ),
        dependencies=[allowed("wallet:rule-on-taps")],
    )
    async def object_to_a_ruling(case_id: CasePath, said: ObjectionBody, call: Call) -> TapCaseView:
        """Say no to what somebody else has proposed, or take back what you proposed yourself; the case stays open."""
        call.allow(city=city_in(case_id))
        case = await counter.cases_kept.case(case_id)

        def ask(_now: Cases, at: datetime) -> DeclineRuling:
            return DeclineRuling(
                counter_id=case.counter_id,
                case_id=case.case_id,
                proposal_id=ProposalId(said.proposal_id),
                reason=said.reason,
                by=call.hand,
                at=at,
            )

        return await seen(case_id, await hands.decide("tapcase", case.counter_id, ask, call, reason=said.reason))

    @routes.post(
        "/v1/tap-judgements",
        status_code=201,
        responses=refusals(NotClearedHere, MoneyHalted),
        dependencies=[allowed("wallet:rule-on-taps")],
    )
    async def judge_parked_taps_again(said: NothingToAdd, call: Call) -> JudgementView:
        """Judge taps again of which the city may know more by now: parked ones whose terminal or card was not known,
        whose terminal had been retired, and those after a report of loss. The rules then do what they always do."""
        city = call.caller.city
        call.allow(city=city)
        hands.auditor.refuse_if_drifting()
        rules = counter.bylaws.at(city, hands.city.now())
        judged = await counter.cases_kept.judge_again(str(call.command_id), rules)
        return JudgementView(
            judged=[JudgedView(was=one.was, now=one.now, records=one.records, fen=one.fen) for one in judged]
        )

    @routes.get(
        "/v1/tap-gaps",
        responses=refusals(CursorUnreadable, NotClearedHere),
        dependencies=[allowed("wallet:look-at-cases")],
    )
    async def which_taps_are_missing(call: Call, after: Cursor = "") -> GapsView:
        """Purchase counters that have not come yet; a gap closes by itself when they come. A page looks through so many
        taps, and may find no gap among them: go on while there is a `next`."""
        city = call.caller.city
        call.allow(city=city)
        if not re.fullmatch("[0-9]{0,19}", after):
            raise CursorUnreadable
        gaps, next_ = await counter.cases_kept.gaps(city, int(after or 0))
        return GapsView(
            gaps=[
                GapView(
                    card=str(one.card), from_counter=one.from_counter, to_counter=one.to_counter, seen_at=one.seen_at
                )
                for one in gaps
            ],
            next="" if next_ is None else str(next_),
        )

    async def carried_out(case_id: str, now: Cases) -> TapCaseView:
        """The books follow before the answer is given; if that fails, the timer sees to it."""
        if (fact := now.ruled.get(TapCaseId(case_id))) is not None:
            rules = counter.bylaws.at(city_in(case_id), hands.city.now())
            await counter.cases_kept.carry_out(case_id, fact.ruling, rules)
        return await seen(case_id, now)

    async def seen(case_id: str, now: Cases) -> TapCaseView:
        rules = counter.bylaws.at(city_in(case_id), hands.city.now())
        case = await counter.cases_kept.case(case_id)
        return tap_case_view(case, now, await counter.cases_kept.rivals(case_id, rules))


def city_in(case_id: str) -> str:
    return case_id.partition("-")[0]


def _place(cursor: str) -> tuple[int, int]:
    if not cursor:
        return 0, 0
    found = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", cursor)
    if found is None:
        raise CursorUnreadable
    return int(found[1]), int(found[2])
