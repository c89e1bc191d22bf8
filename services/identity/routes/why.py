"""Whoever asks why is told by which rule: of a correction, an entry, a record that was put aside, a row of a roll."""

from typing import Annotated

from fastapi import APIRouter, Query

from libs.kernel.ids import city_of
from libs.runtime.citypack import CityPacks
from libs.runtime.service import Desks
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.why import WhyView
from services.identity.adapters import why as explained
from services.identity.adapters.why import NotDecidedYet, RowNotJudged
from services.identity.domain.delivery.decider import DeliveryUnknown, RecordNotAside
from services.identity.domain.merging import PersonUnknown
from services.identity.domain.roll.decider import RollUnknown
from services.identity.domain.state import Unknown
from services.identity.routes.corrections import CorrectionPath
from services.identity.routes.deliveries import DeliveryPath
from services.identity.routes.people import PersonPath
from services.identity.routes.rolls import RollPath
from services.ids import IdMistyped, PersonId, RollId, case_id, known


def why(routes: APIRouter, desks: Desks, packs: CityPacks) -> None:
    """Open this window."""
    persons, lists = desks["person"], desks["roll"]

    @routes.get(
        explained.CORRECTION,
        responses=refusals(IdMistyped, PersonUnknown, NotDecidedYet),
        dependencies=[allowed("identity:ask-why")],
    )
    async def why_was_a_correction_decided_so(
        person_id: PersonPath, correction_id: CorrectionPath, call: Call
    ) -> WhyView:
        """Why base data were corrected or stay as they are, and whose task that is; in Chinese and English."""
        person = PersonId(known(person_id))
        if isinstance((await call.see(persons, person, city=city_of(person))).state, Unknown):
            raise PersonUnknown
        told = explained.why_corrected(person, correction_id, await persons.story(person), packs)
        return WhyView.of(told, packs.names_of(told.city))

    @routes.get(
        explained.ENTRY,
        responses=refusals(IdMistyped, PersonUnknown, NotDecidedYet),
        dependencies=[allowed("identity:ask-why")],
    )
    async def why_does_an_entry_stand_so(person_id: PersonPath, call: Call) -> WhyView:
        """Why an entry stands under another or for itself again, who had to look, and until when; the last word."""
        person = PersonId(known(person_id))
        if isinstance((await call.see(persons, person, city=city_of(person))).state, Unknown):
            raise PersonUnknown
        told = explained.why_entry(person, await persons.story(person), packs)
        return WhyView.of(told, packs.names_of(told.city))

    @routes.get(
        explained.RECORD,
        responses=refusals(IdMistyped, DeliveryUnknown, RecordNotAside),
        dependencies=[allowed("identity:see-delivery")],
    )
    async def why_was_a_record_put_aside(
        delivery_id: DeliveryPath,
        call: Call,
        row: Annotated[int, Query(ge=1, description="The row within the delivery.")] = 1,
    ) -> WhyView:
        """What is wrong with it, by which agreement it is kept and until when, and what became of it."""
        await call.see(desks["delivery"], known(delivery_id), city=city_of(delivery_id))
        told = explained.why_aside(row, await desks["delivery"].story(delivery_id), packs)
        return WhyView.of(told, packs.names_of(told.city))

    @routes.get(
        explained.ROW,
        responses=refusals(IdMistyped, RollUnknown, RowNotJudged),
        dependencies=[allowed("identity:see-roll")],
    )
    async def why_did_a_row_bring_a_card_or_none(
        roll_id: RollPath,
        call: Call,
        part: Annotated[int, Query(ge=1, description="The part of the roll.")] = 1,
        line: Annotated[int, Query(ge=2, description="The line within the part; the heading is line 1.")] = 2,
    ) -> WhyView:
        """By which condition of issue without application, or what is wrong with the row; nothing in it says who."""
        roll = RollId(known(roll_id))
        if not (await call.see(lists, roll, city=city_of(roll))).state.opened:
            raise RollUnknown
        case = (await desks["duplicate"].standing(case_id(roll, part, line))).state
        told = explained.why_row(roll, part, line, await lists.story(roll), case, packs)
        return WhyView.of(told, packs.names_of(told.city))
