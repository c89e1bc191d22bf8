"""The answers of the loss desk to "why?": each is made from the facts, and cites the entries that stand beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from libs.kernel import Missing, Unfit
from libs.kernel.calendar import SHANGHAI
from libs.kernel.ids import city_of
from libs.kernel.why import Cited, Decision, Ground, Said, Why, in_yuan
from services.ids import CardId
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.bylaw import Grounds, LossBylaw
from services.loss.domain.decider import RAN_OUT, loss_desk, struck_by
from services.loss.domain.events import (
    CancellationProposed,
    CardCancelled,
    CardSucceeded,
    Cooling,
    Event,
    LiftProposed,
    LossLapsed,
    LossLifted,
    LossPreReported,
    LossReported,
    NewCardDeclined,
    ProposalDeclined,
    ReissueOrdered,
    ReplacementOrdered,
    StopHastened,
)
from services.loss.domain.liability import SENTENCES, Rule, who_bears
from services.loss.domain.state import Desk, Hold, Proposal, Superseded

Report: TypeAlias = LossPreReported | LossReported
Order: TypeAlias = ReissueOrdered | ReplacementOrdered

_OF_A_CALL = ("pre_report_covers", "pre_report_window", "on_lapse", "own_clocks")
_OF_A_SIGNATURE = ("written_report_covers", "written_report_term")


class NotStopped(Missing):
    """The loss desk has not stopped {function} on card {card_id}; it has stopped: {stopped}."""


class FunctionNotNamed(Unfit):
    """Who bears a loss differs from function to function; name the one that was misused, as `function`."""


@dataclass(frozen=True)
class Case:
    """A card as it stood at a moment; `past` is what had happened by then, newest first, each with the desk before it.

    `now` is how its desk stands today. Without a `function`, any is meant.
    """

    card_id: CardId
    function: str
    at: datetime
    desk: Desk
    past: Sequence[tuple[Desk, Event]]
    now: Desk
    bylaws: LossBylaws

    @classmethod
    def of(cls, card_id: CardId, function: str, at: datetime, story: Sequence[Event], bylaws: LossBylaws) -> "Case":
        desk, past = loss_desk.initial, list[tuple[Desk, Event]]()
        by_then = [fact for fact in story if fact.at <= at]
        for fact in (*by_then, *struck_by(at, loss_desk.fold(by_then))):
            past.append((desk, fact))
            desk = loss_desk.evolve(desk, fact)
        return cls(
            card_id=card_id,
            function=function,
            at=at,
            desk=desk,
            past=past[::-1],
            now=loss_desk.fold(story),
            bylaws=bylaws,
        )

    @property
    def city(self) -> str:
        return city_of(self.card_id)

    @property
    def holds(self) -> Sequence[Hold]:
        """What stopped functions of this very card at that moment."""
        return self.desk.holds if getattr(self.desk.card, "card_id", None) == self.card_id else ()

    def means(self, functions: Sequence[str]) -> bool:
        """Whether it is asked about one of these."""
        return self.function in functions if self.function else bool(functions)

    def reports(self, card_id: CardId, lapses_at: datetime | None = None) -> Iterator[Report]:
        """Reports of a card that stopped the function, newest first; of those, if named, which run out at this hour."""
        for _, fact in self.past:
            if not isinstance(fact, LossPreReported | LossReported) or fact.card_id != card_id:
                continue
            if self.means([stop.function for stop in fact.stops]) and lapses_at in (None, fact.lapses_at):
                yield fact

    def order(self) -> Order | None:
        """The last new card that was applied for in place of this one."""
        orders = (fact for _, fact in self.past if isinstance(fact, ReissueOrdered | ReplacementOrdered))
        return next((one for one in orders if one.card_id == self.card_id), None)

    def grounds(self, named: Grounds, *rules: str) -> tuple[Ground, ...]:
        """Of the entries that a fact names, those of these rules, in the edition of its day."""
        refs = (ref for ref in named.articles if ref.partition("@")[0].rpartition(".")[2] in rules)
        return tuple(self.bylaws.ground(self.city, ref, named.edition) for ref in refs)

    def grounds_of(self, report: Report | None) -> tuple[Ground, ...]:
        """What a report stops, and how long it lasts."""
        if report is None:
            return ()
        return self.grounds(report.grounds, *(_OF_A_SIGNATURE if isinstance(report, LossReported) else _OF_A_CALL))

    def cited(self, by: Cited) -> tuple[Ground, ...]:
        return tuple(self.bylaws.ground(by.city, ref, by.edition) for ref in by.articles)

    def name(self, kind: str, of: str) -> Said:
        return self.bylaws.names(self.city).named(kind, of)

    def functions(self, functions: Sequence[str]) -> Said:
        """The function that is asked about, or all of these."""
        names = [self.name("function", one) for one in ([self.function] if self.function else functions)]
        return Said(zh="、".join(f"“{name.zh}”" for name in names), en=", ".join(name.en for name in names))

    def why(self, decision: Decision, said: Said, grounds: tuple[Ground, ...], at: datetime | None) -> Why:
        return Why(city=self.city, decision=decision, said=said, grounds=grounds, at=at)


def block(case: Case) -> Why:
    """The report that holds the function, or the lift after which it has not cooled yet. Raises NotStopped."""
    hold = next((one for one in case.holds if case.means([one.function])), None)
    report = next(replace(case, function=hold.function).reports(case.card_id), None) if hold is not None else None
    if hold is not None and report is not None:
        said = _held(hold, case.name("function", hold.function), for_good=isinstance(case.desk.card, Superseded))
        hastened = (fact for _, fact in case.past if isinstance(fact, StopHastened) and fact.at >= report.at)
        if any((fact.card_id, fact.function) == (case.card_id, hold.function) for fact in hastened):
            said = Said(zh=f"{said.zh}（终端已收存该卡）", en=f"{said.en} (a terminal has captured the card)")
        return case.why(Decision.BLOCK, said, case.grounds_of(report), report.at)
    for _, fact in case.past:
        match fact:
            case LossLifted(card_id=case.card_id):
                cools = [one for one in fact.cooling if case.means([one.function]) and case.at < one.until]
                if cools:
                    return _cooling(case, fact, cools[0])
    stopped = ", ".join(one.function for one in case.holds) or "nothing"
    raise NotStopped(card_id=case.card_id, function=case.function or "anything", stopped=stopped)


def _cooling(case: Case, fact: LossLifted, cools: Cooling) -> Why:
    name, lifted_at, until = case.name("function", cools.function), _hour(fact.at), _hour(cools.until)
    said = Said(
        zh=f"挂失已于{lifted_at}解除，“{name.zh}”功能自{until}起恢复",
        en=f"the report was lifted at {lifted_at}, and {name.en} works again from {until}",
    )
    return case.why(Decision.BLOCK, said, case.grounds(fact.grounds, "cooling_after_lift"), fact.at)


def _held(hold: Hold, name: Said, *, for_good: bool) -> Said:
    since, until = _hour(hold.from_), hold.lapses_at and _hour(hold.lapses_at)
    zh = f"持卡人已{'书面' if hold.signed else '电话'}挂失，“{name.zh}”功能自{since}起停用"
    en = f"reported lost {'in writing' if hold.signed else 'by telephone'}: {name.en} is stopped from {since}"
    if for_good:
        return Said(zh=f"{zh}，已申请新卡，不再恢复", en=f"{en} for good, for a new card was applied for")
    if until is None:
        return Said(zh=f"{zh}，至解挂或换发新卡为止", en=f"{en}, until the report is lifted or a new card works")
    if not hold.ends_card:
        return Said(zh=f"{zh}，至{until}自动恢复", en=f"{en}; at {until} it works again by itself")
    unless = ("解挂", "the report is lifted") if hold.signed else ("书面挂失", "it is signed for")
    return Said(zh=f"{zh}，至{until}未{unless[0]}则注销该卡", en=f"{en}; at {until} the card ends, unless {unless[1]}")


def deadline(case: Case) -> Why | None:
    """Until when the holder has time, by the last report; there is no such hour once a new card was applied for."""
    report = next(case.reports(case.card_id), None)
    if report is None or report.lapses_at is None:
        return None
    order = case.order()
    if isinstance(order, ReissueOrdered) and order.at >= report.at:
        return None
    until, what = _hour(report.lapses_at), case.functions([stop.function for stop in report.stops])
    if isinstance(report, LossReported):
        zh, en = (
            f"书面挂失至{until}有效，未解挂的",
            f"a written report holds until {until}; unless it is lifted by then,",
        )
    else:
        zh = f"电话挂失至{until}有效，未书面挂失的"
        en = f"a report by telephone holds until {until}; unless it is signed for by then,"
    if report.ends_card:
        said = Said(zh=f"{zh}，届时注销该卡", en=f"{en} the card ends")
    else:
        said = Said(zh=f"{zh}，届时自动恢复{what.zh}", en=f"{en} this works again by itself: {what.en}")
    if report.provisional:
        said = Said(
            zh=f"{said.zh}（该年工作日安排尚未公布，为暂定）",
            en=f"{said.en} (provisional: the working days of that year are not published yet)",
        )
    return case.why(Decision.DEADLINE, said, case.grounds_of(report), report.at)


def release(case: Case) -> Why | None:
    """Why it works again, or not yet: a report ran out, was lifted, waits for a second person, or met a no."""
    for before, fact in case.past:
        about = _lift_in_question(before, fact)
        if about is None or about.card_id != case.card_id:
            continue
        freed = [one for one in before.holds if not about.functions or one.function in about.functions]
        if not case.means([one.function for one in freed]):
            continue
        what = case.functions([one.function for one in freed])
        signed = any(one.signed for one in freed)
        match fact:
            case LossLapsed():
                return _lapsed(case, fact, what)
            case LossLifted():
                return _lifted(case, fact, what, signed=signed)
            case LiftProposed():
                until = _hour(fact.until)
                said = Said(
                    zh=f"已申请解挂，须于{until}前由另一人核准：{what.zh}",
                    en=f"the report is to be lifted, and another person must approve it by {until}: {what.en}",
                )
                return case.why(Decision.DEADLINE, said, case.grounds(fact.grounds, "lift", "proposals_stand"), fact.at)
            case ProposalDeclined() if isinstance(about, LiftProposed):
                said = _declined(fact, about, Said(zh="解挂", en="lift the report"))
                return case.why(Decision.REFUSAL, said, case.grounds(about.grounds, "lift"), fact.at)
    return None


def _lapsed(case: Case, fact: LossLapsed, what: Said) -> Why:
    report, hour = next(case.reports(fact.card_id, fact.at), None), _hour(fact.at)
    how = ("书面", "in writing") if isinstance(report, LossReported) else ("电话", "by telephone")
    said = Said(
        zh=f"{how[0]}挂失至{hour}期满失效，自该时起恢复：{what.zh}",
        en=f"the report {how[1]} ran out at {hour}, and from then this works again: {what.en}",
    )
    return case.why(Decision.DEADLINE, said, case.grounds_of(report), fact.at)


def _lifted(case: Case, fact: LossLifted, what: Said, *, signed: bool) -> Why:
    cools = [one.until for one in fact.cooling if case.means([one.function])]
    said = Said(
        zh=f"挂失已于{_hour(fact.at)}解除，恢复：{what.zh}",
        en=f"the report was lifted at {_hour(fact.at)}, and this works again: {what.en}",
    )
    if cools:
        last = _hour(max(cools))
        said = Said(zh=f"{said.zh}（至迟自{last}起）", en=f"{said.en} (from {last} at the latest)")
    rule = "lift" if signed else "lift_after_call"
    by = case.grounds(fact.grounds, rule) or case.grounds(fact.grounds, "lift")  # As for what was signed, if no other.
    cooling = case.grounds(fact.grounds, "cooling_after_lift") if cools else ()
    return case.why(Decision.GRANT, said, (*by, *cooling), fact.at)


def new_card(case: Case) -> Why | None:
    """By which rules a new card is made in place of this one; none, when it was then declined."""
    for _, fact in case.past:
        if isinstance(fact, NewCardDeclined) and fact.card_id == case.card_id:
            return None
        if isinstance(fact, ReissueOrdered) and fact.card_id == case.card_id:
            zh, en = "补领新卡，原卡不能再用", "a new card in place of the lost one, which can never be used again"
            if fact.warned:
                zh, en = f"{zh}；30日内补领过多，已记录在案", f"{en}; it is one too many within 30 days, and on record"
            rules = ("reissue_at", "reissues") if fact.warned else ("reissue_at",)
            return case.why(Decision.GRANT, Said(zh=zh, en=en), case.grounds(fact.grounds, *rules), fact.at)
        if isinstance(fact, ReplacementOrdered) and fact.card_id == case.card_id:
            reason = case.name("reason", fact.reason)
            said = Said(
                zh=f"换领新卡（{reason.zh}），新卡启用前原卡照常使用",
                en=f"a new card ({reason.en}); the old one works until it does",
            )
            rules = ("reissue_at", "replacement_reasons", *(("changes_first_at",) if fact.change_reference else ()))
            return case.why(Decision.GRANT, said, case.grounds(fact.grounds, *rules), fact.at)
    return None


def ending(case: Case) -> Why | None:
    """Why the card has ended, is about to, or does not end after all."""
    for before, fact in case.past:
        match fact:
            case CardSucceeded(old_card_id=case.card_id):
                said = Said(zh="新卡已启用，该卡同时终止", en="a new card works, and this one has ended with that")
                order = case.order()
                return case.why(
                    Decision.BLOCK, said, case.grounds(order.grounds, "reissue_at") if order else (), fact.at
                )
            case CardCancelled(card_id=case.card_id):
                return case.why(Decision.BLOCK, _ended(case, fact), _grounds_of_end(case, fact), fact.at)
            case CancellationProposed(card_id=case.card_id):
                until, reason = _hour(fact.until), case.name("reason", fact.reason)
                said = Said(
                    zh=f"已申请注销（{reason.zh}），须于{until}前由另一人核准",
                    en=f"the card is to end for good ({reason.en}), and another person must approve it by {until}",
                )
                rules = (*_given_back(fact), "proposals_stand")
                return case.why(Decision.DEADLINE, said, case.grounds(fact.grounds, *rules), fact.at)
            case ProposalDeclined(card_id=case.card_id):
                proposal = _proposal(before, fact)
                if isinstance(proposal, CancellationProposed):
                    said = _declined(fact, proposal, Said(zh="注销", en="end the card"))
                    grounds = case.grounds(proposal.grounds, *_given_back(proposal))
                    return case.why(Decision.REFUSAL, said, grounds, fact.at)
    return None


def _ended(case: Case, fact: CardCancelled) -> Said:
    reason = case.name("reason", fact.reason)
    if fact.with_card_id is not None:
        return Said(
            zh=f"原卡此前已注销（{reason.zh}），该卡随之终止",
            en=f"the card before it had ended for good ({reason.en}), and this one has ended with it",
        )
    return Said(zh=f"该卡已注销：{reason.zh}", en=f"the card has ended for good: {reason.en}")


def _grounds_of_end(case: Case, fact: CardCancelled) -> tuple[Ground, ...]:
    """A report that ran out has named them, or whoever gave the card back, or the end of the card before it."""
    if fact.with_card_id is not None:
        ends = (one for _, one in case.past if isinstance(one, CardCancelled) and one.card_id == fact.with_card_id)
        older = next(ends, None)
        return () if older is None else _grounds_of_end(case, older)
    if fact.reason in RAN_OUT:
        return case.grounds_of(next(replace(case, function="").reports(fact.card_id, fact.at), None))
    return case.grounds(fact.grounds, *_given_back(fact))


def _given_back(fact: CardCancelled | CancellationProposed) -> tuple[str, ...]:
    return ("cancel_at", "cancel_reasons", *(("kin",) if fact.relation else ()))


def fee(case: Case) -> Why | None:
    """What the last report in writing or the last new card costs, and by whose approval."""
    for _, fact in case.past:
        if isinstance(fact, LossReported | ReissueOrdered | ReplacementOrdered) and fact.card_id == case.card_id:
            what = ("书面挂失", "a written report") if isinstance(fact, LossReported) else ("新卡", "the new card")
            yuan = in_yuan(fact.fee_fen)
            said = Said(zh=f"{what[0]}免费", en=f"{what[1]} is free of charge")
            if fact.fee_fen:
                said = Said(
                    zh=f"{what[0]}收费{yuan}元，物价批准文号{fact.fee_approval}",
                    en=f"{what[1]} costs {yuan} yuan, approved by the price department under {fact.fee_approval}",
                )
            free = (case.bylaws.default(case.city, case.desk.programme, "fees", fact.grounds.edition),)
            return case.why(Decision.FEE, said, case.grounds(fact.grounds, "fees") or free, fact.at)
    return None


def liability(case: Case) -> Why:
    """Who bears a use at that moment, in the sentence of its rule. Raises FunctionNotNamed."""
    if not case.function:
        raise FunctionNotNamed
    under = case.bylaws.if_any(case.city, case.now.programme, case.at)
    answer = who_bears(case.card_id, case.function, case.at, case.now, under)
    in_chinese, in_english = SENTENCES[answer.rule]
    grounds = (*_grounds_of_bearing(case, answer.rule, under), *(case.cited(under.by("liability")) if under else ()))
    return case.why(Decision.LIABILITY, Said(zh=in_chinese, en=in_english), grounds, answer.since)


def _grounds_of_bearing(case: Case, rule: Rule, under: LossBylaw | None) -> tuple[Ground, ...]:
    if rule is Rule.ENDED:
        over = ending(case)
        return () if over is None else over.grounds
    if rule in (Rule.AFTER_EFFECT, Rule.NOT_IN_EFFECT_YET, Rule.RAN_OUT):
        return case.grounds_of(next(case.reports(case.card_id), None))
    return case.cited(under.by("pre_report_covers", "written_report_covers")) if under else ()


def _proposal(before: Desk, fact: ProposalDeclined) -> Proposal | None:
    return next((one for one in before.proposals.waiting if one.proposal_id == fact.proposal_id), None)


def _lift_in_question(before: Desk, fact: Event) -> LossLapsed | LossLifted | LiftProposed | None:
    """What this fact frees, or would have freed."""
    match fact:
        case LossLapsed() | LossLifted() | LiftProposed():
            return fact
        case ProposalDeclined():
            proposal = _proposal(before, fact)
            return proposal if isinstance(proposal, LiftProposed) else None
    return None


def _declined(fact: ProposalDeclined, proposal: Proposal, act: Said) -> Said:
    if fact.by == proposal.by:
        return Said(zh=f"申请人已撤回{act.zh}申请", en=f"whoever proposed to {act.en} has taken it back")
    return Said(zh=f"另一人未同意{act.zh}", en=f"another person did not agree to {act.en}")


def _hour(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
