"""Whose a holding is, how its holder is reached, and which notices there are.

How a notice stands is not written down here: its own stream says it, and a list that is read from there cannot be late.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Column, DateTime, MetaData, Table, Text

from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.readmodel import Change, Drop, Put
from services.identity.contracts import ContactGiven, PersonErased, PersonsMerged, PersonsParted
from services.ids import HoldingId, PersonId, holding_id
from services.issuance.contracts import ApplicationSubmitted, CardActivated, CardApproved
from services.notice.domain.commands import TellHolder

_tables = MetaData()

HOLDER = Table(
    "holder",
    _tables,
    Column("holding_id", Text, primary_key=True),
    Column("person_id", Text),
    Column("programme", Text),
)
CONTACT = Table(
    "contact",
    _tables,
    Column("person_id", Text, primary_key=True),
    Column("mobile_box", Text),
    Column("language", Text),
)
NOTICE = Table(
    "notice",
    _tables,
    Column("notice_id", Text, primary_key=True),
    Column("holding_id", Text),
    Column("at", DateTime(timezone=True)),
)

LEARNS_FROM = (
    ContactGiven,
    PersonErased,
    ApplicationSubmitted,
    CardApproved,
    CardActivated,
    PersonsMerged,
    PersonsParted,
)


def projection(
    whenever: Mapping[type[Contract], Callable[[Any], Iterable[TellHolder]]],
) -> Callable[[Contract, Message], Iterator[Change]]:
    """What to write down of a message; `whenever` says which notices follow from it."""

    def project(told: Contract, _message: Message) -> Iterator[Change]:
        match told:
            case ContactGiven():
                contact = {"person_id": told.person_id, "mobile_box": told.mobile, "language": told.language}
                yield Put(CONTACT, contact)
            case PersonErased():
                yield Drop(CONTACT, {"person_id": told.person_id})
            case PersonsMerged():
                for entry in told.merged:
                    for programme in told.programmes:
                        yield _holder(holding_id(entry, programme), told.person_id, programme)
            case PersonsParted():
                for entry in told.parted:
                    for programme in told.programmes:
                        yield _holder(holding_id(entry, programme), told.parted[0], programme)
            case ApplicationSubmitted() | CardApproved() | CardActivated():
                yield _holder(told.holding_id, told.person_id, told.programme)
        for wanted in whenever[type(told)](told) if type(told) in whenever else ():
            yield Put(NOTICE, {"notice_id": wanted.notice_id, "holding_id": wanted.holding_id, "at": wanted.at})

    return project


def _holder(holding: HoldingId, person: PersonId, programme: str) -> Put:
    return Put(HOLDER, {"holding_id": holding, "person_id": person, "programme": programme})
