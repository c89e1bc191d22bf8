"""What an operator can set, by environment variable `CITYCARD_<NAME>` or in a file `.env`."""

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one process."""

    model_config = SettingsConfigDict(env_prefix="CITYCARD_", env_file=".env", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; anything but loopback needs production keys.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 for any that is free.")
    home: Path = Field(Path(".citycard"), description="Where embedded engines and development keys keep their files.")
    data: Path = Field(Path("deploy"), description="The folder with `cities/` and `calendars/`.")
    database_url: str = Field("", description="PostgreSQL, as postgresql://…; empty starts the embedded one.")
    postgres_binaries: Path | None = Field(None, description="Other PostgreSQL binaries for the embedded one.")
    database_volume: Path | None = Field(
        None, description="Any folder on the file system of your PostgreSQL, so that its free space can be watched."
    )
    reserve_mb: int = Field(
        256, ge=0, description="Room, in MiB, that is kept on the database's disk for loss reports alone; 0 for none."
    )
    kafka: str = Field("", description="Kafka bootstrap servers; empty keeps the log in PostgreSQL.")
    issuer: str = Field("", description="Who signs tokens; empty means the development issuer of this process.")
    issuer_keys: str = Field("", description="Address or file of that issuer's JWK set.")
    master_key: Path | None = Field(None, description="File of the master key; empty means a key in `home`.")
    city_time_moves: bool | None = Field(
        None, description="Whether city time may be advanced over HTTP; by default only with development keys."
    )
    city_time_start: AwareDatetime | None = Field(
        None, description="When city time begins in a new, empty database; by default, now."
    )
    log_style: Literal["human", "json"] = Field("human", description="Logs for people, or one JSON object a line.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    books_drift_limit_fen: int = Field(
        0, ge=0, description="Money stops moving when the books disagree with themselves by more than this."
    )
    books_full_audit_s: float = Field(
        600.0, gt=0, description="How often the whole journal is folded anew, in seconds."
    )
    journal_key: Path | None = Field(
        None, description="File of the Ed25519 key that signs the journal, 32 bytes; empty means a key in `home`."
    )
    checkpoint_every_s: float = Field(
        300.0, ge=0, description="How often the house signs what the journal holds, in seconds; 0 leaves it to others."
    )
    trace_sample: bool = Field(False, description="Record every span instead of only passing the trace context on.")

    @property
    def on_loopback(self) -> bool:
        """Whether nobody outside this machine can call."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def development_login(self) -> bool:
        """Whether tokens are signed by a development key of this machine."""
        return not self.issuer


class UnsafeSettings(Exception):
    """Settings with which this process refuses to start; the text says which, why, and what to set instead."""


def refuse_unsafe(settings: Settings) -> None:
    """Development keys are for this machine alone. Raises UnsafeSettings."""
    if settings.on_loopback:
        return
    faults = []
    if settings.development_login:
        faults.append(
            "tokens would be signed by a development key: set CITYCARD_ISSUER and CITYCARD_ISSUER_KEYS to your issuer"
        )
    if settings.master_key is None:
        faults.append("personal data would be sealed with a development key: set CITYCARD_MASTER_KEY to a real one")
    if settings.city_time_moves:
        faults.append("strangers could move city time: unset CITYCARD_CITY_TIME_MOVES")
    if faults:
        raise UnsafeSettings(
            f"{settings.host} can be reached from other machines, but " + "; ".join(faults) + ". "
            "Or set CITYCARD_HOST=127.0.0.1."
        )
