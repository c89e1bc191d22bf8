"""Fourteen places and what each has decided about losses, read as the loss desk reads a pack."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from libs.runtime.citypack import CityPacks, load_packs
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.bylaw import LossBylaw
from tests.services.loss.desk_drawer import NIGHT, ZHOUSHAN

Rules = Mapping[str, Any]
ROWS: Mapping[str, Rules] = yaml.safe_load(Path(__file__).with_name("cities.yaml").read_text())
PACK = load_packs(Path(__file__).parents[3] / "deploy")[ZHOUSHAN]


@cache
def rules_of(place: str) -> Rules:
    """What this place's file says, and Zhoushan's where it says nothing."""
    ours = {name: entries[0]["value"] for name, entries in PACK.files["citizen-card/loss"].items()}
    return ours | dict(ROWS[place])


@cache
def bylaws_of(place: str) -> LossBylaws:
    """The same through the reader of packs, as the loss desk has it."""
    return read(rules_of(place), f"domain facts 2.8, {place}")


@cache
def bylaw_of(place: str) -> LossBylaw:
    """The rules of this place as they hold."""
    return bylaws_of(place).at(ZHOUSHAN, "citizen-card", NIGHT)


def bylaw_with(place: str, **otherwise: Any) -> LossBylaw:
    """The rules of this place, if it had decided some things otherwise."""
    return read({**rules_of(place), **otherwise}, f"{place}, otherwise").at(ZHOUSHAN, "citizen-card", NIGHT)


def read(rules: Rules, basis: str) -> LossBylaws:
    entries = {name: [{"from": date(2012, 3, 10), "basis": basis, "value": value}] for name, value in rules.items()}
    return LossBylaws(CityPacks([replace(PACK, files={**PACK.files, "citizen-card/loss": entries})]))
