"""Identity at work: at the counter, under the clock, with the real tables of two cities."""

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import ECKey, KeySet

from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import SHARDS, Append, Outcome
from libs.kernel import Outage
from libs.messaging.memory import MemoryBus
from libs.messaging.notebook import MemoryNotebook
from libs.messaging.readmodel import MemoryRows
from libs.runtime.citypack import load_packs
from libs.runtime.citytime import CityTime
from libs.runtime.platform import Platform
from libs.runtime.service import Timer
from libs.runtime.settings import Settings
from libs.telemetry import Telemetry
from libs.vault.masterkey import FileMasterKey
from libs.vault.memory import MemoryVault
from libs.web import problems
from libs.web.access import Access, action_of
from libs.web.call import Doors
from libs.web.door import Door, Porter
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, Tokens, issue
from services.identity.wiring import build

MORNING = datetime(2026, 10, 8, 1, 0, tzinfo=UTC)
TOMORROW_0H = datetime(2026, 10, 8, 16, 0, tzinfo=UTC)  # 0:00 in Shanghai
ZHOUSHAN, WUXI = "330900", "320200"

CLERK = Caller("c-1", "clerk", ZHOUSHAN, outlet="zs-hall")
CENTRE = Caller("m-1", "centre", ZHOUSHAN)
HOTLINE = Caller("h-1", "hotline", ZHOUSHAN)
POLICE = Caller("p-1", "department", ZHOUSHAN, department="police")
BANK = Caller("b-1", "department", ZHOUSHAN, department="bank")

DOCUMENT = {"kind": "id_card", "number": "330902198512310024"}
ELSE = {"kind": "id_card", "number": "330102199001010012"}
LI: Mapping[str, Any] = {"document": DOCUMENT, "name": "李小龙", "mobile": "138 1234 5678", "language": "zh"}
PERSONAL = ("330902198512310024", "李小龙", "13812345678", "1985-12-31", "19851231")
HUKOU: Mapping[str, Any] = {
    "document": DOCUMENT, "fact": "hukou", "valid_from": "2010-05-01", "reference": "HK-77"
}  # fmt: skip


class Clock:
    """A clock that stands."""

    def now(self) -> datetime:
        return MORNING


class FrailStore(MemoryStore):
    """A store that is away as often as it is told to be."""

    away = 0

    async def append(self, wanted: Append) -> Outcome:
        if self.away:
            self.away -= 1
            raise Outage("the store is away")
        return await super().append(wanted)


class Counter:
    """The doors of a house in which only identity lives."""

    def __init__(self, folder: Path) -> None:
        clock, notebook = Clock(), MemoryNotebook(MemoryRows())
        self._clock, self._key = clock, ECKey.generate_key("P-256", {"kid": "test"})
        self.store, self.city, self._keys = FrailStore(clock), CityTime(clock), count()
        self.vault = MemoryVault(
            FileMasterKey(folder / "master.key", randomness=secrets.token_bytes), secrets.token_bytes, clock
        )
        packs = load_packs(Path(__file__).parents[3] / "deploy")
        self.service = build(
            Platform(
                settings=Settings(home=folder, _env_file=None),
                machine=clock,
                monotonic=lambda: 0.0,
                randomness=secrets.token_bytes,
                city=self.city,
                telemetry=Telemetry(secrets.token_bytes),
                packs=packs,
                vault=self.vault,
                fingerprint_key=b"fingerprints",
                bus=MemoryBus(),
                store=lambda _: self.store,
                rows=lambda _: MemoryRows(),
                notebook=lambda _: notebook,
            )
        )
        self.edition = packs.hash_of(ZHOUSHAN)
        self.service.desks.editions = packs.hash_of
        self.timer = Timer(self.service, self.city, lambda: 0.0)
        app = FastAPI()
        problems.install(app)
        app.include_router(self.service.router)
        tokens = Tokens(KeySet([self._key]), clock, ISSUER_DEVELOPMENT)
        shared = Doors(tokens, Access([self.service.access]), b"fingerprints", packs.hash_of, packs.names_of)
        doors = [Door(route, str(action_of(route)), shared) for route in self.service.router.routes]  # type: ignore[arg-type]
        app.add_middleware(Porter, doors=doors, count=lambda _code: None)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://citycard")

    async def post(self, caller: Caller, path: str, body: Mapping[str, Any], key: str = "") -> httpx.Response:
        headers = {**self._signed(caller), "Idempotency-Key": key or f"key-{next(self._keys)}"}
        return await self.http.post(path, json=body, headers=headers)

    async def get(self, caller: Caller, path: str) -> httpx.Response:
        return await self.http.get(path, headers=self._signed(caller))

    def _signed(self, caller: Caller) -> dict[str, str]:
        return {"Authorization": f"Bearer {issue(self._key, self._clock, caller, ISSUER_DEVELOPMENT)}"}

    async def register(self, said: Mapping[str, Any] = LI, caller: Caller = CLERK) -> str:
        answer = await self.post(caller, "/v1/persons", said)
        assert answer.status_code == 201, answer.text
        person: str = answer.json()["person_id"]
        return person

    async def state(self, said: Mapping[str, Any] = HUKOU, caller: Caller = POLICE) -> dict[str, Any]:
        answer = await self.post(caller, "/v1/facts", said)
        assert answer.status_code == 201, answer.text
        stated: dict[str, Any] = answer.json()
        return stated

    async def look(self, person: str, caller: Caller = CLERK) -> dict[str, Any]:
        """What stands on the clerk's screen when all that is due now has been done."""
        while await self.timer.step():
            pass
        assert not await self.store.parked()
        answer = await self.get(caller, f"/v1/persons/{person}")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        return seen

    async def verdict(self, person: str) -> dict[str, Any]:
        entitlement, *_ = (await self.look(person))["entitlements"]
        seen: dict[str, Any] = entitlement
        return seen

    async def written(self) -> str:
        """All that stands in the store in clear."""
        facts = [row for shard in range(SHARDS) for row in await self.store.log(shard, 0, 1000)]
        told = await self.store.outbox({}, 1000)
        dues = await self.store.due(datetime.max.replace(tzinfo=UTC), 1000)
        return "\n".join(map(str, [*facts, *told, *dues]))

    async def facts(self, person: str) -> list[str]:
        return [row.name for row in await self.store.read(f"person-{person}")]


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    counter = Counter(tmp_path)
    async with counter.http:
        yield counter


def code(answer: httpx.Response) -> tuple[int, str]:
    assert not any(line in answer.text for line in PERSONAL)
    return answer.status_code, answer.json()["code"]


async def test_a_fact_leads_to_a_verdict_that_can_be_explained(counter: Counter) -> None:
    person = await counter.register()
    before = await counter.verdict(person)
    assert (before["granted"], before["missing"][0]) == (False, "hukou")
    stated = await counter.state()
    assert (stated["person_id"], stated["department"], stated["holds"]) == (person, "police", True)
    verdict = await counter.verdict(person)
    assert (verdict["granted"], verdict["rule"], verdict["facts_used"]) == (True, "hukou", ["hukou (police)"])
    assert "city order 36" in verdict["article"]
    assert verdict["basis"]
    assert verdict["bylaws"]


@pytest.mark.requirement("R10", "R11")
async def test_a_grant_can_be_asked_why(counter: Counter) -> None:
    person = await counter.register()
    await counter.state()
    await counter.look(person)
    why = (await counter.get(CLERK, f"/v1/persons/{person}/entitlements/citizen-card/why")).json()
    (ground,) = why["grounds"]
    assert (why["decision"], ground["rule"]) == ("grant", "citizen-card/programme.eligibility#hukou")
    assert (ground["valid_from"], ground["recorded_on"]) == ("2012-03-10", "2026-09-01")
    assert ground["basis"]["en"] == "Zhoushan provisional measures, city order 36 (2012)"
    assert ground["edition"] == (await counter.verdict(person))["bylaws"]
    assert [(one["fact"], one["department"], one["valid_from"]) for one in why["facts"]] == [
        ("hukou", "police", "2010-05-01")
    ]
    assert "Granted: " in why["text"]["en"]
    assert "公安局" in why["text"]["zh"]


@pytest.mark.requirement("R11")
async def test_a_refusal_says_what_is_missing_and_the_applicant_reads_the_same_as_the_clerk(counter: Counter) -> None:
    person = await counter.register()
    await counter.look(person)
    herself = Caller("li", "citizen", ZHOUSHAN, person=person)
    path = f"/v1/persons/{person}/entitlements/citizen-card/why"
    answers = [(await counter.get(who, path)).json() for who in (herself, CLERK, CENTRE)]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["missing"] == ["hukou", "insured_employee", "insured_resident", "insured_rural"]
    assert code(await counter.get(Caller("w", "citizen", ZHOUSHAN, person="somebody"), path)) == (403, "not-allowed")
    assert code(await counter.get(CLERK, path.replace("citizen-card", "x"))) == (404, "not-judged")


@pytest.mark.requirement("R70", "R73")
async def test_a_closed_function_says_which_fact_would_open_it(counter: Counter) -> None:
    person = await counter.register()
    await counter.state()
    await counter.look(person)
    path = f"/v1/persons/{person}/entitlements/citizen-card/why"
    why = (await counter.get(CLERK, f"{path}?function=rural_medical")).json()
    assert (why["decision"], why["missing"]) == ("block", ["insured_rural"])
    assert why["grounds"][0]["rule"] == "citizen-card/programme.functions#rural_medical.otherwise"
    assert (await counter.get(CLERK, f"{path}?function=transit")).json()["decision"] == "grant"
    assert code(await counter.get(CLERK, f"{path}?function=flying")) == (404, "not-judged")


async def test_what_the_city_judges_by_itself_records_its_edition(counter: Counter) -> None:
    person = await counter.register()
    await counter.look(person)
    rows = await counter.store.read(f"person-{person}")
    assert [json.loads(row.meta)["bylaws"] for row in rows if row.name == "entitlement-judged"] == [counter.edition]


async def test_a_future_fact_takes_effect_and_ends_at_its_hour(counter: Counter) -> None:
    person = await counter.register()
    await counter.state({**HUKOU, "valid_from": "2026-10-09", "valid_to": "2026-10-09"})
    granted = []
    for hour in (TOMORROW_0H - timedelta(seconds=1), TOMORROW_0H, TOMORROW_0H + timedelta(days=1)):
        counter.city.reach(hour)
        granted.append((await counter.verdict(person))["granted"])
    assert granted == [False, True, False]


async def test_a_verdict_is_dated_by_the_hour_and_not_by_a_late_timer(counter: Counter) -> None:
    person = await counter.register()
    await counter.state({**HUKOU, "valid_from": "2026-10-09"})
    await counter.look(person)
    counter.city.reach(TOMORROW_0H + timedelta(hours=5))
    assert (await counter.verdict(person))["granted"]
    last = (await counter.store.outbox({}, 1000))[-1]
    assert '"at":"2026-10-08T16:00:00Z"' in last.data


async def test_a_bank_s_restriction_closes_one_function(counter: Counter) -> None:
    person = await counter.register()
    await counter.state()
    await counter.state({**HUKOU, "fact": "bank_restricted"}, BANK)
    verdict = await counter.verdict(person)
    refused = {one["function"] for one in verdict["functions"] if not one["granted"]}
    assert verdict["granted"]
    assert refused == {"social_security", "medical", "rural_medical", "bank_debit"}


async def test_the_same_document_is_the_same_person(counter: Counter) -> None:
    person = await counter.register()
    book = {"kind": "household_book", "number": "330902 19851231 0024"}
    assert await counter.register({**LI, "document": book}, CENTRE) == person
    assert await counter.facts(person) == ["person-registered", "contact-given"]


async def test_another_city_registers_for_itself(counter: Counter) -> None:
    person = await counter.register()
    elsewhere = await counter.register(caller=Caller("c-9", "clerk", WUXI, outlet="wx-hall"))
    assert (person[:6], elsewhere[:6]) == (ZHOUSHAN, WUXI)
    assert (await counter.verdict(person))["programme"] == "citizen-card"


async def test_a_retry_after_a_crash_between_claim_and_fact_completes_the_same_person(counter: Counter) -> None:
    counter.store.away = 1
    assert (await counter.post(CLERK, "/v1/persons", LI, "one")).status_code == 503
    assert code(await counter.post(CLERK, "/v1/persons/searches", DOCUMENT)) == (404, "person-unknown")
    by_another = await counter.register(caller=CENTRE)
    answer = await counter.post(CLERK, "/v1/persons", LI, "one")
    assert answer.json()["person_id"] == by_another


async def test_the_same_key_gives_the_same_answer(counter: Counter) -> None:
    first = await counter.post(CLERK, "/v1/persons", LI, "one")
    await counter.state()
    again = await counter.post(CLERK, "/v1/persons", LI, "one")
    assert (again.status_code, again.json(), again.headers["etag"]) == (201, first.json(), first.headers["etag"])
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_used_key_cannot_tie_another_document_to_somebody(counter: Counter) -> None:
    person = (await counter.post(CLERK, "/v1/persons", LI, "one")).json()["person_id"]
    assert code(await counter.post(CLERK, "/v1/persons", {**LI, "document": ELSE}, "one")) == (422, "key-reused")
    assert await counter.register({**LI, "document": ELSE}) != person


async def test_a_search_finds_a_person_and_shows_a_mask(counter: Counter) -> None:
    person = await counter.register()
    found = await counter.post(HOTLINE, "/v1/persons/searches", DOCUMENT)
    assert found.json() == {"person_id": person, "document": "id_card", "number": "330902********0024"}
    assert code(await counter.post(HOTLINE, "/v1/persons/searches", ELSE)) == (404, "person-unknown")


async def test_a_person_is_shown_masked(counter: Counter) -> None:
    person = await counter.register()
    await counter.state()
    seen = await counter.look(person)
    assert (seen["name"], seen["number"], seen["mobile"]) == ("李**", "330902********0024", "+86138****5678")
    assert [(one["fact"], one["department"], one["holds"]) for one in seen["facts"]] == [("hukou", "police", True)]
    assert not any(line in str(seen) for line in PERSONAL)


async def test_the_same_statement_twice_is_one_fact(counter: Counter) -> None:
    person = await counter.register()
    assert await counter.state() == await counter.state()
    assert (await counter.facts(person)).count("fact-stated") == 1


async def test_a_department_is_kept_to_its_own_facts_and_to_people_whom_we_know(counter: Counter) -> None:
    assert code(await counter.post(POLICE, "/v1/facts", HUKOU)) == (404, "person-unknown")
    await counter.register()
    assert code(await counter.post(BANK, "/v1/facts", HUKOU)) == (403, "fact-not-yours")
    for bad in ({"reference": "330902198512310024"}, {"valid_to": "9999-12-31"}, {"fact": "Hukou"}):
        assert code(await counter.post(POLICE, "/v1/facts", {**HUKOU, **bad})) == (422, "request-invalid")


async def test_a_passport_needs_its_issuer_and_a_birth_date(counter: Counter) -> None:
    passport = {"kind": "passport", "number": "E12345678"}
    ask: dict[str, Any] = {**LI, "document": passport}
    assert code(await counter.post(CLERK, "/v1/persons", ask)) == (422, "issuer-misshapen")
    ask["document"] = {**passport, "issuer": "USA"}
    assert code(await counter.post(CLERK, "/v1/persons", ask)) == (422, "birth-date-needed")
    assert await counter.register({**ask, "birth": "1990-01-01"})


async def test_only_the_centre_sees_a_person_in_clear_and_leaves_a_trace(counter: Counter) -> None:
    person = await counter.register()
    path, why = f"/v1/persons/{person}/reveals", {"reason": "correction"}
    assert code(await counter.post(CLERK, path, why)) == (403, "not-allowed")
    seen = (await counter.post(CENTRE, path, why)).json()
    assert (seen["name"], seen["number"], seen["birth"]) == ("李小龙", DOCUMENT["number"], "1985-12-31")
    assert seen["mobile"] == "+8613812345678"
    assert (await counter.facts(person))[-1] == "personal-data-revealed"


async def test_nothing_personal_is_written_in_clear(counter: Counter) -> None:
    person = await counter.register()
    await counter.state({**HUKOU, "valid_to": "2030-01-01"})
    await counter.look(person)
    await counter.post(CENTRE, f"/v1/persons/{person}/reveals", {"reason": "correction"})
    written = await counter.written()
    assert "fact" in written
    assert not any(line in written for line in PERSONAL)


async def test_after_an_erasure_nothing_can_be_read_and_nothing_breaks(counter: Counter) -> None:
    person = await counter.register()
    await counter.state({**HUKOU, "valid_to": "2026-10-09"})
    await counter.look(person)
    path, why = f"/v1/persons/{person}/erasures", {"reason": "own_request"}
    first = await counter.post(CENTRE, path, why, "once")
    assert (first.status_code, first.json()["erased"]) == (201, True)
    assert (await counter.post(CENTRE, path, why, "once")).json() == first.json()
    assert (await counter.post(CENTRE, path, why)).json() == first.json()

    counter.city.reach(TOMORROW_0H + timedelta(days=9))
    seen = await counter.look(person)
    assert seen.pop("person_id") == person
    assert seen.pop("erased")
    assert not any(seen.values())
    assert (await counter.facts(person))[-1] == "person-erased"

    assert code(await counter.post(HOTLINE, "/v1/persons/searches", DOCUMENT)) == (404, "person-unknown")
    reveal = await counter.post(CENTRE, f"/v1/persons/{person}/reveals", {"reason": "correction"})
    assert code(reveal) == (409, "data-erased")
    assert await counter.register() != person


async def test_a_registration_repeated_after_the_erasure_brings_nobody_back(counter: Counter) -> None:
    person = (await counter.post(CLERK, "/v1/persons", LI, "one")).json()["person_id"]
    await counter.post(CENTRE, f"/v1/persons/{person}/erasures", {"reason": "own_request"})
    assert code(await counter.post(CLERK, "/v1/persons", LI, "one")) == (409, "data-erased")


async def test_an_erasure_that_a_crash_interrupts_is_completed_by_the_city(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await counter.register()
    await counter.look(person)

    async def away(_person: str) -> None:
        raise Outage("the vault is away")

    with monkeypatch.context() as broken:
        broken.setattr(counter.vault, "erase", away)
        answer = await counter.post(CENTRE, f"/v1/persons/{person}/erasures", {"reason": "death"})
        assert answer.status_code == 503
    assert (await counter.look(person))["erased"]
    assert await counter.vault.find("document", f"{ZHOUSHAN} citizen:{DOCUMENT['number']}") is None


async def test_an_unserved_city_registers_nobody(counter: Counter) -> None:
    nowhere = Caller("c-1", "clerk", "110000", outlet="bj-hall")
    assert code(await counter.post(nowhere, "/v1/persons", LI)) == (403, "city-not-served")


async def test_another_city_s_clerk_sees_nothing(counter: Counter) -> None:
    person = await counter.register()
    wuxi = Caller("c-9", "clerk", WUXI, outlet="wx-hall")
    assert code(await counter.get(wuxi, f"/v1/persons/{person}")) == (403, "not-allowed")
    assert code(await counter.get(CLERK, "/v1/persons/330900-4K7MZQ0V5T8WX2N9")) == (404, "id-mistyped")


def test_every_route_names_its_action(counter: Counter) -> None:
    actions = {action_of(route) for route in counter.service.router.routes}  # type: ignore[arg-type]
    acts = ("register", "search", "look", "ask-why", "state-fact", "reveal", "erase", "read-programmes")
    of_deliveries = ("deliver", "see-delivery", "settle-record")
    of_merges = ("propose-merge", "approve-merge", "request-correction", "decide-correction")
    of_rolls = ("import-roll", "see-roll", "settle-duplicate")
    assert actions == {f"identity:{act}" for act in (*acts, *of_deliveries, *of_rolls, *of_merges)}
