"""Parts of rolls that the city carries out by itself: kept sealed, page by page, and forgotten when all is done."""

import io

from libs.eventsourcing.store import DueCommand
from libs.kernel.ids import city_of
from libs.runtime.citypack import CityPacks
from libs.runtime.service import Desks
from libs.vault.port import Vault
from services.identity.adapters.carrier import Carrier, Errand
from services.identity.adapters.roll_files import look_through, pages
from services.identity.domain.roll.commands import CarryOutPage, ForgetPart
from services.identity.domain.roll.state import Roll


def keeper(roll: str, part: int) -> str:
    """For whom the vault keeps a part: nobody else, so that it can be forgotten alone."""
    return f"{roll}.P{part}"


class KeptParts:
    """Carries out what lies in the vault, a page at a time, so that nobody else's hour waits for long."""

    def __init__(self, desks: Desks, carrier: Carrier, vault: Vault, packs: CityPacks) -> None:
        self._desks, self._carrier, self._vault, self._packs = desks, carrier, vault, packs

    async def carry_out(self, command: CarryOutPage, _due: DueCommand) -> None:
        """Judge the rows of a page; done before, it is not done again."""
        roll: Roll = (await self._desks["roll"].standing(command.roll_id)).state
        part = roll.parts[command.part]
        if command.page <= len(part.pages):
            return
        content = await self._vault.fetch(keeper(command.roll_id, command.part), part.reference)
        survey = look_through(io.BytesIO(content))
        errand = Errand(
            roll_id=command.roll_id,
            part=command.part,
            programme=roll.programme,
            department=roll.department,
            encoding=survey.encoding,
            actor="city",
            bylaws=self._packs.hash_of(city_of(command.roll_id)),
        )
        carried = [page.last_line for page in part.pages]
        page = next(one for one in pages(io.BytesIO(content), survey, carried) if one.number == command.page)
        await self._carrier.carry_out(errand, page)

    async def forget(self, command: ForgetPart, _due: DueCommand) -> None:
        """Destroy the key of a part; said twice, done once."""
        await self._vault.erase(keeper(command.roll_id, command.part))
