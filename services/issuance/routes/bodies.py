"""What callers send to issuance."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field, StringConstraints

from libs.web.bodies import Body, Text
from services.issuance.adapters.rules import PaperKind

Document = PaperKind
Receipt = Annotated[str, StringConstraints(max_length=40)]
Portrait = Annotated[str, StringConstraints(max_length=200_000)]
PortraitFault = Literal[
    "hair", "eye_line", "recent", "ears_and_brows", "light", "glasses", "face", "middle", "clothes"
]  # fmt: skip


class AgentBody(Body):
    """Somebody who applies for another."""

    relation: Literal["guardian", "parent", "child", "spouse", "relative", "employer", "other"]
    """How the agent is related to the applicant; names are on the papers, not here."""
    document: Document
    """The agent's own document."""


class PaperBody(Body):
    """A paper on the counter that is not simply the applicant's own document in the original."""

    kind: Document
    whose: Literal["holder", "guardian", "agent", "delegate", "unit"] = "holder"
    original: bool = True
    copied: bool = False
    """Whether a copy was handed in."""
    photo: bool = True
    """Whether a face is on it."""


class CommitmentBody(Body):
    """A signature under the commitment letter that was shown."""

    language: Literal["zh", "en"]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    """The hash that came with the text, so that the signature is bound to these very words."""
    signed_by: Literal["applicant", "guardian"]


class LegacyCardBody(Body):
    """Whether the applicant has the older card that the programme asks for."""

    held: bool
    number: Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=32)] | None = None
    """The number on it, as it is printed."""


UnitCode = Annotated[str, StringConstraints(max_length=40)]
Papers = Annotated[list[PaperBody], Field(max_length=20)]
Circumstances = Annotated[list[Literal["relation_not_registered"]], Field(max_length=5)]
PersonField = Annotated[str, StringConstraints(max_length=30)]


class AskedBody(Body):
    """What every request for a card brings, through whichever channel."""

    person_id: PersonField
    programme: Text
    documents: Annotated[list[Document], Field(min_length=1, max_length=6)]
    """The valid documents of the applicant that were shown."""
    portrait: Portrait | None = None
    """The portrait: a JPEG in base64. Left out where none is needed, or one is on file."""
    papers: Papers = []
    """Further papers, and those of other people."""
    circumstances: Circumstances = []
    agent: AgentBody | None = None
    commitment: CommitmentBody | None = None
    legacy_card: LegacyCardBody | None = None
    delivery: Literal["counter", "agent", "mail"] = "counter"
    """How the card is to reach its holder."""
    taken: Literal["on_site", "brought", "on_file"] | None = None
    """Where the portrait comes from."""
    kind: Literal["first", "temporary"] = "first"


class ApplicationBody(AskedBody):
    """A request for a card."""

    collect_at: Text | None = None
    """Online: the outlet at which the papers are looked at and the card is collected."""


class PoliceApplicationBody(AskedBody):
    """A request for a card, made in the same act as one for an ID card."""

    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{3,39}$")]
    """The police's own number of the act; sent again, however often, it is the same request."""
    collect_at: Text


class UnitApplicationBody(Body):
    """A unit's list, brought by its delegate."""

    unit: UnitCode
    """The organisation code or the credit code on the certificate."""
    programme: Text
    papers: Papers
    """The unit's certificate and the delegate's own document."""
    rows: Annotated[list[AskedBody], Field(min_length=1, max_length=500)]


class CodeProposalBody(Body):
    """Why a code counts that fails its check."""

    reason: Text


class DeliveryBody(Body):
    """How the card is to reach its holder."""

    way: Literal["counter", "agent", "mail"]


class ReviewBody(Body):
    """What the other authority says."""

    verdict: Literal["approve", "reject", "ask"]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    """Needed for anything but `approve`."""


class ReasonBody(Body):
    """Why."""

    reason: Text


class SupplementRequestBody(ReasonBody):
    """What is missing, and which questions about the portrait were answered with no."""

    portrait: Annotated[list[PortraitFault], Field(max_length=10)] = []


class SupplementBody(Body):
    """What was missing."""

    documents: Annotated[list[Document], Field(max_length=6)] = []
    portrait: Portrait | None = None
    papers: Papers = []


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
    taker: Literal["holder", "agent", "guardian", "unit", "mail"] = "holder"
    """Who takes the card; with `agent_document`, an agent."""
    papers: Papers = []
    """Further papers: a copy, a letter of introduction, those of a unit's delegate."""
    unit: UnitCode | None = None
    """The code of the unit whose delegate came; she is given only what was applied for through it."""
    notice_shown: bool = True
    """Whether the collection notice was shown, where the city asks for it."""
    receipt: Receipt | None = None
    """The receipt number that was shown, where the city asks for it."""
    fingerprint: Annotated[str, StringConstraints(pattern="^[a-z0-9-]{1,64}$")] | None = None
    """The reference of the reading that the police's service has judged, where the city asks for one."""


class MailingBody(Body):
    """A card that goes into the post."""

    tracking: Annotated[str, StringConstraints(pattern="^[A-Z0-9]{8,30}$")]
    """The post's own number."""


class TransferBody(Body):
    """Where the holder wants to collect the card."""

    outlet: Text


class FindingBody(Body):
    """What was found out."""

    finding: Literal["reader_at_fault", "injured_finger", "record_corrected"]


class OpeningBody(Body):
    """A function that is wanted."""

    function: Annotated[str, StringConstraints(pattern="^[a-z_]{1,40}$")]


CardPath = Annotated[str, Path(description="The card, for example `330900-4K7MZQ0V5T8WX2N3.1`.")]
ApplicationPath = Annotated[str, Path(description="The application, for example `330900-4K7MZQ0V5T8WX2N3.A1B2C3D4E`.")]
UnitPath = Annotated[str, Path(max_length=40, description="The unit's code, for example `91350203M0001QAY9B`.")]
IssueProposalPath = Annotated[str, Path(max_length=40, description="The proposal.")]
UnitProposalPath = Annotated[str, Path(max_length=40, description="The proposal.")]
BatchPath = Annotated[str, Path(description="The batch, for example `330900-9WQ0V5T8X2N37M4K`.")]
