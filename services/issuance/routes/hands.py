"""What every door of issuance has at hand."""

import base64
import binascii
from dataclasses import dataclass
from datetime import date, datetime

from libs.kernel import Missing, Outage, Sealed
from libs.kernel.calendar import full_years, shanghai_day
from libs.kernel.clocks import Clock
from libs.runtime.service import Desks
from libs.vault.port import Erased, Vault
from libs.web.limits import Guesses
from services.ids import PersonId
from services.issuance.adapters import portraits
from services.issuance.adapters.bylaws import IssuanceBylaws, standard
from services.issuance.domain.application.state import Paper
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.portrait import (
    PortraitNotAlone,
    PortraitNotColour,
    PortraitNotOnWhite,
    PortraitTooHeavy,
    PortraitTooLight,
    PortraitUnreadable,
    PortraitWrongSize,
)
from services.issuance.ports import Fingerprints
from services.issuance.projections import IssuanceQuestions

PORTRAITS = (
    PortraitUnreadable,
    PortraitNotAlone,
    PortraitTooHeavy,
    PortraitTooLight,
    PortraitWrongSize,
    PortraitNotColour,
    PortraitNotOnWhite,
)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class NoPortrait(Missing):
    """No portrait lies with this application: none is needed, or the one on file is used."""


class PersonErased(Missing):
    """This person's data were erased; register the person anew."""


@dataclass(frozen=True)
class Hands:
    """The desks, the bylaws, the vault, what is remembered, city time, and who has guessed how often."""

    desks: Desks
    bylaws: IssuanceBylaws
    vault: Vault
    questions: IssuanceQuestions
    city: Clock
    fingerprints: Fingerprints
    guesses: Guesses

    async def age_of(self, person: PersonId, at: datetime) -> int | None:
        """Full years on this day; None of somebody who was registered before birthdays were told, or is erased.

        Raises Outage if identity has not told of this person yet: in a moment it will have.
        """
        sealed = await self.questions.birth_of(person)
        if sealed is None:
            raise Outage("identity has not told of this person yet")
        if not sealed:
            return None
        try:
            born = date.fromisoformat(await self.vault.open(person, "birth", Sealed(box=sealed)))
        except Erased:
            return None
        return full_years(born, shanghai_day(at))

    async def keep_portrait(self, person: PersonId, encoded: str, under: IssuanceBylaw) -> str:
        """The reference of a portrait that meets the standard. Raises one of PORTRAITS, or PersonErased."""
        try:
            image = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise PortraitUnreadable from error
        portrait = portraits.examine(image, standard(under))
        try:
            return await self.vault.keep(person, "portrait", portrait.jpeg)
        except Erased as erased:
            raise PersonErased from erased

    async def portrait_of(self, paper: Paper) -> bytes:
        """The picture that lies with an application. Raises PersonErased."""
        try:
            return await self.vault.fetch(paper.person_id, paper.portrait)
        except Erased as erased:
            raise PersonErased from erased


def receipt_number(secret: bytes) -> str:
    """A receipt number of 60 bits that nobody can guess and that a repeated request makes again."""
    number = int.from_bytes(secret[:8], "big") >> 4
    body = "".join(_CROCKFORD[number >> shift & 31] for shift in range(55, -1, -5))
    return f"{body[:4]}-{body[4:8]}-{body[8:]}"
