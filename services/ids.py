"""How the city names people, holdings and cards; the one vocabulary that all services share beside their contracts."""

import re
from typing import NewType
from uuid import UUID

from libs.kernel import Missing
from libs.kernel.ids import city_of, derived, well_written, written, written_in_line

PersonId = NewType("PersonId", str)
HoldingId = NewType("HoldingId", str)
CardId = NewType("CardId", str)
ApplicationId = NewType("ApplicationId", str)
BatchId = NewType("BatchId", str)
RollId = NewType("RollId", str)
CaseId = NewType("CaseId", str)


class IdMistyped(Missing):
    """There is no such number here, and none that this platform gives out looks so; check it for a slip of the pen."""


def person_id(city: str, seed: UUID) -> PersonId:
    return PersonId(written(city, derived("person", seed)))


def person_on_roll(city: str, part: UUID, line: int) -> PersonId:
    """Somebody whom a line of a part of a roll brings; those of neighbouring lines lie beside each other."""
    return PersonId(written_in_line(city, part, line, derived("person", part, line)))


def holding_id(person: PersonId, programme: str) -> HoldingId:
    """What one person holds under one programme of one city: the unit of consistency, sharding and routing."""
    return HoldingId(written(city_of(person), derived("holding", person, programme)))


def card_id(holding: HoldingId, ordinal: int) -> CardId:
    """The `ordinal`-th card of a holding, counted from 1 and never reused."""
    return CardId(f"{holding}.{ordinal}")


def holding_of(card: str) -> HoldingId:
    """The holding that a card belongs to. Raises IdMistyped."""
    holding, _, ordinal = card.partition(".")
    if not (well_written(holding) and re.fullmatch("[1-9][0-9]{0,3}", ordinal)):
        raise IdMistyped
    return HoldingId(holding)


def application_id(holding: HoldingId, seed: UUID) -> ApplicationId:
    """One request for a card; it carries its holding, so that paper and card keep their order."""
    return ApplicationId(f"{holding}.A{derived('application', seed).hex[:8].upper()}")


def holding_of_application(application: str) -> HoldingId:
    """The holding for which an application asks. Raises IdMistyped."""
    holding, _, rest = application.partition(".")
    if not (well_written(holding) and re.fullmatch("A[0-9A-F]{8}", rest)):
        raise IdMistyped
    return HoldingId(holding)


def batch_id(city: str, seed: UUID) -> BatchId:
    return BatchId(written(city, derived("batch", seed)))


def known(text: str) -> str:
    """The id as it stands, if it can be one. Raises IdMistyped."""
    if not well_written(text):
        raise IdMistyped
    return text


def ordinal_of(card: str) -> int:
    """Which card of its holding this is, counted from 1. Raises IdMistyped."""
    return int(card[len(holding_of(card)) + 1 :])


def roll_id(city: str, name: str) -> RollId:
    """A list of persons of one city, known by its name: the same name is the same roll."""
    return RollId(written(city, derived("roll", city, name)))


def case_id(roll: RollId, part: int, line: int) -> CaseId:
    """A question to a clerk about one row of a roll."""
    return CaseId(written(city_of(roll), derived("case", roll, part, line)))


def pair_id(person: PersonId, other: PersonId) -> CaseId:
    """A question to a clerk about two persons of the register, whichever is named first."""
    return CaseId(written(city_of(person), derived("pair", *sorted((person, other)))))
