"""A city's rules on money, from its pack to the domain."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from libs.kernel.calendar import morning_of, shanghai_day
from libs.kernel.why import Cited
from libs.runtime.citypack import UNSAID, CityPack, CityPacks, PackUnfit
from services.wallet.domain.bylaw import OnLoss, Place, WalletBylaw
from services.wallet.domain.chart import Heading, Kind, can_name


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CapsData(_Data):
    purse_fen: int
    account_fen: int


class TopUpData(_Data):
    at: list[str]
    least_fen: int
    most_fen: int


class LossData(_Data):
    account_reportable: bool
    purse: Literal["refund_after_cooling", "forfeit"]
    cooling_days: int
    upload_delay_days: int


class HeadingData(_Data):
    kind: Kind
    number: str = Field(min_length=1, max_length=20)
    title: dict[str, str]


class MerchantData(_Data):
    title: dict[str, str]
    trade: str


PROGRAMME: Mapping[str, Any] = {
    "named": bool,
    "open_at": list[str],
    "documents": list[str],
    "caps": CapsData,
    "top_up": TopUpData,
    "hold_hours": int,
    "load_hours": int,
    "loss": LossData,
    "refund_fee_per_mille": int,
}


class WalletBylaws:
    """All cities' rules on money, checked when they are read; a programme without `wallet.yaml` carries no money."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._of_the_day: dict[tuple[str, str, date], WalletBylaw] = {}
        self._dated = {
            (pack.code, programme): {
                name: pack.dated(f"{programme}/wallet.{name}", kind) for name, kind in PROGRAMME.items()
            }
            for pack in packs
            for programme in pack.programmes
            if f"{programme}/wallet" in pack.files
        }
        self._catalogues = {
            (city, programme): packs[city].dated(f"{programme}/programme.catalogue", list[dict[str, Any]])
            for city, programme in self._dated
        }
        self._merchants = {pack.code: _merchants(pack) for pack in packs}
        self._charts = {pack.code: _chart(pack) for pack in packs if "wallet" in pack.files}
        for code, programme in self._dated:
            if code not in self._charts:
                raise PackUnfit(f"{packs[code].name}: {programme} carries money, so the city needs a wallet.yaml")
        for (code, programme), dated in self._dated.items():
            for entry in dated["caps"]:  # Every value that ever held is read once, so that a mistake shows at once.
                try:
                    self._read(code, programme, entry.from_)
                except ValueError as fault:
                    raise PackUnfit(f"{packs[code].name}: {programme}/wallet.yaml: {fault}") from fault

    def at(self, city: str, programme: str, moment: datetime) -> WalletBylaw | None:
        """The rules of a programme that hold at this moment; None if its cards carry no money."""
        if (city, programme) not in self._dated:
            return None
        day = (city, programme, shanghai_day(moment))
        if day not in self._of_the_day:
            self._of_the_day[day] = self._read(city, programme, moment)
        return self._of_the_day[day]

    def _read(self, city: str, programme: str, moment: datetime | date) -> WalletBylaw:
        at = moment if isinstance(moment, datetime) else morning_of(moment)
        entries = {name: (values, values.entry_at(at)) for name, values in self._dated[city, programme].items()}
        dated = {name: entry.value for name, (_, entry) in entries.items()}
        caps, top_up, loss = dated["caps"], dated["top_up"], dated["loss"]
        return WalletBylaw(
            named=dated["named"],
            open_at=frozenset(dated["open_at"]),
            top_up_at=frozenset(top_up.at),
            documents=frozenset(dated["documents"]),
            purse_cap_fen=caps.purse_fen,
            account_cap_fen=caps.account_fen,
            top_up_least_fen=top_up.least_fen,
            top_up_most_fen=top_up.most_fen,
            hold_hours=dated["hold_hours"],
            load_hours=dated["load_hours"],
            account_reportable=loss.account_reportable,
            purse_on_loss=OnLoss(loss.purse),
            cooling_days=loss.cooling_days,
            upload_delay_days=loss.upload_delay_days,
            refund_fee_per_mille=dated["refund_fee_per_mille"],
            account_borne=any(one["function"] == "account" for one in self._catalogues[city, programme].at(at)),
            city=city,
            edition=self._packs[city].hash,
            articles={name: values.ground(entry).ref for name, (values, entry) in entries.items()},
        )

    def pack(self, city: str) -> CityPack:
        """All that a city has decided, for whoever explains what followed from it."""
        return self._packs[city]

    def by(self, city: str, programme: str, rule: str, moment: datetime) -> Cited:
        """What cites a refusal that knows no bylaw: the books', or that of cards which carry no money."""
        pack, path = self._packs[city], f"{programme}/{rule}"
        ground = pack.ground(path, moment)
        unsaid = f"{UNSAID}{path}@{pack.first_edition}/{pack.first_edition}"
        return Cited(city=city, edition=pack.hash, articles=(unsaid if ground is None else ground.ref,))

    def place(self, city: str, outlet: str) -> Place:
        """Where an act takes place; whoever is at no outlet of the city is online."""
        return Place(outlet=outlet, kind=self._packs[city].outlet_kinds.get(outlet, "online"))

    def is_merchant(self, city: str, name: str) -> bool:
        """Whether the city has an agreement with this merchant."""
        return name in self._merchants.get(city, {})

    def merchants(self, city: str) -> Sequence[str]:
        return sorted(self._merchants.get(city, {}))

    def chart(self, city: str) -> Sequence[Heading]:
        """The city's chart of accounts; empty if no card of the city carries money."""
        return self._charts.get(city, ())


def _merchants(pack: CityPack) -> Mapping[str, MerchantData]:
    given = pack.files.get("wallet", {}).get("merchants", {})
    try:
        found = TypeAdapter(dict[str, MerchantData]).validate_python(given)
    except ValueError as fault:
        raise PackUnfit(f"{pack.name}: wallet.yaml, merchants: {fault}") from fault
    if unfit := [name for name in found if not can_name(name)]:
        raise PackUnfit(f"{pack.name}: wallet.yaml: {unfit[0]} cannot name a merchant; use a-z, 0-9, dots and dashes")
    return found


def _chart(pack: CityPack) -> Sequence[Heading]:
    listed = pack.dated("wallet.chart", list[HeadingData])[-1].value
    kinds = [heading.kind for heading in listed]
    if missing := sorted(set(Kind) - set(kinds)):
        raise PackUnfit(f"{pack.name}: wallet.yaml, chart: there is no account of kind {missing[0]}")
    if len(set(kinds)) < len(kinds) or len({heading.number for heading in listed}) < len(listed):
        raise PackUnfit(f"{pack.name}: wallet.yaml, chart: a kind or a number is listed twice")
    return [Heading(kind=one.kind, number=one.number, title=one.title) for one in listed]
