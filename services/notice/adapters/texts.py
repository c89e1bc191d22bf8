"""The city's words for each step, from its pack; a city that lacks one does not start."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from string import Formatter
from typing import Any

from libs.kernel.calendar import SHANGHAI
from libs.kernel.ids import city_of
from libs.runtime.citypack import CityPack, CityPacks, PackUnfit
from libs.runtime.packfile import Finding, line_of
from services.notice.domain.events import Step
from services.notice.domain.state import Errand

_ALWAYS = frozenset({"at", "card"})
_ANY_CARD = "card"
"""What a card is called whose programme was never told here."""
_NAMED_BESIDES: Mapping[Step, frozenset[str]] = {
    Step.SUPPLEMENT_ASKED: frozenset({"reason", "until"}),
    Step.APPLICATION_REJECTED: frozenset({"reason"}),
    Step.NEW_CARD_DECLINED: frozenset({"reason"}),
    Step.CARD_ARRIVED: frozenset({"outlet", "until"}),
    Step.COLLECTION_REMINDED: frozenset({"outlet", "until"}),
    Step.CARD_SENT_ON: frozenset({"outlet", "until"}),
    Step.CARD_MAILED: frozenset({"tracking"}),
    Step.ENDORSEMENT_NEAR: frozenset({"until"}),
    Step.ENDORSEMENT_MISSED: frozenset({"until"}),
    Step.CARD_ENDORSED: frozenset({"until"}),
    Step.ENDORSEMENT_TAKEN_BACK: frozenset({"until"}),
    Step.CARD_RESTS: frozenset({"until"}),
    Step.LAPSE_NEAR: frozenset({"until"}),
}
_OF_ENDORSEMENT = frozenset(
    {Step.ENDORSEMENT_NEAR, Step.ENDORSEMENT_MISSED, Step.CARD_ENDORSED, Step.ENDORSEMENT_TAKEN_BACK}
)


class PackTexts:
    """All cities' texts, checked when they are read. Raises PackUnfit that names what is missing."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        for pack in packs:
            if faults := list(_faults(pack)):
                path = pack.folder / "notices.yaml"
                said = "; ".join(words for _, words in faults)
                findings = [Finding(path, line_of(path, steps), words) for steps, words in faults]
                raise PackUnfit(f"{pack.name}: notices.yaml: {said}", findings)

    def write(self, errand: Errand, language: str, programme: str = "") -> tuple[str, str]:
        """The text in this language, or in the city's first one if it does not speak this."""
        pack = self._packs[city_of(errand.holding_id)]
        spoken = _languages(pack)
        language = language if language in spoken else spoken[0]
        details = errand.details
        text: str = pack.files["notices"][errand.step][language].format(
            at=local(errand.at, language),
            card=pack.named("programme", programme or _ANY_CARD)[language if language == "zh" else "en"],
            outlet=_outlet(pack, details.outlet, language),
            until=details.until and local(details.until, language, told_at=errand.at),
            reason=details.reason,
            tracking=details.tracking,
        )
        return language, text


def local(moment: datetime, language: str, told_at: datetime | None = None) -> str:
    """A moment as the city says it: `10月10日24:00`; midnight belongs to the day that it ends.

    The year is said where it is another one than that in which this is told.
    """
    there = moment.astimezone(SHANGHAI)
    hour = f"{there:%H:%M}"
    if there.time() == time():
        there, hour = there - timedelta(days=1), "24:00"
    other = told_at is not None and told_at.astimezone(SHANGHAI).year != there.year
    if language == "zh":
        return f"{there.year}年{there.month}月{there.day}日{hour}" if other else f"{there.month}月{there.day}日{hour}"
    return f"{hour} on {there.day} {there:%B}" + (f" {there.year}" if other else "")


def steps_of(pack: CityPack) -> frozenset[Step]:
    """What is told in a city: of endorsements only where some card is endorsed, or ever was."""
    endorses = any(pack.has(f"{programme}/programme.endorsement") for programme in pack.programmes)
    return frozenset(Step) - (frozenset() if endorses else _OF_ENDORSEMENT)


def _languages(pack: CityPack) -> list[str]:
    spoken: list[str] = pack.files["city"]["languages"]
    return spoken


def _outlet(pack: CityPack, outlet: str, language: str) -> str:
    """Its name, or its bare id: a notice with a clumsy name is better than none."""
    name: Any = pack.outlets.get(outlet, {}).get("name", outlet)
    return str(name.get(language, outlet) if isinstance(name, dict) else name)


def _faults(pack: CityPack) -> Iterator[tuple[Sequence[str], str]]:
    texts = pack.files.get("notices")
    if not isinstance(texts, dict):
        yield (), "the file is missing or empty"
        return
    for programme in pack.programmes:
        if programme in tuple(pack.named("programme", programme)[language] for language in ("zh", "en")):
            yield (), f"{programme} has no name; add it in zh and en to `words` of kind programme in city.yaml"
    for unknown in texts.keys() - set(Step):
        yield (unknown,), f"{unknown} is no step that anybody is told of"
    for step in Step:
        if step not in steps_of(pack) and step not in texts:
            continue
        for language in _languages(pack):
            text = (texts.get(step) or {}).get(language)
            if not text or not isinstance(text, str):
                yield (step,), f"{step} has no text in {language}"
            elif unknown := _gaps(text) - _ALWAYS - _NAMED_BESIDES.get(step, frozenset()):
                yield (
                    (step, language),
                    f"{step} in {language} names {', '.join(sorted(unknown))}, which is not known at that step",
                )


def _gaps(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)
