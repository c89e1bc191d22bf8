"""The key that closes all data keys: in production a security module holds it, here a file."""

import os
import tempfile
from pathlib import Path
from typing import ClassVar, Protocol

from libs.kernel import Outage
from libs.vault.crypto import KEY_BYTES, Key, Randomness, from_text, key_id, to_text


class MasterKey(Protocol):
    """Wraps data keys, so that a stolen database reads nothing. `Outage` when it is out of reach.

    A wrapped key names the version that wrapped it. Several versions may be live: the newest wraps, all unwrap.
    """

    development_only: ClassVar[bool]
    """Whether this key may serve nobody but a developer; the caller refuses it unless it binds to loopback."""

    async def wrap(self, person: str, data_key: bytes) -> str:
        """The data key in an envelope that opens for this person only."""

    async def unwrap(self, person: str, wrapped: str) -> bytes:
        """The data key of this person. Raises Tampered, or Outage if the version that wrapped it is not at hand."""

    async def index_key(self, kind: str) -> bytes:
        """The key of one kind of blind index: 32 bytes.

        It outlives the versions that wrap, because an index can be made anew only from the words themselves.
        """


class MasterKeyUnfit(Exception):
    """The file cannot serve as a master key; the text says why, and what to do."""


class FileMasterKey:
    """A development key: a file of lines, the root of the index keys first, then the versions, the newest last.

    The file is made when it is first asked for. Whoever loses it loses everything in the vault.
    """

    development_only: ClassVar[bool] = True

    def __init__(self, path: Path, *, randomness: Randomness) -> None:
        self._path, self._randomness = path, randomness
        if not path.exists():
            _make(path, [randomness(KEY_BYTES), randomness(KEY_BYTES)])
        self._index, self._versions = _read(path)

    async def wrap(self, person: str, data_key: bytes) -> str:
        return self._versions[-1].close(data_key, self._randomness, "data key", person)

    async def unwrap(self, person: str, wrapped: str) -> bytes:
        return self._version(key_id(wrapped)).open(wrapped, "data key", person)

    async def index_key(self, kind: str) -> bytes:
        return self._index.derive("blind index", kind)

    @property
    def versions(self) -> set[str]:
        """The ids of all versions that this key can unwrap."""
        return {version.id for version in self._versions}

    def rotate(self) -> None:
        """Add a version, which wraps from now on. Other processes take it up when they meet it, or start again."""
        with self._path.open("a") as file:
            file.write(to_text(self._randomness(KEY_BYTES)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._index, self._versions = _read(self._path)

    def _version(self, id_: str) -> Key:
        if all(version.id != id_ for version in self._versions):
            self._index, self._versions = _read(self._path)  # Another process may have rotated.
        for version in self._versions:
            if version.id == id_:
                return version
        raise Outage(f"version {id_} of the master key is not in {self._path}; restore the file that had it")


def _make(path: Path, secrets: list[bytes]) -> None:
    """All or nothing, and never over a key that somebody else made in the same moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # Mode 0600.
    try:
        with os.fdopen(handle, "w") as file:
            file.writelines(to_text(secret) + "\n" for secret in secrets)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        _flush(path.parent)
    except FileExistsError:
        pass  # Theirs is as good as ours.
    finally:
        os.unlink(draft)


def _read(path: Path) -> tuple[Key, list[Key]]:
    with path.open() as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
        if mode & 0o077:
            raise MasterKeyUnfit(
                f"{path} holds the master key and has mode {mode:04o}, so others on this machine may use it. "
                f"If nobody has: chmod 600 '{path}'. If you cannot know, start with a new vault and a new key."
            )
        lines = file.read().splitlines()
    try:
        index, *versions = (Key(from_text(line)) for line in lines)
    except ValueError as error:
        raise MasterKeyUnfit(f"{path} is no master key, or was damaged: {error}. Restore it from a copy.") from None
    if not versions:
        raise MasterKeyUnfit(f"{path} ends before its first version. Restore it from a copy.")
    return index, versions


def _flush(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
