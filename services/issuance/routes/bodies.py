"""What callers send to issuance."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field, StringConstraints

from libs.web.bodies import Body, Text

Document = Literal[
    "id_card", "household_book", "residence_permit", "temporary_residence_permit", "passport", "social_security_card"
]


class AgentBody(Body):
    """Somebody who applies for another."""

    relation: Literal["guardian", "parent", "child", "spouse", "relative", "employer", "other"]
    """How the agent is related to the applicant; names are on the papers, not here."""
    document: Document
    """The agent's own document."""


class ApplicationBody(Body):
    """A request for a card."""

    person_id: Annotated[str, StringConstraints(max_length=30)]
    programme: Text
    documents: Annotated[list[Document], Field(min_length=1, max_length=6)]
    """The valid documents that were shown."""
    portrait: Annotated[str, StringConstraints(max_length=200_000)]
    """The portrait: a JPEG in base64."""
    agent: AgentBody | None = None


class ReasonBody(Body):
    """Why."""

    reason: Text


class SupplementBody(Body):
    """What was missing."""

    documents: Annotated[list[Document], Field(max_length=6)] = []
    portrait: Annotated[str, StringConstraints(max_length=200_000)] | None = None


class NothingToAdd(Body):
    """An act that needs no more words."""


class BatchBody(Body):
    """Which waiting cards go into production together."""

    programme: Text
    outlet: Text
    """The outlet to which the cards go."""
    most: Annotated[int, Field(ge=1, le=500)] = 500


class ReturnBody(Body):
    """The vendor's return file."""

    file: Annotated[str, StringConstraints(max_length=1_000_000)]
    """CSV: card_number,card_ident,atr,box,failed_step,reason; the last line is total,<count>."""


class CountBody(Body):
    """What the outlet has counted."""

    counted: Annotated[int, Field(ge=0, le=10_000)]


class HandOverBody(Body):
    """Who stands at the counter."""

    document: Document
    """The holder's document, original."""
    agent_document: Document | None = None
    """The agent's own document, if an agent came."""


CardPath = Annotated[str, Path(description="The card, for example `330900-4K7MZQ0V5T8WX2N3.1`.")]
ApplicationPath = Annotated[str, Path(description="The application, for example `330900-4K7MZQ0V5T8WX2N3.A1B2C3D4E`.")]
BatchPath = Annotated[str, Path(description="The batch, for example `330900-9WQ0V5T8X2N37M4K`.")]
