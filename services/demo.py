"""One card's life, played over real HTTP against a platform that was started for it."""

import asyncio
import base64
import importlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import httpx

from libs.runtime.citytime import MachineClock
from libs.runtime.development import issuer_key
from libs.runtime.settings import Settings
from libs.testing.portraits import portrait
from libs.testing.stage import on_kafka, one_process
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, issue

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGINS = datetime(2026, 9, 1, 9, 30, tzinfo=SHANGHAI)  # A month before the National Day holidays.

LIN = {"kind": "id_card", "number": "330902198512310024"}


async def play(engines: str = "embedded", city: str = "zhoushan") -> int:
    """Start the platform on fresh engines, play the story, stop; returns the exit status."""
    home = Path(".citycard") / f"demo-{os.getpid()}"
    start = {"CITYCARD_CITY_TIME_START": BEGINS.isoformat()}
    print(f"Starting the platform on its {engines} engines …", flush=True)
    began = time.perf_counter()
    try:
        async with (on_kafka if engines == "kafka" else one_process)(home, **start) as stage:
            at = ", ".join(f"{name} at {address}" for name, address in stage.addresses.items())
            print(f"… ready after {time.perf_counter() - began:.1f} s: {at}\n")
            stories: dict[str, type[Story]] = importlib.import_module("services.demo_cities").STORIES
            await stories[city](stage.web, stage.settings).tell()
        print(f"\nThe whole life took {time.perf_counter() - began:.1f} s of ours.")
        return 0
    finally:
        shutil.rmtree(home, ignore_errors=True)


@dataclass
class Story:
    """Who acts, and what has come of it so far."""

    city: ClassVar[str] = "330900"
    web: httpx.AsyncClient
    settings: Settings
    acts: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    async def tell(self) -> None:
        """From the registration to the day on which the new card takes the old one's place."""
        person = await self.a_person_is_registered()
        await self.a_department_makes_her_eligible(person)
        application = await self.she_applies(person)
        first = await self.her_card_is_made_twice(application)
        await self.she_collects(first)
        await self.she_telephones_at_night_and_nobody_signs(first)
        second = await self.she_signs_and_gets_a_new_card(first)
        await self.the_new_card_takes_the_place_of_the_old(first, second)
        await self.the_timeline(second)

    # --- the acts ---

    async def a_person_is_registered(self) -> str:
        self.heading("Lin Xiaozhou comes to the Dinghai community outlet")
        told = await self.post(
            "clerk:zs-dinghai",
            "/v1/persons",
            {"document": LIN, "name": "林小舟", "mobile": "13800005678", "language": "zh"},
        )
        self.say(f"she is known as {told['person_id']}; her number, name and telephone are sealed with her own key")
        return str(told["person_id"])

    async def a_department_makes_her_eligible(self, person: str) -> None:
        await self.quiet()
        before = await self.get("clerk:zs-dinghai", f"/v1/persons/{person}")
        self.say(f"is she entitled to a card? {_verdict(before)}")
        self.heading("The department of human resources and social security reports her insurance")
        await self.post(
            "department:hrss",
            "/v1/facts",
            {
                "document": LIN,
                "fact": "insured_employee",
                "valid_from": "2024-03-01",
                "valid_to": None,
                "reference": "HRSS-2024-118-20",
                "ended": False,
            },
        )
        after, took_ms = await self.until(
            lambda: self.get("clerk:zs-dinghai", f"/v1/persons/{person}", quiet=True), _granted
        )
        self.say(f"{took_ms:.0f} ms later: {_verdict(after)}")
        await self.quiet()

    async def she_applies(self, person: str) -> dict[str, Any]:
        self.heading("She applies, with her ID card and a portrait; a clerk accepts")
        told = await self.post(
            "clerk:zs-dinghai",
            "/v1/applications",
            {
                "person_id": person,
                "programme": "citizen-card",
                "documents": ["id_card"],
                "portrait": base64.b64encode(portrait()).decode(),
            },
            show={"portrait": "<JPEG, 358 x 441>"},
        )
        application = told["application_id"]
        told = await self.post("clerk:zs-dinghai", f"/v1/applications/{application}/acceptances", {})
        self.say(f"receipt {told['receipt']}; the card is promised by {_day(told['promised_by'])}:")
        self.say("one month, and past the National Day holidays")
        await self.quiet()
        return told

    async def her_card_is_made_twice(self, application: dict[str, Any]) -> str:
        self.heading("Production: the first attempt is spoiled, the second is good")
        await self.produce("zs-dinghai", spoil="ink: smeared portrait")
        progress = await self.get("", f"/v1/progress/{application['receipt']}")
        self.say(f"the public enquiry says: {progress['advice']}")
        await self.advance("2026-09-14T10:00:00+08:00")
        batch = await self.produce("zs-dinghai")
        told = await self.post("clerk:zs-dinghai", f"/v1/batches/{batch}/receipts", {"counted": 1})
        self.say(
            f"ordered {told['ordered']} = good {told['good']} + spoiled {told['spoiled']} + in work {told['in_work']}"
        )
        await self.quiet()
        await self.her_telephone_says(application["holding_id"])
        holding = application["holding_id"]
        return f"{holding}.2"

    async def she_collects(self, card: str) -> None:
        await self.advance("2026-09-21T14:05:00+08:00")
        self.heading("She collects the card; in Zhoushan that activates it")
        told = await self.post("clerk:zs-dinghai", f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
        self.say(f"{card} (number {told['card_number']}) is {told['status']} until {_day(told['valid_to'])}")
        await self.quiet()
        self.functions(await self.get("clerk:zs-dinghai", f"/v1/cards/{card}"))

    async def she_telephones_at_night_and_nobody_signs(self, card: str) -> None:
        await self.advance("2026-09-28T23:15:00+08:00")
        self.heading("23:15: the card is gone, and she telephones")
        told = await self.post("hotline", f"/v1/cards/{card}/pre-reports", {"verified_by": "service_password"})
        self.say(f"stopped at {told['stopped_at']}, to the millisecond")
        self.say(f"and without a signature it lapses at {_hour(told['lapses_at'])}: five working days,")
        self.say("1 to 7 October off, Saturday 10 October worked")
        (seen, issuance_ms), (notices, notice_ms) = await asyncio.gather(
            self.until(lambda: self.get("clerk:zs-dinghai", f"/v1/cards/{card}", quiet=True), _refuses_medical),
            self.until(lambda: self.notices(card), lambda found: found[0]["step"] == "card-rests"),
        )
        self.say(f"after the answer to the call, issuance refused the card within {issuance_ms:.0f} ms")
        self.say(f"and notice had sent her a message within {notice_ms:.0f} ms:")
        self.say(f"her telephone: {notices[0]['text']}")
        self.functions(seen)
        self.heading("Nobody signs")
        await self.advance("2026-10-10T23:59:59+08:00")
        self.say(
            f"one second before its hour: medical {_medical(await self.get('clerk:zs-dinghai', f'/v1/cards/{card}'))}"
        )
        await self.advance("2026-10-11T00:00:00+08:00")
        self.say(f"her telephone: {(await self.notices(card))[0]['text']}")
        self.say(f"at its hour: medical {_medical(await self.get('clerk:zs-dinghai', f'/v1/cards/{card}'))}")

    async def she_signs_and_gets_a_new_card(self, card: str) -> str:
        await self.advance("2026-10-12T08:40:00+08:00")
        self.heading("It is really gone: she telephones again, signs at the bank, and applies for a new card")
        await self.post("hotline", f"/v1/cards/{card}/pre-reports", {"verified_by": "service_password"})
        await self.advance("2026-10-12T15:20:00+08:00")
        await self.post("bank:zs-icbc-dinghai", f"/v1/cards/{card}/written-reports", {"document": "id_card"})
        await self.post("bank:zs-icbc-dinghai", f"/v1/cards/{card}/reissues", {"document": "id_card"})
        refused = await self.post("clerk:zs-hall", f"/v1/cards/{card}/lifts", {"document": "id_card"}, expect=409)
        self.say(f"lifting is refused: {refused['detail']}")
        await self.quiet()
        self.say(f"her telephone: {(await self.notices(card))[0]['text']}")
        await self.advance("2026-10-20T09:00:00+08:00")
        batch = await self.produce("zs-icbc-dinghai")
        await self.post("bank:zs-icbc-dinghai", f"/v1/batches/{batch}/receipts", {"counted": 1})
        await self.quiet()
        holding, _, ordinal = card.rpartition(".")
        return f"{holding}.{int(ordinal) + 1}"

    async def the_new_card_takes_the_place_of_the_old(self, old: str, new: str) -> None:
        await self.advance("2026-10-22T11:30:00+08:00")
        self.heading("She collects the new card")
        told = await self.post("bank:zs-icbc-dinghai", f"/v1/cards/{new}/hand-overs", {"document": "id_card"})
        instant = told["active_from"]
        before = datetime.fromisoformat(instant).timestamp() - 0.001
        just_before = datetime.fromtimestamp(before, SHANGHAI).isoformat(timespec="milliseconds")
        await self.quiet()
        for moment, words in ((just_before, "one millisecond before"), (instant, "in that instant")):
            states = [
                (await self.get("bank:zs-icbc-dinghai", f"/v1/cards/{card}", params={"at": moment}))
                for card in (old, new)
            ]
            old_word, new_word = (f"{state['status']}, medical {_medical(state)}" for state in states)
            self.say(f"{words}: old card {old_word}; new card {new_word}")
        refused = await self.post("hotline", f"/v1/cards/{old}/pre-reports", {"verified_by": "knowledge"}, expect=409)
        self.say(f"the old card, for ever: {refused['detail']}")

    async def the_timeline(self, card: str) -> None:
        self.heading("The timeline, from the events")
        told = await self.get("clerk:zs-dinghai", f"/v1/cards/{card}/timeline")
        for entry in told["entries"]:
            print(f"   {_hour(entry['at'], seconds=True)}  {entry['service']:<9} {entry['what']:<22} {entry['actor']}")

    # --- how they are done ---

    async def fact(self, department: str, shown: dict[str, str], fact: str, begins: str, ends: str = "") -> None:
        """A department says something, and all that follows from it has followed."""
        said: dict[str, Any] = {"document": shown, "fact": fact, "valid_from": begins, "reference": f"{fact}-1"}
        await self.post(f"department:{department}", "/v1/facts", said | ({"valid_to": ends} if ends else {}))
        await self.quiet()

    async def because(self, who: str, person: str, programme: str, function: str = "", shorter: bool = True) -> None:
        """Why somebody is entitled to a card or not, in the words that the citizen, the clerk and an appeal read."""
        asked = {"function": function} if function else {}
        told = await self.get(who, f"/v1/persons/{person}/entitlements/{programme}/why", params=asked)
        for line in told["text"]["en"].splitlines():
            if not (shorter and line.startswith(("In force", "Decided"))):
                self.say(line)
        if not shorter:
            self.say(told["text"]["zh"].splitlines()[0])

    async def produce(self, outlet: str, spoil: str = "", programme: str = "citizen-card") -> str:
        """Draw a batch for an outlet, order it, read its return file, and send what is good on its way."""
        drawn = await self.post("centre", "/v1/batches", {"programme": programme, "outlet": outlet})
        await self.quiet()
        batch = drawn["batch_id"]
        ordered = await self.post("centre", f"/v1/batches/{batch}/orders", {})
        lines = ["card_number,card_ident,atr,box,failed_step,reason"]
        for seat in ordered["seats"]:
            number = seat["card_number"]
            step, _, reason = spoil.partition(": ")
            ident = "" if spoil else f"{int(number):032X}"
            lines.append(
                f"{number},{ident},{'' if spoil else '3B6D00000081544A'},{'' if spoil else 'A-01'},{step},{reason}"
            )
        lines.append(f"total,{len(ordered['seats'])}")
        told = await self.post(
            "vendor",
            f"/v1/batches/{batch}/returns",
            {"file": "\n".join(lines) + "\n"},
            show={"file": f"<{len(ordered['seats'])} card>"},
        )
        self.say(
            f"ordered {told['ordered']} = good {told['good']} + spoiled {told['spoiled']} + in work {told['in_work']}"
        )
        if told["good"]:
            await self.post("centre", f"/v1/batches/{batch}/dispatches", {})
        await self.quiet()
        return str(batch)

    async def notices(self, card: str) -> list[dict[str, Any]]:
        """What her telephone was sent, newest first."""
        holding = card.partition(".")[0]
        told = await self.get("clerk:zs-dinghai", "/v1/notices", params={"holding_id": holding}, quiet=True)
        return [notice for notice in told if notice["status"] == "sent"]

    async def her_telephone_says(self, holding: str) -> None:
        found, _ = await self.until(lambda: self.notices(f"{holding}.1"), bool)
        self.say(f"her telephone: {found[0]['text']}")

    async def advance(self, to: str) -> None:
        told = await self.post("operator", "/v1/city-time/advances", {"to": to}, silent=True)
        print(f"\n   ── {_hour(told['now'])} ──")

    async def quiet(self) -> None:
        """Wait until everybody has heard everything."""
        await self.post("operator", "/v1/city-time/advances", {"by_s": 0}, silent=True)

    async def post(
        self,
        who: str,
        path: str,
        body: dict[str, Any],
        *,
        expect: int = 201,
        show: dict[str, str] | None = None,
        silent: bool = False,
    ) -> dict[str, Any]:
        self.acts += 1
        headers = self.headers(who) | {"Idempotency-Key": f"act-{self.acts}"}
        answer = await self.web.post(path, json=body, headers=headers)
        if not silent:
            shown = {name: (show or {}).get(name, given) for name, given in body.items()}
            print(f"   {who.partition(':')[0]} → POST {path} {json.dumps(shown, ensure_ascii=False) if shown else ''}")
            print(f"     ← {answer.status_code} {answer.reason_phrase}")
        assert answer.status_code == expect, answer.text
        return dict(answer.json())

    async def get(self, who: str, path: str, *, params: dict[str, str] | None = None, quiet: bool = False) -> Any:
        answer = await self.web.get(path, params=params, headers=self.headers(who))
        if not quiet:
            print(f"   {who.partition(':')[0] or 'anybody'} → GET {path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def headers(self, who: str) -> dict[str, str]:
        if not who:
            return {}
        if who not in self.tokens:
            role, _, where = who.partition(":")
            place = {{"department": "department", "citizen": "person"}.get(role, "outlet"): where}
            caller = Caller(id=f"{role}-1", role=role, city=self.city, **place)
            self.tokens[who] = issue(issuer_key(self.settings), MachineClock(), caller, ISSUER_DEVELOPMENT)
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    async def until(self, ask: Callable[[], Any], enough: Callable[[Any], bool]) -> tuple[Any, float]:
        """Ask until the answer is enough; returns it and how long that took, in milliseconds."""
        began = time.perf_counter()
        async with asyncio.timeout(10):
            while not enough(found := await ask()):
                await asyncio.sleep(0.002)
        return found, (time.perf_counter() - began) * 1e3

    def heading(self, words: str) -> None:
        print(f"\n● {words}")

    def say(self, words: str) -> None:
        print(f"     {words}")

    def functions(self, card: dict[str, Any]) -> None:
        for one in card["functions"]:
            why = "" if one["usable"] else one["because"]
            print(f"       {'✓' if one['usable'] else '✗'} {one['function']:<16} {why}")


def _verdict(person: dict[str, Any]) -> str:
    for one in person["entitlements"]:
        word = "yes" if one["granted"] else "no"
        missing = f"; missing: {', '.join(one['missing'])}" if one["missing"] else ""
        used = f"; from {', '.join(one['facts_used'])}" if one["facts_used"] else ""
        return f"{word}, by rule {one['rule']} – {one['article']}{used}{missing}"
    return "nothing is known yet"


def _granted(person: dict[str, Any]) -> bool:
    return any(one["granted"] for one in person["entitlements"])


def _medical(card: dict[str, Any]) -> str:
    one = next(one for one in card["functions"] if one["function"] == "medical")
    return "works" if one["usable"] else f"refused ({one['because']})"


def _refuses_medical(card: dict[str, Any]) -> bool:
    return not _medical(card).startswith("works")


def _hour(moment: str, seconds: bool = False) -> str:
    local = datetime.fromisoformat(moment).astimezone(SHANGHAI)
    return f"{local:%a %d %b %Y %H:%M:%S.%f}"[:-3] if seconds else f"{local:%a %d %b %Y %H:%M:%S}"


def _day(moment: str) -> str:
    """The last day of a stretch that ends at its 24:00."""
    local = datetime.fromisoformat(moment).astimezone(SHANGHAI)
    return f"{datetime.fromtimestamp(local.timestamp() - 1, SHANGHAI):%a %d %b %Y}"
