"""Many persons at once: what a roll of a whole city asks of the vault, with every promise of one person's turn."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from libs.kernel import Sealed
from libs.vault.port import Erased, Vault

Fields = Mapping[str, str]
"""The fields of a person in clear, by name."""


@runtime_checkable
class Wholesale(Protocol):
    """A vault that has a faster way for many than one by one."""

    async def claim_many(self, kind: str, wanted: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Of each text and claimant, whose text it is; see `claim`. A claimant who was erased is answered with ""."""

    async def find_many(self, kind: str, texts: Sequence[str]) -> Sequence[str | None]:
        """Of each text, who claimed it; see `find`."""

    async def seal_many(self, wanted: Sequence[tuple[str, Fields]]) -> Sequence[Mapping[str, Sealed] | None]:
        """Of each person, the fields closed; None for one who was erased."""

    async def open_many(self, wanted: Sequence[tuple[str, Mapping[str, Sealed]]]) -> Sequence[Fields | None]:
        """Of each person, the fields in clear; None for one who was erased. Raises Tampered."""


async def claim_many(vault: Vault, kind: str, wanted: Sequence[tuple[str, str]]) -> Sequence[str]:
    """Of each text and claimant, whose text it is, by the fastest way that the vault has; "" for an erased claimant."""
    if isinstance(vault, Wholesale):
        return await vault.claim_many(kind, wanted)
    holders = []
    for text, person in wanted:
        try:
            holders.append(await vault.find(kind, text) or await vault.claim(kind, text, person))
        except Erased:
            holders.append("")
    return holders


async def seal_many(vault: Vault, wanted: Sequence[tuple[str, Fields]]) -> Sequence[Mapping[str, Sealed] | None]:
    """Of each person, the fields closed, by the fastest way that the vault has; None for one who was erased."""
    if isinstance(vault, Wholesale):
        return await vault.seal_many(wanted)
    closed: list[Mapping[str, Sealed] | None] = []
    for person, fields in wanted:
        try:
            closed.append({field: await vault.seal(person, field, text) for field, text in fields.items()})
        except Erased:
            closed.append(None)
    return closed


async def find_many(vault: Vault, kind: str, texts: Sequence[str]) -> Sequence[str | None]:
    """Of each text, who claimed it, by the fastest way that the vault has."""
    if isinstance(vault, Wholesale):
        return await vault.find_many(kind, texts)
    return [await vault.find(kind, text) for text in texts]


async def open_many(vault: Vault, wanted: Sequence[tuple[str, Mapping[str, Sealed]]]) -> Sequence[Fields | None]:
    """Of each person, the fields in clear, by the fastest way that the vault has; None for one who was erased."""
    if isinstance(vault, Wholesale):
        return await vault.open_many(wanted)
    opened: list[Fields | None] = []
    for person, fields in wanted:
        try:
            opened.append({field: await vault.open(person, field, sealed) for field, sealed in fields.items()})
        except Erased:
            opened.append(None)
    return opened
