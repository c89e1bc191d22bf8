"""What is looked at before a request is taken in, in this order: the programme, the channel, the person, the papers."""

from collections.abc import Sequence

from libs.kernel import Clash, Forbidden, Unfit
from libs.kernel.calendar import shanghai_day
from services.issuance.domain.application.commands import SubmitApplication
from services.issuance.domain.application.events import Agent
from services.issuance.domain.application.state import Paper
from services.issuance.domain.applying import Channel, Taken, Way
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.papers import Needed, Shown, Whose, check

GUARDIANS = ("guardian", "parent")
AGE_UNKNOWN = "age_unknown"
DOCUMENTS = "programme.issuance.documents"


class ProgrammeNotOpen(Clash):
    """This programme opens on {opens_on}; apply on that day or later."""


class ChannelClosed(Forbidden):
    """Cards of this programme are not applied for in this way; go to one of: {channels}."""


class TemporaryCardUnavailable(Unfit):
    """Temporary cards are not available through this service; apply for the card itself."""


class ApplyThroughYourUnit(Clash):
    """Until {ends}, whoever is insured through a unit applies through it; afterwards at a hall or community outlet."""


class DocumentsMissing(Unfit):
    """None of these documents is accepted here; bring one of: {documents}."""


class GuardianNeeded(Unfit):
    """An agent must show her own document and say how she is related to the applicant."""


class MinorNeedsGuardian(Unfit):
    """Whoever is under {years} applies together with a guardian; the guardian's documents are needed too."""


class AgentNotTaken(Forbidden):
    """In this programme the applicant must come herself."""


class CommitmentMissing(Unfit):
    """Before an application is taken in, the commitment letter is read and signed; show it, then send its hash."""


class CommitmentOutdated(Unfit):
    """These are not the words of the commitment letter that holds today; show today's letter and have it signed."""


class PortraitMissing(Unfit):
    """A portrait is needed here; take one, or bring one that meets the standard."""


class PortraitFromElsewhere(Unfit):
    """In this programme the portrait is: {taken}."""


class LegacyCardMissing(Unfit):
    """Whoever has a {scheme} card presents it with the documents; note its number."""


class WayNotOffered(Unfit):
    """Cards of this programme do not reach their holders in this way; choose one of: {ways}."""


def check_request(asked: SubmitApplication) -> tuple[str, ...]:
    """What the reviewer should look at. Raises the first refusal that applies."""
    assert asked.under is not None, "a request is judged under the bylaws of its day"
    applying = asked.under.applying
    if not applying.open_on(asked.at):
        raise ProgrammeNotOpen(asked.under.by("issuance.applying.opens_on"), opens_on=applying.opens_on)
    if applying.channels and asked.channel not in applying.channels:
        raise ChannelClosed(asked.under.by("issuance.applying.channels"), channels=", ".join(sorted(applying.channels)))
    if asked.temporary and not applying.temporary_cards:
        raise TemporaryCardUnavailable(asked.under.by("issuance.applying.temporary_cards"))
    phase = applying.scale_phase
    alone = asked.channel not in (Channel.UNIT, Channel.ROLL)
    if phase is not None and alone and phase.binds(shanghai_day(asked.at), asked.facts):
        raise ApplyThroughYourUnit(asked.under.by("issuance.applying.scale_phase"), ends=phase.ends)
    check_way(asked.way, asked.under)
    flags = _check(asked.documents, asked.papers, asked.agent, asked.unit, asked.age, asked.under, asked.circumstances)
    if applying.legacy_scheme and asked.has_legacy and asked.legacy is None:
        raise LegacyCardMissing(
            asked.under.by("issuance.applying.legacy_card"), scheme=applying.legacy_scheme.replace("_", " ")
        )
    _check_commitment(asked, asked.under)
    _check_portrait(asked, asked.under)
    return flags


def check_papers(paper: Paper, under: IssuanceBylaw, age: int | None) -> None:
    """Once more on the day of acceptance, for that is the day on which the age counts."""
    _check(paper.documents, paper.papers, paper.agent, paper.unit, age, under, ())


def check_way(way: Way, under: IssuanceBylaw) -> None:
    if way not in under.applying.ways:
        raise WayNotOffered(under.by("issuance.applying.delivery"), ways=", ".join(sorted(under.applying.ways)))


def _check(
    documents: Sequence[str],
    papers: Sequence[Shown],
    agent: Agent | None,
    unit: str,
    age: int | None,
    under: IssuanceBylaw,
    circumstances: Sequence[str],
) -> tuple[str, ...]:
    applying = under.applying
    minor = age is not None and age < applying.minor_under
    if agent is not None and not (agent.relation and agent.document):
        raise GuardianNeeded(under.by("issuance.applying.papers_of_agents"))
    guarded = agent is not None and agent.relation in GUARDIANS
    if applying.guardian_needed and minor and not guarded:
        raise MinorNeedsGuardian(under.by("issuance.applying.minors"), years=applying.minor_under)
    if agent is not None and not applying.agents and not guarded:
        raise AgentNotTaken(under.by("issuance.applying.agents"))
    lines = list(applying.papers_of_minors if minor and applying.papers_of_minors else applying.papers)
    if agent is not None and not guarded:
        lines += applying.papers_of_agents
    shown = [*(Shown(kind=kind) for kind in documents), *papers]
    if agent is not None:
        shown.append(Shown(kind=agent.document, whose=Whose.GUARDIAN if guarded else Whose.AGENT))
    holders = frozenset(under.documents)
    if not lines and not any(paper.kind in holders and paper.whose is Whose.HOLDER for paper in shown):
        raise DocumentsMissing(under.by(DOCUMENTS), documents=", ".join(sorted(holders)))
    flags = check([Needed(any_of=tuple(sorted(holders)), rule=DOCUMENTS), *lines], shown, under.by, circumstances)
    unsure = bool(applying.papers_of_minors or applying.guardian_needed) and age is None and not unit
    return (*flags, AGE_UNKNOWN) if unsure else flags


def _check_commitment(asked: SubmitApplication, under: IssuanceBylaw) -> None:
    letters = under.applying.letters
    if not letters:
        return
    if asked.commitment is None:
        raise CommitmentMissing(under.by("issuance.applying.commitment_letter"))
    signed = (asked.commitment.language, asked.commitment.sha256)
    if signed not in {(letter.language, letter.sha256) for letter in letters}:
        raise CommitmentOutdated(under.by("issuance.applying.commitment_letter"))


def _check_portrait(asked: SubmitApplication, under: IssuanceBylaw) -> None:
    rule = under.applying.portrait
    if not asked.portrait:
        old_enough = asked.age is None or asked.age >= rule.from_age
        on_file = bool(rule.on_file_with & {*asked.documents, *(paper.kind for paper in asked.papers)})
        if old_enough and not on_file:
            raise PortraitMissing(under.by("issuance.applying.portrait"))
        return
    allowed = rule.by_agents if asked.agent is not None else rule.taken
    if asked.taken and Taken(asked.taken) not in allowed:
        places = " or ".join(sorted(one.value.replace("_", " ") for one in allowed))
        raise PortraitFromElsewhere(under.by("issuance.applying.portrait"), taken=places)
