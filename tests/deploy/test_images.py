"""What is deployed in containers is safe by its text alone; no engine runs here."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from libs.runtime.cli import SERVICES, _parser
from libs.runtime.settings import Settings, UnsafeSettings, refuse_unsafe
from tests.docs.reading import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
PINNED = re.compile(r"[a-z0-9./-]+:[0-9][\w.-]*")


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def complaints(dockerfile: str) -> list[str]:
    """What is wrong with a Dockerfile."""
    found = []
    steps = instructions(dockerfile)
    users = [rest for word, rest in steps if word == "USER"]
    if not users or users[-1].partition(":")[0] in {"root", "0"}:
        found.append("runs as root")
    if users and not users[-1].partition(":")[0].isdigit():
        found.append("an orchestrator cannot tell whether this user is root")
    stages = {rest.partition(" AS ")[2] for word, rest in steps if word == "FROM"}
    for word, rest in steps:
        if word == "FROM" and rest.split()[0] not in stages and not PINNED.fullmatch(rest.split()[0]):
            found.append(f"base is not pinned: {rest}")
        if word == "ADD":
            found.append(f"ADD instead of COPY: {rest}")
        if word == "RUN" and re.search(r"\b(curl|wget)\b.*\|", rest):
            found.append(f"runs what it downloads: {rest}")
        fetches = word == "RUN" and re.search(r"pip (install|wheel|download)", rest)
        if fetches and "--require-hashes" not in rest and "--no-index" not in rest:
            found.append(f"packages without hashes: {rest}")
        if word in {"ENV", "ARG"} and re.search(r"(?i)(password|secret|token|_key)", rest):
            found.append(f"a secret in the image: {rest}")
        if word == "COPY" and rest.split()[0] in {".", "./"}:
            found.append("copies whatever lies around")
    last_stage = steps[max(nth for nth, (word, _) in enumerate(steps) if word == "FROM") :]
    if not any(word == "HEALTHCHECK" for word, _ in last_stage):
        found.append("nobody can tell whether it works")
    return found


def test_the_image_is_as_it_should_be() -> None:
    assert complaints((DEPLOY / "Dockerfile").read_text()) == []


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("USER 10001:10001", "USER root", "runs as root"),
        ("USER 10001:10001", "", "runs as root"),
        ("USER 10001:10001", "USER citycard", "cannot tell"),
        ("python:3.11.14-slim-bookworm\n", "python\n", "not pinned"),
        ("python:3.11.14-slim-bookworm\n", "python:latest\n", "not pinned"),
        ("COPY libs libs", "ADD https://example.org/libs.tar libs", "ADD"),
        ("COPY libs libs", "COPY . .", "lies around"),
        ("--require-hashes", "", "without hashes"),
        ("HEALTHCHECK", "LABEL", "nobody can tell"),
        ("EXPOSE 8080", "ENV CITYCARD_MASTER_KEY=x", "a secret"),
        ("EXPOSE 8080", "RUN curl example.org | sh", "downloads"),
    ],
)
def test_the_lint_has_teeth(good: str, bad: str, complaint: str) -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert good in text
    assert any(complaint in one for one in complaints(text.replace(good, bad)))


def test_all_that_is_copied_is_there_and_let_through() -> None:
    let_through = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    for word, rest in instructions((DEPLOY / "Dockerfile").read_text()):
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in let_through


def test_the_image_keeps_what_the_code_finds_by_its_default() -> None:
    """The packs lie where `CITYCARD_DATA` looks, seen from the working folder."""
    steps = instructions((DEPLOY / "Dockerfile").read_text())
    data = Settings.model_fields["data"].default
    assert ("COPY", f"deploy/cities {data}/cities") in steps
    assert ("COPY", f"deploy/calendars {data}/calendars") in steps


def test_compose_accepts_the_file() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    run = subprocess.run(
        [*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr


def services() -> dict[str, dict[str, Any]]:
    return {name: about for name, about in COMPOSE["services"].items() if about["image"] == "citycard"}


def test_every_service_of_ours_is_a_process_of_its_own() -> None:
    assert sorted(services()) == sorted(SERVICES)
    for name, about in services().items():
        program, *arguments = about["command"]
        assert program == "citycard"
        assert _parser().parse_args(arguments).services == [name]
        assert about["read_only"]
        assert about["cap_drop"] == ["ALL"]


def test_published_ports_are_bound_to_loopback_and_differ() -> None:
    ports = [port for about in COMPOSE["services"].values() for port in about.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(ports) == len(set(ports))
    targets = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert targets["static_configs"][0]["targets"] == [port.rpartition(":")[0] for port in ports]


def test_images_of_others_are_pinned_and_the_broker_is_the_one_of_our_tests() -> None:
    others = [about["image"] for about in COMPOSE["services"].values() if about["image"] != "citycard"]
    assert all(PINNED.fullmatch(image) for image in others)
    jars = ElementTree.parse(DEPLOY / "kafka" / "pom.xml").findtext(".//{*}kafka")
    assert f"apache/kafka:{jars}" in others


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_with_these_settings_and_with_none_less(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = services()[name]["environment"]
    for variable, value in given.items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:\?[^}]*\}", "https://login.city.example", value))
    settings = Settings(_env_file=None)
    refuse_unsafe(settings)
    assert not settings.on_loopback
    assert settings.kafka
    assert ":" not in settings.database_url.partition("//")[2].partition("@")[0], "no password in a variable"
    for needed in ("CITYCARD_ISSUER", "CITYCARD_MASTER_KEY"):
        with monkeypatch.context() as less:
            less.delenv(needed)
            with pytest.raises(UnsafeSettings):
                refuse_unsafe(Settings(_env_file=None))


def test_every_secret_is_a_file_that_is_mounted_where_it_is_read() -> None:
    for about in services().values():
        read = [Path(value) for value in about["environment"].values() if value.startswith("/run/secrets/")]
        assert sorted(path.name for path in read) == sorted(about["secrets"])
    mentioned = {secret for about in COMPOSE["services"].values() for secret in about.get("secrets", ())}
    assert mentioned == set(COMPOSE["secrets"])
    assert all("CITYCARD_SECRETS" in about["file"] for about in COMPOSE["secrets"].values()), "outside the repository"
