"""Where back offices bring the taps of their terminals."""

import tempfile
from datetime import datetime
from pathlib import Path as Folder
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from libs.kernel import Clash, value
from libs.web.access import NotAllowed, allowed
from libs.web.bodies import Body, When
from libs.web.call import Call, CallContext
from libs.web.problems import refusals
from services.wallet.adapters.clearing import AnotherHeading, Clearing, TapFileAltered, TapFileUnknown, Upload
from services.wallet.adapters.tap_bylaws import TapBylaws
from services.wallet.adapters.tap_cases import TapCases
from services.wallet.adapters.tap_files import FILE_MAX_BYTES, TERMINAL_MAX, TapFileUnfit
from services.wallet.domain.taps.tap import FEN_MAX, Class
from services.wallet.routes.hands import Hands, MerchantUnknown

TAP_FILES = "/v1/tap-files/"
Sender = Annotated[str, Path(max_length=16, description="The back office whose file it is, as its heading says.")]
Number = Annotated[int, Path(ge=1, le=FEN_MAX, description="The number that the back office gave the file.")]


class NotClearedHere(Clash):
    """This house cannot clear taps: that needs PostgreSQL, and away from loopback a security module with the cards'
    keys. Nothing was done; bring them to a house that has both."""


@value
class TapCounter:
    """Clearing, its cases and its rules. `clearing` is None where nothing can be cleared: in memory, or without anybody
    who knows the cards' keys."""

    clearing: Clearing | None
    cases: TapCases | None
    bylaws: TapBylaws
    folder: Folder

    @property
    def open(self) -> Clearing:
        if self.clearing is None:
            raise NotClearedHere
        return self.clearing

    @property
    def cases_kept(self) -> TapCases:
        if self.cases is None:
            raise NotClearedHere
        return self.cases


class ClassView(BaseModel):
    """How many records ended in one class, and their amounts."""

    records: int
    fen: int


class UploadView(BaseModel):
    """How far an upload is. The classes add up to the records cleared so far."""

    sender: str
    number: int
    records: int
    total_fen: int
    cleared: int
    done: bool
    received_at: datetime
    classes: dict[Class, ClassView]

    @classmethod
    def of(cls, upload: Upload) -> "UploadView":
        return cls(
            classes={one: ClassView(records=n, fen=fen) for one, (n, fen) in upload.classes.items()},
            done=upload.done_at is not None,
            **{
                name: getattr(upload, name)
                for name in ("sender", "number", "records", "total_fen", "cleared", "received_at")
            },
        )


class TerminalBody(Body):
    """A terminal that takes money."""

    terminal: Annotated[int, Field(ge=0, le=TERMINAL_MAX)]
    merchant: str
    service: Annotated[str, Field(max_length=20)]
    """The service by whose tariff it charges, for example `bus`."""
    retired_at: When | None = None
    """From when nothing of it is taken any more."""


class TerminalsBody(Body):
    """Terminals as they stand now."""

    terminals: Annotated[list[TerminalBody], Field(min_length=1, max_length=10_000)]


class TerminalsView(BaseModel):
    """How many terminals were written down."""

    kept: int


def taps(routes: APIRouter, hands: Hands, counter: TapCounter) -> None:
    """Open the counter for taps."""

    def look_at(call: CallContext, sender: str) -> str:
        """The city whose back office this is. Raises NotAllowed for the files of another one, here or elsewhere."""
        city = call.caller.city
        if not hands.bylaws.is_merchant(city, sender):
            raise NotAllowed
        call.allow(city=city, outlet=sender)
        return city

    @routes.put(
        "/v1/tap-files/{sender}/{number}",
        responses=refusals(TapFileUnfit, TapFileAltered, AnotherHeading, NotClearedHere),
        dependencies=[allowed("wallet:bring-taps")],
    )
    async def bring_a_file_of_taps(sender: Sender, number: Number, request: Request, call: Call) -> UploadView:
        """Send a file as it is (application/octet-stream, docs/tap-files.md); the answer says how each record ended.

        Nothing is booked before the whole file has been found right. If the connection breaks, send it again: it goes
        on where it stood, and nothing is booked twice.
        """
        city = look_at(call, sender)
        clearing = counter.open
        counter.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=counter.folder, prefix=f"{sender}-{number}-") as spool:
            async for part in request.stream():
                spool.write(part)
            spool.flush()
            upload = await clearing.take(
                Folder(spool.name), counter.bylaws.at(city, hands.city.now()), expected=(sender, number)
            )
        return UploadView.of(upload)

    @routes.get(
        "/v1/tap-files/{sender}/{number}",
        responses=refusals(TapFileUnknown, NotClearedHere),
        dependencies=[allowed("wallet:look-at-taps")],
    )
    async def how_a_file_of_taps_ended(sender: Sender, number: Number, call: Call) -> UploadView:
        """How far a file is, and how its records ended."""
        city = look_at(call, sender)
        return UploadView.of(await counter.open.upload(city, sender, number))

    @routes.post(
        "/v1/terminals",
        responses=refusals(MerchantUnknown, NotClearedHere),
        dependencies=[allowed("wallet:keep-terminals")],
    )
    async def write_down_terminals(said: TerminalsBody, call: Call) -> TerminalsView:
        """Say which terminals take money for which merchant, by which tariff, and until when. Said twice, done once."""
        city = call.caller.city
        for one in said.terminals:
            if not hands.bylaws.is_merchant(city, one.merchant):
                raise MerchantUnknown(merchant=one.merchant, merchants=", ".join(hands.bylaws.merchants(city)))
        await counter.open.keep_terminals(
            city, [(one.terminal, one.merchant, one.service, one.retired_at) for one in said.terminals]
        )
        return TerminalsView(kept=len(said.terminals))


LARGE_BODIES = {TAP_FILES: FILE_MAX_BYTES}
