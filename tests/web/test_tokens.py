"""Who is believed: a token counts only if this city's issuer signed it, for this audience, for this hour."""

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from libs.runtime.cli import main
from libs.runtime.settings import UnsafeSettings, refuse_unsafe
from libs.testing.clocks import NOON, StandingClock
from libs.testing.town import Town, town_settings
from libs.web.tokens import AUDIENCE, NOBODY, Caller, TokenNeeded, Tokens, issue
from libs.web.withdrawn import SKEW_S
from tests.platform import CLERK

ISSUER = "https://login.zhoushan.example"
KEY, STRANGER = (ECKey.generate_key("P-256", {"kid": name}) for name in ("ours", "ours"))
NOW = int(NOON.timestamp())
CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER, "aud": AUDIENCE, "sub": "c-1", "role": "clerk", "city": "330900", "exp": NOW + 60
}  # fmt: skip


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def tokens(clock: StandingClock) -> Tokens:
    return Tokens(KeySet([KEY]), clock, ISSUER)


def signed(key: Any = KEY, alg: str = "ES256", **claims: Any) -> str:
    made = {name: given for name, given in {**CLAIMS, **claims}.items() if given is not None}
    return jwt.encode({"alg": alg, "kid": "ours"}, made, key, algorithms=[alg])


def refused(tokens: Tokens, token: str) -> str:
    with pytest.raises(TokenNeeded) as refusal:
        tokens.caller(f"Bearer {token}")
    assert token not in str(refusal.value)
    return str(refusal.value)


def part(**said: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def test_a_token_of_our_issuer_says_who_is_calling(tokens: Tokens) -> None:
    assert tokens.caller(f"Bearer {signed()}") == Caller("c-1", "clerk", "330900")
    assert tokens.caller(f"bearer {signed(aud=['elsewhere', AUDIENCE])}").role == "clerk"
    assert tokens.caller(None) is NOBODY


def test_an_expired_token_is_refused_also_when_it_was_seen_before(tokens: Tokens, clock: StandingClock) -> None:
    token = signed()
    clock.moment = datetime.fromtimestamp(NOW + 60 + SKEW_S - 1, UTC)
    assert tokens.caller(f"Bearer {token}").id == "c-1", "clocks may differ a little"
    clock.moment = datetime.fromtimestamp(NOW + 60 + SKEW_S, UTC)
    assert "expired" in refused(tokens, token)
    assert "expired" in refused(Tokens(KeySet([KEY]), clock, ISSUER), token)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://login.elsewhere.example"}, "somebody else"),
        ({"iss": None}, "somebody else"),
        ({"aud": "another-platform"}, "somebody else"),
        ({"aud": ["another-platform"]}, "somebody else"),
        ({"aud": None}, "somebody else"),
        ({"exp": None}, "when it holds"),
        ({"exp": "tomorrow"}, "when it holds"),
        ({"nbf": NOW + SKEW_S + 1}, "when it holds"),
        ({"nbf": "yesterday"}, "when it holds"),
        ({"exp": NOW - SKEW_S}, "expired"),
    ],
)
def test_a_token_for_others_or_for_another_hour_is_refused(tokens: Tokens, claims: dict[str, Any], why: str) -> None:
    assert why in refused(tokens, signed(**claims))


def test_a_little_skew_is_forgiven(tokens: Tokens) -> None:
    assert tokens.caller(f"Bearer {signed(nbf=NOW + SKEW_S)}").id == "c-1"


def test_a_token_that_nobody_signed_is_refused(tokens: Tokens) -> None:
    header, body, signature = signed().split(".")
    for alg in ("none", "None", "NONE", ""):
        refused(tokens, f"{part(alg=alg)}.{body}.")
        refused(tokens, f"{part(alg=alg)}.{body}.{signature}")
    refused(tokens, f"{header}.{body}.")


def test_our_public_key_is_not_taken_for_a_shared_secret(tokens: Tokens) -> None:
    for public in (KEY.as_pem(private=False), json.dumps(KEY.as_dict(private=False)).encode()):
        said = f"{part(alg='HS256', kid='ours')}.{part(**CLAIMS)}"
        signature = base64.urlsafe_b64encode(hmac.digest(public, said.encode(), "sha256")).rstrip(b"=").decode()
        refused(tokens, f"{said}.{signature}")


def test_another_key_under_our_name_is_refused(tokens: Tokens) -> None:
    refused(tokens, signed(STRANGER))


def test_a_token_that_was_tampered_with_is_refused(tokens: Tokens) -> None:
    header, body, signature = signed().split(".")
    refused(tokens, f"{header}.{part(**{**CLAIMS, 'role': 'centre'})}.{signature}")
    refused(tokens, f"{header}.{body}.{signature[:-4]}AAAA")
    refused(tokens, f"{part(alg='ES256', kid='theirs', jwk=STRANGER.as_dict(private=False))}.{body}.{signature}")


@pytest.mark.parametrize(
    "said", ["Basic YWxhZGRpbjpvcGVu", "Bearer", "Bearer ", "Bearer a.b.c", "Bearer 市民卡", "token"]
)
def test_what_is_no_token_is_refused(tokens: Tokens, said: str) -> None:
    with pytest.raises(TokenNeeded):
        tokens.caller(said)


async def test_a_bad_token_is_worse_than_none(town: Town) -> None:
    """A public door does not open for somebody who claims to be whom she is not."""
    forged = issue(STRANGER, town.machine, CLERK, "citycard-development")
    answer = await town.web.get("/v1/progress/7QK2-9XWM-4T0R", headers={"Authorization": f"Bearer {forged}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token-needed")
    assert (await town.web.get("/v1/progress/7QK2-9XWM-4T0R")).status_code == 404


# --- development keys are for this machine alone ---


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "citycard.example"])
def test_off_loopback_nothing_of_development_is_left_standing(tmp_path: Path, host: str) -> None:
    with pytest.raises(UnsafeSettings) as refusal:
        refuse_unsafe(town_settings(tmp_path, host=host, city_time_moves=True))
    for setting in ("CITYCARD_ISSUER", "CITYCARD_MASTER_KEY", "CITYCARD_CITY_TIME_MOVES", "CITYCARD_HOST"):
        assert setting in str(refusal.value), "it says what to set instead"
    real = {"issuer": ISSUER, "issuer_keys": "/keys.json", "master_key": tmp_path / "master.key"}
    refuse_unsafe(town_settings(tmp_path, host=host, **real))
    for missing in ("issuer", "master_key"):
        with pytest.raises(UnsafeSettings):
            refuse_unsafe(town_settings(tmp_path, host=host, **{**real, missing: "" if missing == "issuer" else None}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_development_keys_do(tmp_path: Path, host: str) -> None:
    refuse_unsafe(town_settings(tmp_path, host=host))


@pytest.mark.parametrize("command", [["token", "--role", "clerk"], ["up"], ["serve", "loss"]])
def test_off_loopback_every_command_refuses_before_it_makes_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setenv("CITYCARD_HOST", "0.0.0.0")
    monkeypatch.setenv("CITYCARD_HOME", str(tmp_path / "home"))
    assert main(command) == 2
    said = capsys.readouterr()
    assert "CITYCARD_ISSUER" in said.err
    assert said.out == ""
    assert not (tmp_path / "home").exists()


def test_a_development_token_is_made_where_it_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CITYCARD_HOME", str(tmp_path))
    assert main(["token", "--role", "clerk", "--city", "330900", "--outlet", "zs-hall"]) == 0
    assert capsys.readouterr().out.count(".") == 2
    assert (tmp_path / "keys" / "issuer.json").stat().st_mode & 0o077 == 0
