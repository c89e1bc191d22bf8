"""What is looked at before a request is taken in, in this order: the programme, the channel, the person, the papers."""

from collections.abc import Sequence

from libs.kernel import Clash, Forbidden, Unfit
from libs.kernel.calendar import shanghai_day
from services.issuance.domain.application.commands import SubmitApplication
from services.issuance.domain.application.events import Agent
from services.issuance.domain.application.state import Paper
from services.issuance.domain.applying import Applying, Channel, Taken, Way
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.papers import Needed, Shown, Whose, check

GUARDIANS = ("guardian", "parent")
AGE_UNKNOWN = "age_unknown"


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
        raise ProgrammeNotOpen(opens_on=applying.opens_on)
    if applying.channels and asked.channel not in applying.channels:
        raise ChannelClosed(channels=", ".join(sorted(applying.channels)))
    if asked.temporary and not applying.temporary_cards:
        raise TemporaryCardUnavailable
    phase = applying.scale_phase
    alone = asked.channel not in (Channel.UNIT, Channel.ROLL)
    if phase is not None and alone and phase.binds(shanghai_day(asked.at), asked.facts):
        raise ApplyThroughYourUnit(ends=phase.ends)
    check_way(asked.way, asked.under)
    flags = _check(asked.documents, asked.papers, asked.agent, asked.unit, asked.age, asked.under, asked.circumstances)
    if applying.legacy_scheme and asked.has_legacy and asked.legacy is None:
        raise LegacyCardMissing(scheme=applying.legacy_scheme.replace("_", " "))
    _check_commitment(asked, applying)
    _check_portrait(asked, applying)
    return flags


def check_papers(paper: Paper, under: IssuanceBylaw, age: int | None) -> None:
    """Once more on the day of acceptance, for that is the day on which the age counts."""
    _check(paper.documents, paper.papers, paper.agent, paper.unit, age, under, ())


def check_way(way: Way, under: IssuanceBylaw) -> None:
    if way not in under.applying.ways:
        raise WayNotOffered(ways=", ".join(sorted(under.applying.ways)))


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
        raise GuardianNeeded
    guarded = agent is not None and agent.relation in GUARDIANS
    if applying.guardian_needed and minor and not guarded:
        raise MinorNeedsGuardian(years=applying.minor_under)
    if agent is not None and not applying.agents and not guarded:
        raise AgentNotTaken
    lines = list(applying.papers_of_minors if minor and applying.papers_of_minors else applying.papers)
    if agent is not None and not guarded:
        lines += applying.papers_of_agents
    shown = [*(Shown(kind=kind) for kind in documents), *papers]
    if agent is not None:
        shown.append(Shown(kind=agent.document, whose=Whose.GUARDIAN if guarded else Whose.AGENT))
    holders = frozenset(under.documents)
    if not lines and not any(paper.kind in holders and paper.whose is Whose.HOLDER for paper in shown):
        raise DocumentsMissing(documents=", ".join(sorted(holders)))
    flags = check([Needed(any_of=tuple(sorted(holders))), *lines], shown, circumstances)
    unsure = bool(applying.papers_of_minors or applying.guardian_needed) and age is None and not unit
    return (*flags, AGE_UNKNOWN) if unsure else flags


def _check_commitment(asked: SubmitApplication, applying: Applying) -> None:
    if not applying.letters:
        return
    if asked.commitment is None:
        raise CommitmentMissing
    signed = (asked.commitment.language, asked.commitment.sha256)
    if signed not in {(letter.language, letter.sha256) for letter in applying.letters}:
        raise CommitmentOutdated


def _check_portrait(asked: SubmitApplication, applying: Applying) -> None:
    rule = applying.portrait
    if not asked.portrait:
        old_enough = asked.age is None or asked.age >= rule.from_age
        on_file = bool(rule.on_file_with & {*asked.documents, *(paper.kind for paper in asked.papers)})
        if old_enough and not on_file:
            raise PortraitMissing
        return
    allowed = rule.by_agents if asked.agent is not None else rule.taken
    if asked.taken and Taken(asked.taken) not in allowed:
        raise PortraitFromElsewhere(taken=" or ".join(sorted(one.value.replace("_", " ") for one in allowed)))
