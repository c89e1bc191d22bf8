"""How a holder is reached: what identity and issuance have told us, opened by the vault."""

from collections.abc import Sequence
from dataclasses import replace

from libs.eventsourcing.lanes import Together
from libs.kernel import Sealed
from libs.messaging.readmodel import Rows
from libs.vault.port import Erased, Vault
from services.ids import HoldingId
from services.notice.domain.events import Letter
from services.notice.ports import Contact
from services.notice.projections import CONTACT, HOLDER


class KnownContacts:
    """Looks in our own read models; the number itself is only ever open in memory, on its way to the provider."""

    def __init__(self, rows: Rows, vault: Vault) -> None:
        self._rows, self._vault = rows, vault
        self._looking = Together(self._look_up)

    async def of(self, holding_id: HoldingId) -> Contact | None:
        return await self._looking(holding_id)

    async def _look_up(self, holdings: Sequence[HoldingId]) -> Sequence[Contact | None]:
        """All who are asked for at the same time, with two questions."""
        holders = await self._rows.among(HOLDER, "holding_id", holdings)
        person_of = {row["holding_id"]: row["person_id"] for row in holders}
        programme_of = {row["holding_id"]: row["programme"] or "" for row in holders}
        contacts = await self._rows.among(CONTACT, "person_id", list(set(person_of.values())))
        contact_of = {
            row["person_id"]: Contact(
                person_id=row["person_id"], mobile=Sealed(box=row["mobile_box"]), language=row["language"]
            )
            for row in contacts
        }
        found = [(holding, contact_of.get(person_of.get(holding, ""))) for holding in holdings]
        return [contact and replace(contact, programme=programme_of[holding]) for holding, contact in found]

    async def number(self, letter: Letter) -> str | None:
        try:
            return await self._vault.open(letter.person_id, "mobile", letter.to)
        except Erased:
            return None
