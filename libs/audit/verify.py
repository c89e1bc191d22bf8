"""The auditor's own small program: it imports nothing of the platform, only what docs/journal-checkpoints.md says.

Whoever edits, deletes, inserts or reorders a row that a checkpoint covers changes that checkpoint's root.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_WRITTEN = re.compile(
    r"citycard journal checkpoint v1\n[1-9][0-9]{0,8}\n[0-9T:.+Z-]{1,40}\n[0-9a-f]{64}\n"
    r"(?:[0-9]{1,5} [1-9][0-9]{0,18} [0-9a-f]{64}\n)+"
)

Row = tuple[int, int, str]
"""Shard, position, and the row as it is written down (canonical text)."""


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement: the shards of the journal had these sizes and roots. `text` is what was signed."""

    text: str
    signature: bytes

    @property
    def readable(self) -> bool:
        """Whether it is written as the page says."""
        return bool(_WRITTEN.fullmatch(self.text))

    @property
    def number(self) -> int:
        return int(self.text.split("\n")[1])

    @property
    def at(self) -> str:
        return self.text.split("\n")[2]

    @property
    def before(self) -> str:
        """SHA-256 of the text of the checkpoint before this one, in hex; zeros for the first."""
        return self.text.split("\n")[3]

    @property
    def trees(self) -> Mapping[int, tuple[int, str]]:
        """Size and root (hex) by shard."""
        lines = (line.split(" ") for line in self.text.split("\n")[4:] if line)
        return {int(shard): (int(size), root) for shard, size, root in lines}


@dataclass(frozen=True)
class Verdict:
    """What was found: `faults` is empty if all is well; `uncovered` rows came after the last checkpoint."""

    rows: int
    checkpoints: int
    uncovered: int
    faults: Sequence[str]


class Tree:
    """An RFC 6962 tree that grows at its right edge and keeps only the roots of its full subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, row: str) -> None:
        node, size = hashlib.sha256(b"\0" + row.encode()).digest(), self.size
        while size & 1:
            node = hashlib.sha256(b"\1" + self._peaks.pop() + node).digest()
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> str:
        if not self._peaks:
            return hashlib.sha256(b"").hexdigest()
        node = self._peaks[-1]
        for left in reversed(self._peaks[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node.hex()


def verify(rows: Iterable[Row], checkpoints: Sequence[Checkpoint], key: Ed25519PublicKey) -> Verdict:
    """Hold a journal against its checkpoints. `rows` come in the order of shard and position."""
    faults = [f"checkpoint {nth}: it is not written as it must be" for nth, one in enumerate(checkpoints, 1)
              if not one.readable]  # fmt: skip
    checkpoints = [one for one in checkpoints if one.readable]
    faults += _faults_of_the_chain(checkpoints, key)
    wanted: dict[int, dict[int, list[tuple[int, str]]]] = {}
    for one in checkpoints:
        for shard, (size, root) in one.trees.items():
            wanted.setdefault(shard, {}).setdefault(size, []).append((one.number, root))
    trees: dict[int, Tree] = {}
    count = 0
    broken: set[int] = set()
    for shard, position, text in rows:
        count += 1
        tree = trees.setdefault(shard, Tree())
        if position != tree.size + 1 and shard not in broken:
            faults.append(f"shard {shard}: position {tree.size + 1} is missing, {position} stands in its place")
            broken.add(shard)
        tree.add(text)
        for number, root in wanted.get(shard, {}).get(tree.size, ()):
            if tree.root() != root and shard not in broken:
                earlier = max((size for size in wanted[shard] if size < tree.size), default=0)
                faults.append(
                    f"shard {shard}: a row between positions {earlier + 1} and {tree.size} is not what checkpoint "
                    f"{number} signed"
                )
                broken.add(shard)
    for shard, sizes in wanted.items():
        there = trees[shard].size if shard in trees else 0
        if (most := max(sizes)) > there:
            faults.append(f"shard {shard}: checkpoints cover {most} rows, and {there} are there")
    covered = sum(min(max(sizes), trees[shard].size) for shard, sizes in wanted.items() if shard in trees)
    return Verdict(count, len(checkpoints), count - covered, faults)


def _faults_of_the_chain(checkpoints: Sequence[Checkpoint], key: Ed25519PublicKey) -> Iterator[str]:
    if not checkpoints:
        yield "there is no checkpoint: nothing is proven"
    before, sizes = "0" * 64, dict[int, int]()
    for nth, one in enumerate(checkpoints, 1):
        try:
            key.verify(one.signature, one.text.encode())
        except InvalidSignature:
            yield f"checkpoint {nth}: its signature does not fit the key"
        if one.number != nth:
            yield f"checkpoint {nth}: it bears the number {one.number}"
        if one.before != before:
            yield f"checkpoint {nth}: it does not follow the one before it"
        for shard, (size, _) in one.trees.items():
            if size < sizes.get(shard, 0):
                yield f"checkpoint {nth}: shard {shard} has shrunk from {sizes[shard]} rows to {size}"
            sizes[shard] = size
        before = hashlib.sha256(one.text.encode()).hexdigest()


def canonical(
    shard: int, position: int, reference: str, kind: str, digest: str, at: str, recorded_at: str,
    accounts: Sequence[str], amounts_fen: Sequence[int], held_fen: Sequence[int],
) -> str:  # fmt: skip
    """A row of the journal as it is hashed: a JSON array without spaces, in ASCII, in the order of these arguments."""
    parts = [shard, position, reference, kind, digest, at, recorded_at, list(accounts), list(amounts_fen),
             list(held_fen)]  # fmt: skip
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=True)


def read_file(path: Path) -> tuple[list[Row], list[Checkpoint]]:
    """An exported journal: one JSON value a line; arrays are rows, objects are checkpoints. Raises ValueError."""
    rows, checkpoints = [], []
    for nth, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        try:
            value = json.loads(line)
            if isinstance(value, list):
                rows.append((int(value[0]), int(value[1]), line))
            else:
                checkpoints.append(Checkpoint(value["text"], base64.b64decode(value["signature"], validate=True)))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{path.name}, line {nth}, is neither a row nor a checkpoint: {error}") from error
    return rows, checkpoints


async def read_database(dsn: str, schema: str) -> tuple[list[Row], list[Checkpoint]]:
    """A journal and its checkpoints as they stand in a database, in one snapshot."""
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await connection.fetch(
                f"select shard, position, reference, kind, encode(digest, 'hex'), {_moment('at')}, "
                f"{_moment('recorded_at')}, accounts, amounts_fen, held_fen from {schema}.entry "
                f"order by shard, position"
            )
            signed = await connection.fetch(f"select text, signature from {schema}.checkpoint order by number")
    finally:
        await connection.close()
    return (
        [(shard, position, canonical(shard, position, *rest)) for shard, position, *rest in map(tuple, found)],
        [Checkpoint(text, signature) for text, signature in signed],
    )


def _moment(column: str) -> str:
    return f"to_char({column} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def run(source: str, key: Ed25519PublicKey, schema: str) -> Verdict:
    """Verify an exported file, or a database if the source is an address of one."""
    if "://" in source:
        import asyncio

        rows, checkpoints = asyncio.run(read_database(source, schema))
    else:
        rows, checkpoints = read_file(Path(source))
    return verify(rows, checkpoints, key)


def key_of(text: str) -> Ed25519PublicKey:
    """A public key from its 64 hexadecimal digits. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text.strip()))
