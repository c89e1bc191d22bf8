"""How a request is taken in, through whichever channel it comes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.kernel import Clash
from libs.kernel.calendar import shanghai_day
from libs.kernel.ids import city_of
from libs.vault.port import Erased
from libs.web.call import CallContext
from services.ids import ApplicationId, HoldingId, IdMistyped, PersonId, holding_id, known
from services.issuance.adapters.bylaws import OutletUnknown, ProgrammeUnknown
from services.issuance.adapters.why_card import ONE_CARD_EACH
from services.issuance.domain.application import counter
from services.issuance.domain.application import decider as paper
from services.issuance.domain.application.commands import SubmitApplication
from services.issuance.domain.application.events import Agent, Commitment, LegacyCard
from services.issuance.domain.application.state import Absent, Reviewing, Submitted, SupplementNeeded
from services.issuance.domain.applying import Channel, Way
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding.state import NothingComing
from services.issuance.domain.papers import PapersMissing, Shown, Whose
from services.issuance.routes.bodies import AskedBody, PaperBody
from services.issuance.routes.hands import PORTRAITS, Hands, PersonErased, receipt_number
from services.issuance.views import ApplicationView

CHECKED = (
    counter.ProgrammeNotOpen, counter.ChannelClosed, counter.TemporaryCardUnavailable, counter.ApplyThroughYourUnit,
    counter.DocumentsMissing, counter.GuardianNeeded, counter.MinorNeedsGuardian, counter.AgentNotTaken,
    counter.CommitmentMissing, counter.CommitmentOutdated, counter.PortraitMissing, counter.PortraitFromElsewhere,
    counter.LegacyCardMissing, counter.WayNotOffered, PapersMissing,
)  # fmt: skip


class AlreadyApplied(Clash):
    """Another application for this card is open already; follow it with its receipt, or withdraw it first."""


class AlreadyHolds(Clash):
    """The applicant has this card, or it is on its way already; report it lost or exchange it if it is of no use."""


class ApplicantMerged(Clash):
    """This entry of the register and {person_id} were found to be one person; apply for {person_id}."""


TAKING_IN = (
    IdMistyped, ProgrammeUnknown, OutletUnknown, PersonErased, AlreadyApplied, AlreadyHolds, ApplicantMerged, *CHECKED,
    *PORTRAITS,
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request for a card as it comes to the counter; `secret` makes its receipt number."""

    said: AskedBody
    person: PersonId
    holding: HoldingId
    application: ApplicationId
    outlet: str
    channel: Channel
    secret: bytes
    unit: str = ""


def whom(said: AskedBody) -> tuple[PersonId, HoldingId]:
    """For whom a card is asked, and under which holding. Raises IdMistyped."""
    person = PersonId(known(said.person_id))
    return person, holding_id(person, said.programme)


def shown(papers: Sequence[PaperBody]) -> tuple[Shown, ...]:
    return tuple(
        Shown(kind=one.kind, whose=Whose(one.whose), original=one.original, copy=one.copied, photo=one.photo)
        for one in papers
    )


async def take_in(hands: Hands, call: CallContext, asked: Request) -> ApplicationView:
    """Look at a request and let it lie at its outlet. Said twice, done once. Raises one of TAKING_IN."""
    applications = hands.desks["application"]
    known_already = (await applications.standing(asked.application)).version > 0
    submit = await submission(hands, asked, checked=not known_already)
    receipt = await call.handle(
        applications,
        asked.application,
        lambda _now, at: replace(submit, at=at),
        city=city_of(asked.person),
        correlation=asked.holding,
    )
    return ApplicationView.of(asked.application, receipt.state)


async def submission(hands: Hands, asked: Request, *, checked: bool = True) -> SubmitApplication:
    """The command that a request comes to. Papers that are refused leave no portrait and no number behind."""
    now, said = hands.city.now(), asked.said
    under = hands.bylaws.at(city_of(asked.person), said.programme, now)
    pictured = said.portrait is not None
    legacy = said.legacy_card
    probe = SubmitApplication(
        application_id=asked.application,
        holding_id=asked.holding,
        person_id=asked.person,
        programme=said.programme,
        outlet=asked.outlet,
        documents=tuple(said.documents),
        portrait="pictured" if pictured else "",
        agent=Agent(relation=said.agent.relation, document=said.agent.document) if said.agent else None,
        receipt=receipt_number(asked.secret),
        at=now,
        under=under,
        channel=asked.channel,
        papers=shown(said.papers),
        circumstances=tuple(said.circumstances),
        age=await _age(hands, asked, under, pictured, now),
        facts=await _facts(hands, asked, under, now),
        unit=asked.unit,
        commitment=_commitment(said),
        has_legacy=legacy is not None and legacy.held,
        way=Way(said.delivery),
        taken=said.taken or "",
        temporary=said.kind == "temporary",
    )
    if legacy is not None and legacy.number and under.applying.legacy_scheme:
        probe = replace(probe, legacy=await _legacy(hands, asked, under.applying.legacy_scheme, legacy.number))
    if checked:
        await _must_be_the_only_one(hands, asked, under)
        paper.decide(probe, Absent())
    if not pictured or said.portrait is None:
        return probe
    return replace(probe, portrait=await hands.keep_portrait(asked.person, said.portrait, under))


async def _must_be_the_only_one(hands: Hands, asked: Request, under: IssuanceBylaw) -> None:
    """One card, one open request (R12); the holding has the last word when a request is accepted."""
    holding = (await hands.desks["holding"].standing(asked.holding)).state
    if holding.lead is not None:
        raise ApplicantMerged(person_id=holding.person_id)
    if holding.current is not None or not isinstance(holding.coming, NothingComing) or holding.beside:
        raise AlreadyHolds(under.by(ONE_CARD_EACH))
    for other in await hands.questions.open_applications_of(asked.holding):
        standing = await hands.desks["application"].standing(other)
        if isinstance(standing.state, Submitted | SupplementNeeded | Reviewing):
            raise AlreadyApplied(under.by(ONE_CARD_EACH))


async def _age(hands: Hands, asked: Request, under: IssuanceBylaw, pictured: bool, now: datetime) -> int | None:
    if not under.applying.needs_age(asked.said.agent is not None, pictured):
        return None
    return await hands.age_of(asked.person, now)


async def _facts(hands: Hands, asked: Request, under: IssuanceBylaw, now: datetime) -> frozenset[str]:
    if under.applying.scale_phase is None or not under.applying.scale_phase.begins <= shanghai_day(now):
        return frozenset()
    verdict = (await hands.desks["holding"].standing(asked.holding)).state.verdict_at(now)
    return frozenset(verdict.facts) if verdict else frozenset()


async def _legacy(hands: Hands, asked: Request, scheme: str, number: str) -> LegacyCard:
    try:
        return LegacyCard(scheme=scheme, number=await hands.vault.seal(asked.person, "legacy_card", number))
    except Erased as erased:
        raise PersonErased from erased


def _commitment(said: AskedBody) -> Commitment | None:
    if said.commitment is None:
        return None
    return Commitment(
        language=said.commitment.language, sha256=said.commitment.sha256, signed_by=said.commitment.signed_by
    )
