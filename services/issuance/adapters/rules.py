"""How a city has a card applied for and handed over: `issuance.yaml` of a programme, each value dated and optional.

What a programme does not say there asks for nothing: a valid document is then enough, at any outlet.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.kernel.calendar import shanghai_day
from libs.runtime.citypack import CityPack, CityPacks, Dated, PackUnfit
from services.issuance.domain.applying import (
    Applying,
    Channel,
    Fee,
    Letter,
    PortraitRule,
    Review,
    ScalePhase,
    Taken,
    Way,
)
from services.issuance.domain.bylaw import OlderCard, Promise, PromiseUnit
from services.issuance.domain.collecting import Collecting
from services.issuance.domain.papers import Needed, Whose

OutletKind = Literal["hall", "community", "bank", "police"]
ChannelName = Literal["hall", "community", "bank", "unit", "police", "online", "roll"]
PaperKind = Literal[
    "id_card", "household_book", "household_certificate", "residence_permit", "temporary_residence_permit",
    "residence_permit_hmt", "foreigner_permanent_residence", "hk_macau_permit", "taiwan_permit", "passport",
    "social_security_card", "work_permit", "birth_certificate", "guardianship_proof", "employment_proof",
    "study_proof", "residence_proof", "legacy_medical_card", "organisation_code_certificate",
    "credit_code_certificate", "introduction_letter", "collection_notice", "mandate",
]  # fmt: skip
"""Every paper that an issuing desk knows."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NeededData(_Data):
    any_of: list[PaperKind] = Field(min_length=1)
    whose: Literal["holder", "guardian", "agent", "delegate", "unit"] = "holder"
    copies: bool = False
    when: str = ""
    photo_preferred: bool = False

    def needed(self, rule: str) -> Needed:
        return Needed(
            any_of=tuple(self.any_of),
            rule=rule,
            whose=Whose(self.whose),
            copy=self.copies,
            when=self.when,
            photo_preferred=self.photo_preferred,
        )


class ChannelPromiseData(_Data):
    channel: ChannelName
    count: int
    unit: Literal["months", "working_days", "days"]
    roll_to_working_day: bool = False


class MinorsData(_Data):
    under: int = Field(ge=0, le=18)
    guardian_needed: bool


class PhaseData(_Data):
    begins: date
    ends: date
    facts: list[str] = Field(min_length=1)


class ReviewData(_Data):
    authority: str
    count: int
    unit: Literal["working_days", "days"]


class DeliveryData(_Data):
    ways: list[Literal["counter", "agent", "mail"]] = Field(min_length=1)
    frozen: bool


_TAKEN = Literal["on_site", "brought", "on_file"]


class PortraitData(_Data):
    from_age: int = 0
    taken: list[_TAKEN] = ["on_site", "brought"]
    by_agents: list[_TAKEN] = ["on_site", "brought"]
    on_file_with: list[PaperKind] = []


class FeeData(_Data):
    kind: Literal["first", "reissue", "replacement"]
    fen: int
    approval: str = ""


class OlderCardData(_Data):
    scheme: str
    days: int


class ShownWhenCollectingData(_Data):
    notice: bool = False
    receipt: bool = False
    fingerprint: bool = False


Papers = list[NeededData]


def _papers(rule: str, lines: Papers) -> tuple[Needed, ...]:
    return tuple(line.needed(f"issuance.{rule}") for line in lines)


def _letters(texts: Mapping[str, str]) -> tuple[Letter, ...]:
    return tuple(
        Letter(language=language, text=text, sha256=sha256(text.encode()).hexdigest())
        for language, text in sorted(texts.items())
    )


def _portrait(said: PortraitData) -> PortraitRule:
    return PortraitRule(
        from_age=said.from_age,
        taken=frozenset(map(Taken, said.taken)),
        by_agents=frozenset(map(Taken, said.by_agents)),
        on_file_with=frozenset(said.on_file_with),
    )


def _promises(said: list[ChannelPromiseData]) -> tuple[tuple[Channel, Promise], ...]:
    return tuple(
        (
            Channel(one.channel),
            Promise(count=one.count, unit=PromiseUnit(one.unit), roll_to_working_day=one.roll_to_working_day),
        )
        for one in said
    )


Born = Callable[[Any], Mapping[str, Any]]
"""What a value of the file comes to in the domain, by the names of its fields."""

_APPLYING: Mapping[str, tuple[Any, Born]] = {
    "opens_on": (date, lambda day: {"opens_on": day}),
    "channels": (list[ChannelName], lambda names: {"channels": frozenset(map(Channel, names))}),
    "papers": (Papers, lambda lines: {"papers": _papers("applying.papers", lines)}),
    "papers_of_minors": (Papers, lambda lines: {"papers_of_minors": _papers("applying.papers_of_minors", lines)}),
    "papers_of_agents": (Papers, lambda lines: {"papers_of_agents": _papers("applying.papers_of_agents", lines)}),
    "papers_of_units": (Papers, lambda lines: {"papers_of_units": _papers("applying.papers_of_units", lines)}),
    "units_at": (list[OutletKind], lambda kinds: {"units_at": frozenset(map(Channel, kinds))}),
    "minors": (MinorsData, lambda one: {"minor_under": one.under, "guardian_needed": one.guardian_needed}),
    "agents": (bool, lambda may: {"agents": may}),
    "scale_phase": (
        PhaseData,
        lambda one: {"scale_phase": ScalePhase(begins=one.begins, ends=one.ends, facts=frozenset(one.facts))},
    ),
    "commitment_letter": (dict[Literal["zh", "en"], str], lambda texts: {"letters": _letters(texts)}),
    "review": (
        ReviewData,
        lambda one: {
            "review": Review(authority=one.authority, count=one.count, working_days=one.unit == "working_days")
        },
    ),
    "delivery": (DeliveryData, lambda one: {"ways": frozenset(map(Way, one.ways)), "way_frozen": one.frozen}),
    "portrait": (PortraitData, lambda one: {"portrait": _portrait(one)}),
    "legacy_card": (str, lambda scheme: {"legacy_scheme": scheme}),
    "temporary_cards": (bool, lambda may: {"temporary_cards": may}),
    "cards_per_person": (Literal[1], lambda _one: {}),  # What else a holding could bear no city has asked for yet.
}
_COLLECTING: Mapping[str, tuple[Any, Born]] = {
    "papers_of_agents": (Papers, lambda lines: {"papers_of_agents": _papers("collecting.papers_of_agents", lines)}),
    "papers_of_units": (
        Papers,
        lambda lines: {"papers_of_units": _papers("collecting.papers_of_units", lines), "units": True},
    ),
    "shown": (ShownWhenCollectingData, lambda one: one.model_dump()),
    "elsewhere": (Literal["refused", "sent_on"], lambda word: {"elsewhere": word == "sent_on"}),
    "remind_days": (list[int], lambda days: {"remind_days": tuple(days)}),
    "destroyed_after_days": (int, lambda days: {"destroyed_after_days": days}),
}
_CARD: Mapping[str, tuple[Any, Born]] = {
    "channel_promises": (list[ChannelPromiseData], lambda said: {"promises": _promises(said)}),
    "fees": (
        list[FeeData],
        lambda said: {"fees": tuple((one.kind, Fee(fen=one.fen, approval=one.approval)) for one in said)},
    ),
    "older_cards": (
        list[OlderCardData],
        lambda said: {"older_cards": tuple(OlderCard(scheme=one.scheme, days=one.days) for one in said)},
    ),
}
_SECTIONS: Mapping[str, Mapping[str, tuple[Any, Born]]] = {
    "applying": _APPLYING, "collecting": _COLLECTING, "card": _CARD,
}  # fmt: skip


OPTIONAL = tuple(f"issuance.{section}.{name}" for section, rules in _SECTIONS.items() for name in rules)
"""Where in a programme's files a value may stand that no city has to give."""


class ProgrammeRules:
    """One programme's `issuance.yaml`, every value born once, so that a file with a fault is refused at the start."""

    def __init__(self, pack: CityPack, programme: str) -> None:
        self._dated: dict[str, list[tuple[Dated[Any], Mapping[date, Mapping[str, Any]]]]] = {}
        for section, rules in _SECTIONS.items():
            for name, (kind, born) in rules.items():
                path = f"{programme}/issuance.{section}.{name}"
                if _says(pack, path):
                    self._dated.setdefault(section, []).append(_read(pack, path, kind, born))

    def at(self, moment: datetime) -> Mapping[str, Any]:
        """What is added to a bylaw on the day of this moment."""
        applying, collecting, card = (self._values(section, moment) for section in _SECTIONS)
        ways = applying.get("ways", frozenset())
        return {
            "applying": Applying(**applying),
            "collecting": Collecting(**collecting, mail=Way.MAIL in ways),
            **card,
        }

    @property
    def dated(self) -> Iterator[Dated[Any]]:
        """All that the programme says there."""
        return (dated for section in self._dated.values() for dated, _ in section)

    def _values(self, section: str, moment: datetime) -> dict[str, Any]:
        found: dict[str, Any] = {}
        day = shanghai_day(moment)
        for dated, born in self._dated.get(section, []):
            if day >= dated[0].from_:
                with suppress(PackUnfit):  # It ended without a successor: nothing more is asked for.
                    found |= born[dated.entry_at(moment).from_]
        return found


def _says(pack: CityPack, path: str) -> bool:
    file, _, inside = path.partition(".")
    found: Any = pack.files.get(file)
    for step in inside.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found is not None


def _read(pack: CityPack, path: str, kind: Any, born: Born) -> tuple[Dated[Any], Mapping[date, Mapping[str, Any]]]:
    dated = pack.dated(path, kind)
    try:
        return dated, {entry.from_: born(entry.value) for entry in dated}
    except ValueError as error:
        raise PackUnfit(f"{pack.name}: {path}: {error}") from error


def rules_of(packs: CityPacks) -> Mapping[tuple[str, str], ProgrammeRules]:
    """The rules of every programme of every city. Raises PackUnfit."""
    return {(pack.code, programme): ProgrammeRules(pack, programme) for pack in packs for programme in pack.programmes}
