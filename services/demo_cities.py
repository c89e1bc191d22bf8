"""What differs from city to city, told as a story each: the same platform, other data."""

import base64
from typing import Any

from libs.testing.portraits import portrait
from services.demo import Story

PORTRAIT = base64.b64encode(portrait()).decode()


class OfHangzhou(Story):
    """Two eligibility texts, a job and an insurance, and days that are counted for foreign talents."""

    city = "330100"

    async def tell(self) -> None:
        await self.a_student_from_elsewhere()
        await self.a_worker_without_a_household()
        await self.a_foreign_talent()

    async def a_student_from_elsewhere(self) -> None:
        self.heading("A student whose household is elsewhere: Article 6 knows her, the older text did not")
        shown = {"kind": "id_card", "number": "330902198512310024"}
        person = await self.registered(shown, "林小舟")
        await self.fact("education", shown, "study", "2024-09-01")
        await self.why(person, "citizen-card", shorter=False)
        self.say("by the older text, in force before 2014: `citycard bylaws explain hangzhou-citizen --facts study")
        self.say("--on 2013-06-01` answers no, and names the household as what is missing")

    async def a_worker_without_a_household(self) -> None:
        self.heading("A worker without a household: the social security card wants a job and an insurance")
        shown = {"kind": "id_card", "number": "320206200002290014"}
        person = await self.registered(shown, "陈大海")
        await self.fact("hrss", shown, "insured_employee", "2024-03-01")
        await self.why(person, "social-security-card")
        await self.fact("hrss", shown, "stable_job", "2024-03-01")
        await self.why(person, "social-security-card")

    async def a_foreign_talent(self) -> None:
        self.heading("A foreign talent: the work permit must hold for more than 90 days")
        shown = {"kind": "passport", "number": "X0000001", "issuer": "USA"}
        person = await self.registered(shown, "Alice Example", birth="1990-01-01", language="en")
        await self.fact("immigration", shown, "passport", "2020-01-01")
        await self.fact("experts", shown, "work_permit", "2025-09-01", "2026-11-30")
        self.say("the permit ends on 30 November; it is 1 September, so 90 days are left:")
        await self.why(person, "foreign-talent-card")
        refused = await self.applied(person, "foreign-talent-card")
        self.say(f"the enquiry says: {refused['status']}. {refused['advice']}")
        await self.fact("experts", shown, "work_permit", "2025-09-01", "2027-08-31")
        self.say("the permit was renewed:")
        await self.why(person, "foreign-talent-card")
        taken = await self.applied(person, "foreign-talent-card")
        self.say(f"the enquiry says: {taken['status']}. {taken['advice']}")
        await self.why(person, "foreign-talent-card", function="medical")
        self.say("nothing is withheld for a nationality: medical insurance waits for insurance, as for everybody")

    async def applied(self, person: str, programme: str) -> dict[str, Any]:
        told = await self.post(
            "clerk:hz-hall",
            "/v1/applications",
            {
                "person_id": person,
                "programme": programme,
                "documents": ["passport"],
                "papers": [{"kind": "work_permit"}],
                "portrait": PORTRAIT,
                "taken": "on_site",
            },
            show={"portrait": "<JPEG>", "papers": "<work permit>"},
        )
        accepted = await self.post("clerk:hz-hall", f"/v1/applications/{told['application_id']}/acceptances", {})
        await self.quiet()
        found: dict[str, Any] = await self.get("", f"/v1/progress/{accepted['receipt']}")
        return found

    async def registered(self, shown: dict[str, str], name: str, **more: str) -> str:
        about = {"document": shown, "name": name, "mobile": "13800005678", "language": "zh"} | more
        told = await self.post("clerk:hz-hall", "/v1/persons", about)
        await self.quiet()
        return str(told["person_id"])

    async def why(self, person: str, programme: str, function: str = "", shorter: bool = True) -> None:
        await self.because("clerk:hz-hall", person, programme, function, shorter)


class OfWuxi(Story):
    """A permit that time alone opens and a year ends, a card that its holder activates, a call that counts days."""

    city = "320200"

    async def tell(self) -> None:
        person = await self.half_a_year()
        await self.a_card_that_its_holder_activates()
        await self.from_year_to_year(person)

    async def half_a_year(self) -> str:
        self.heading("A residence permit wants half a year: time alone opens it, at its hour")
        shown = {"kind": "id_card", "number": "330902198512310024"}
        person = await self.registered(shown, "林小舟")
        await self.fact("hrss", shown, "stable_job", "2026-02-01")
        await self.fact("police", shown, "residence", "2026-03-03")
        await self.because("clerk:wx-hall", person, "residence-permit")
        await self.advance("2026-09-02T00:00:00+08:00")
        self.say("nobody has said anything new:")
        await self.because("clerk:wx-hall", person, "residence-permit")
        return person

    async def a_card_that_its_holder_activates(self) -> None:
        self.heading("The third-generation social security card works when its holder activates it")
        shown = {"kind": "id_card", "number": "320206200002290014"}
        person = await self.registered(shown, "陈大海")
        await self.fact("hrss", shown, "insured_employee", "2024-03-01")
        papers = {
            "person_id": person, "programme": "social-security-card", "documents": ["id_card"], "portrait": PORTRAIT,
        }  # fmt: skip
        taken = await self.post("clerk:wx-hall", "/v1/applications", papers, show={"portrait": "<JPEG>"})
        told = await self.post("clerk:wx-hall", f"/v1/applications/{taken['application_id']}/acceptances", {})
        self.say(f"25 working days: promised by {told['promised_by']}")
        await self.quiet()
        batch = await self.produce("wx-hall", programme="social-security-card")
        await self.post("clerk:wx-hall", f"/v1/batches/{batch}/receipts", {"counted": 1})
        await self.quiet()
        card = f"{told['holding_id']}.1"
        handed = await self.post("clerk:wx-hall", f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
        self.say(f"handed over, and {handed['status']}: nothing works yet")
        active = await self.post(f"citizen:{person}", f"/v1/cards/{card}/activations", {})
        self.say(f"she activates it herself: {active['status']}")
        await self.quiet()
        self.functions(await self.get("clerk:wx-hall", f"/v1/cards/{card}"))
        stopped = await self.post("hotline", f"/v1/cards/{card}/pre-reports", {"verified_by": "service_password"})
        self.say(f"a call stops it until {stopped['lapses_at']}: seven days; Zhoushan counts five working days")
        await self.advance(str(stopped["lapses_at"]))
        self.say("nobody signed, and it works again:")
        self.functions(await self.get("clerk:wx-hall", f"/v1/cards/{card}"))

    async def from_year_to_year(self, person: str) -> None:
        self.heading("The permit holds for a year, and is endorsed within the month before the year is full")
        police = "clerk:wx-police-liangxi"
        papers = {
            "person_id": person, "programme": "residence-permit", "documents": ["id_card"], "portrait": PORTRAIT,
            "papers": [{"kind": "id_card"}, {"kind": "employment_proof"}],
        }  # fmt: skip
        shown = {"portrait": "<JPEG>", "papers": "<ID card, employment proof>"}
        taken = await self.post(police, "/v1/applications", papers, show=shown)
        told = await self.post(police, f"/v1/applications/{taken['application_id']}/acceptances", {})
        await self.quiet()
        batch = await self.produce("wx-police-liangxi", programme="residence-permit")
        await self.post(police, f"/v1/batches/{batch}/receipts", {"counted": 1})
        await self.quiet()
        card = f"{told['holding_id']}.1"
        handed = await self.post(police, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
        early = await self.post(police, f"/v1/cards/{card}/endorsements", {}, expect=409)
        self.say(f"valid until {handed['valid_to']}; asked for an endorsement at once: {early['detail']}")
        await self.quiet()
        await self.advance("2027-08-20T10:00:00+08:00")
        sent = await self.get(police, "/v1/notices", params={"holding_id": told["holding_id"]}, quiet=True)
        self.say(f"her telephone: {sent[0]['text']}")
        endorsed = await self.post("clerk:wx-tongjiang", f"/v1/cards/{card}/endorsements", {})
        self.say(f"endorsed at the community that the police have entrusted: valid until {endorsed['valid_to']}")

    async def registered(self, shown: dict[str, str], name: str) -> str:
        about = {"document": shown, "name": name, "mobile": "13800005678", "language": "zh"}
        told = await self.post("clerk:wx-hall", "/v1/persons", about)
        await self.quiet()
        return str(told["person_id"])


STORIES: dict[str, type[Story]] = {"zhoushan": Story, "hangzhou": OfHangzhou, "wuxi": OfWuxi}
