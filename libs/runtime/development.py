"""Development keys: good on this machine alone, refused everywhere else."""

import json
import os
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, KeySet

from libs.runtime.settings import Settings
from libs.web.tokens import ISSUER_DEVELOPMENT


def issuer_key(settings: Settings) -> ECKey:
    """The key that signs development tokens; made on first use, readable by its owner only."""
    path = settings.home / "keys" / "issuer.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key: Any = ECKey.generate_key("P-256", auto_kid=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(key.as_dict(private=True), file)
        try:
            os.link(aside, path)  # The first of two processes wins, and neither sees half a key.
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return ECKey.import_key(json.loads(path.read_text()))


def trusted_keys(settings: Settings) -> tuple[KeySet, str, KeySet | None]:
    """Whose signatures are believed: the keys, the issuer's name, and our own keys if we are that issuer."""
    if settings.development_login:
        keys = KeySet([issuer_key(settings)])
        return keys, ISSUER_DEVELOPMENT, keys
    source = settings.issuer_keys
    if source.startswith(("http://", "https://")):
        import httpx  # Only who asks an issuer far away pays for it.

        found = httpx.get(source, timeout=10).raise_for_status().json()
    else:
        found = json.loads(Path(source).read_text())
    return KeySet.import_key_set(found), settings.issuer, None
