"""How a holder is reached: what identity and issuance have told us, opened by the vault."""

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

    async def of(self, holding_id: HoldingId) -> Contact | None:
        holder = await self._rows.one(HOLDER, holding_id=holding_id)
        if holder is None:
            return None
        contact = await self._rows.one(CONTACT, person_id=holder["person_id"])
        if contact is None:
            return None
        return Contact(
            person_id=contact["person_id"], mobile=Sealed(box=contact["mobile_box"]), language=contact["language"]
        )

    async def number(self, letter: Letter) -> str | None:
        try:
            return await self._vault.open(letter.person_id, "mobile", letter.to)
        except Erased:
            return None
