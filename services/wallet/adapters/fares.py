"""A city's fares, from its pack to the domain."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from libs.kernel import Calendar, Missing
from libs.kernel.calendar import morning_of, shanghai_day
from libs.kernel.why import Cited, Decision, Ground, Said, Why, in_yuan
from libs.runtime.citypack import UNSAID, CityPacks, PackUnfit
from services.wallet.domain.fares.bylaw import (
    Band,
    Concession,
    FareBylaw,
    Ladder,
    Peak,
    Product,
    Relief,
    Tariff,
    Transfer,
)
from services.wallet.domain.fares.fare import Boarding, Fare, Rider


def _clock(given: object) -> object:
    """`07:00` as it is written; YAML 1.1 makes sixties of a bare 7:00, so it must be quoted."""
    if not isinstance(given, str):
        raise ValueError('an hour of the day is written in quotes, for example "07:00"')
    return time.fromisoformat(given)


Clock = Annotated[time, BeforeValidator(_clock)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BandData(_Data):
    every_m: int
    add_fen: int
    until_m: int | None = None


class TariffData(_Data):
    base_fen: int
    ceiling_fen: int
    base_m: int = 0
    bands: list[BandData] = []
    incomplete_fen: int = 0


class StepData(_Data):
    from_fen: int
    percent: int


class LadderData(_Data):
    steps: list[StepData]
    excluded_lines: list[str] = []
    first_top_up_min_fen: int = 0


class ProductData(_Data):
    percent: int = 100
    ladder: LadderData | None = None
    lines: list[str] | None = None
    passback_min: int = 0


class ReliefData(_Data):
    off_peak_percent: int
    peak_percent: int


class TransferData(_Data):
    from_min: int
    to_min: int
    off_max_fen: int
    never_between: list[str] = []


class WindowData(_Data):
    from_: Clock = Field(alias="from")
    to: Clock


KINDS: Mapping[str, Any] = {
    "tariffs": dict[str, TariffData],
    "products": dict[str, ProductData],
    "reliefs": dict[Concession, ReliefData],
    "peak": list[WindowData],
    "transfer": TransferData | None,
    "credit_max_fen": int,
    "claim_days": int,
}


WORDS: Mapping[str, Said] = {
    "product": Said(zh="票种优惠", en="the way of paying"),
    "monthly_ladder": Said(zh="月累计优惠", en="the monthly ladder"),
    "transfer": Said(zh="换乘优惠", en="the transfer discount"),
    Concession.OVER_70: Said(zh="70岁以上优待", en="the concession for those over 70"),
    Concession.OVER_60: Said(zh="60至69岁优待", en="the concession for those from 60 to 69"),
    Concession.PUPIL: Said(zh="学生优待", en="the concession for pupils"),
}


INCOMPLETE = Said(zh="行程不完整，按规定收费", en="incomplete trip")


class NoFares(Missing):
    """No fares of {programme} hold here on that day; programmes of this city that pay fares: {programmes}."""


class FareBylaws:
    """All cities' fares, checked when they are read."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._dated = {
            (pack.code, programme): {
                name: pack.dated(f"{programme}/fares.{name}", kind) for name, kind in KINDS.items()
            }
            for pack in packs
            for programme in pack.programmes
            if f"{programme}/fares" in pack.files  # A document that nobody rides with has none.
        }
        self._of_the_day: dict[tuple[str, str, date], FareBylaw] = {}

    def at(self, city: str, programme: str, moment: datetime) -> FareBylaw:
        """The fares that hold at this moment. Raises NoFares for a programme, or a time, that has none."""
        dated = self._dated.get((city, programme))
        if dated is None or shanghai_day(moment) < max(one.begins_on for one in dated.values()):
            programmes = ", ".join(self.programmes(city)) or "none"
            raise NoFares(self._no_fares(city, programme), programme=programme, programmes=programmes)
        day = (city, programme, shanghai_day(moment))
        if day not in self._of_the_day:
            self._of_the_day[day] = self._read(city, programme, moment)
        return self._of_the_day[day]

    def _no_fares(self, city: str, programme: str) -> Cited | None:
        """The first tariffs of a programme, or that its city says nothing of any; None for a city of nobody here."""
        if city not in self._packs:
            return None
        pack, path, dated = self._packs[city], f"{programme}/fares.tariffs", self._dated.get((city, programme))
        article = f"{UNSAID}{path}@{pack.first_edition}/{pack.first_edition}"
        if dated is not None:
            article = dated["tariffs"].ground(dated["tariffs"][0]).ref
        return Cited(city=city, edition=pack.hash, articles=(article,))

    def why(self, city: str, trip: Boarding, rider: Rider, fare: Fare, programme: str) -> Why:
        """By which dated entries a trip costs what it costs, in the order in which they were applied."""
        dated = self._dated[city, programme]

        def ground(name: str, row: str = "") -> Ground:
            return dated[name].ground(dated[name].entry_at(trip.at), row)

        applied = [ground("tariffs", trip.service)]
        for step in fare.steps:
            match step.rule:
                case "transfer":
                    applied.append(ground("transfer"))
                case "product" | "monthly_ladder":
                    applied.append(ground("products", rider.product))
                case concession:
                    applied += [ground("reliefs", concession), ground("peak")]
        names = [WORDS[step.rule] for step in fare.steps]
        zh = "".join(f"，{name.zh}减{in_yuan(step.off_fen)}" for name, step in zip(names, fare.steps, strict=True))
        en = "".join(
            f", less {in_yuan(step.off_fen)} by {name.en}" for name, step in zip(names, fare.steps, strict=True)
        )
        kind = (
            Said(zh="行程不完整，按规定收费", en="incomplete trip") if fare.incomplete else Said(zh="票价", en="fare")
        )
        return Why(
            city=city,
            decision=Decision.FEE,
            said=Said(
                zh=f"{kind.zh}{in_yuan(fare.base_fen)}元{zh}，应付{in_yuan(fare.fen)}元",
                en=f"{kind.en} {in_yuan(fare.base_fen)} yuan{en}: {in_yuan(fare.fen)} yuan to pay",
            ),
            grounds=tuple(applied),
            at=trip.at,
        )

    def programmes(self, city: str) -> list[str]:
        """The programmes of a city whose cards pay fares."""
        return [programme for code, programme in self._dated if code == city]

    def ceilings(self, city: str, programme: str) -> list[tuple[str, date, int]]:
        """The most that one trip can cost by each service, and from which day: (service, from, fen), oldest first."""
        entries = self._dated[city, programme]["tariffs"]
        return [
            (service, entry.from_, tariff.ceiling_fen) for entry in entries for service, tariff in entry.value.items()
        ]

    def check(self) -> None:
        """Build every edition once. Raises PackUnfit."""
        for (city, programme), values in self._dated.items():
            days = sorted({entry.from_ for dated in values.values() for entry in dated})
            first = max(min(entry.from_ for entry in dated) for dated in values.values())
            for day in days:
                if day >= first:
                    self._read(city, programme, morning_of(day))

    def _read(self, city: str, programme: str, moment: datetime) -> FareBylaw:
        dated = self._dated[city, programme]
        entries = {name: values.entry_at(moment) for name, values in dated.items()}
        articles = {name: dated[name].ground(entry).ref for name, entry in entries.items()}
        pack = self._packs[city]
        try:
            bylaw = _bylaw({name: entry.value for name, entry in entries.items()}, pack.calendar)
            return replace(bylaw, city=city, edition=pack.hash, articles=articles)
        except ValueError as error:
            raise PackUnfit(f"{pack.name}: {programme}/fares.yaml, as it holds on {moment.date()}: {error}") from error


def _bylaw(now: Mapping[str, Any], calendar: Calendar) -> FareBylaw:
    return FareBylaw(
        tariffs={service: _tariff(data) for service, data in now["tariffs"].items()},
        products={name: _product(data) for name, data in now["products"].items()},
        reliefs={who: Relief(**data.model_dump()) for who, data in now["reliefs"].items()},
        peak=Peak(windows=tuple((one.from_, one.to) for one in now["peak"]), calendar=calendar),
        transfer=_transfer(now["transfer"]),
        credit_max_fen=now["credit_max_fen"],
        claim_days=now["claim_days"],
    )


def _tariff(data: TariffData) -> Tariff:
    bands = tuple(Band(**band.model_dump()) for band in data.bands)
    return Tariff(**data.model_dump(exclude={"bands"}), bands=bands)


def _product(data: ProductData) -> Product:
    return Product(
        percent=data.percent,
        ladder=_ladder(data.ladder),
        lines=None if data.lines is None else frozenset(data.lines),
        passback_min=data.passback_min,
    )


def _ladder(data: LadderData | None) -> Ladder | None:
    if data is None:
        return None
    return Ladder(
        steps=tuple((step.from_fen, step.percent) for step in data.steps),
        excluded_lines=frozenset(data.excluded_lines),
        first_top_up_min_fen=data.first_top_up_min_fen,
    )


def _transfer(data: TransferData | None) -> Transfer | None:
    if data is None:
        return None
    return Transfer(**data.model_dump(exclude={"never_between"}), never_between=frozenset(data.never_between))
