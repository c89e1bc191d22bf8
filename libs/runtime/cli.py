"""The `citycard` command. What a command needs is read when it runs: a token should not wait for a whole platform."""

import argparse
import asyncio
import gc
import importlib
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libs.runtime.settings import Settings, UnsafeSettings, refuse_unsafe

if TYPE_CHECKING:
    from sqlalchemy import Table

    from libs.runtime.citypack import CityPacks
    from libs.runtime.doctor import Finding
    from libs.runtime.platform import Platform
    from libs.runtime.service import Service

SERVICES = ("identity", "issuance", "loss", "notice", "office", "wallet")
ROLES = ("citizen", "clerk", "hotline", "centre", "vendor", "bank", "department", "merchant", "auditor", "operator")


def build_services(platform: "Platform", names: Sequence[str] = SERVICES) -> "list[Service]":
    """Put these services together."""
    return [importlib.import_module(f"services.{name}.wiring").build(platform) for name in names]


def check_bylaws(packs: "CityPacks") -> None:
    """Let every service look at what a city has decided. Raises PackUnfit."""
    importlib.import_module("services.bylaws.check").read_by_everybody(packs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        status: int = asked.run(asked)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, _refusals_to_start()):
            raise
        print(f"citycard: {error}", file=sys.stderr)
        return 2
    return status


def _refusals_to_start() -> tuple[type[Exception], ...]:
    """Why a command may not begin its work; the text of each says what to do."""
    from libs.eventsourcing.durability import UnsafeDurability
    from libs.runtime.embedded_postgres import CannotServe
    from libs.runtime.packfile import PackUnfit
    from libs.runtime.readmodels import CannotRebuild
    from libs.runtime.service import RefusesToStart
    from libs.vault.masterkey import MasterKeyUnfit

    return UnsafeSettings, UnsafeDurability, PackUnfit, CannotServe, MasterKeyUnfit, CannotRebuild, RefusesToStart


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="citycard", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="run the whole platform in one process")
    up.add_argument("--port", type=int, help="port to listen on (default 8080)")
    up.set_defaults(run=_up)

    one = commands.add_parser("serve", help="run one service, or a few, as a process of their own")
    one.add_argument("services", nargs="+", choices=SERVICES)
    one.add_argument("--port", type=int)
    one.set_defaults(run=_up)

    demo = commands.add_parser("demo", help="play one card's life over real HTTP")
    demo.add_argument("--engines", choices=("embedded", "kafka"), default="embedded")
    demo.add_argument("--city", choices=("zhoushan", "hangzhou", "wuxi"), default="zhoushan")
    demo.set_defaults(run=_demo)

    log = commands.add_parser("log", help="look after the log")
    log.add_argument("act", choices=("rebuild",), help="empty all topics and fill them again from the stores")
    log.set_defaults(run=_log)

    rebuild = commands.add_parser("rebuild", help="build the read models of a service anew; it may go on meanwhile")
    rebuild.add_argument("service", choices=SERVICES)
    rebuild.set_defaults(run=_rebuild)

    roll = commands.add_parser("roll", help="import a roll: who stands on it gets a card without applying")
    roll.add_argument("act", choices=("import",))
    roll.add_argument("file", type=Path, help="CSV, see docs/roll.md; said again, an import goes on where it stopped")
    roll.add_argument("--city", required=True, help="area code, for example 330900")
    roll.add_argument("--programme", required=True)
    roll.add_argument("--department", required=True, help="whose list it is, and who states its facts")
    roll.add_argument("--as", dest="name", default="", help="the name of the roll (default: the file's)")
    roll.add_argument("--into", type=Path, help="folder for verdicts and rejects (default: beside the file)")
    roll.set_defaults(run=_roll)

    token = commands.add_parser("token", help="make a development token")
    token.add_argument("--role", required=True, choices=ROLES)
    token.add_argument("--city", default="", help="area code, for example 330900")
    token.add_argument("--outlet", default="")
    token.add_argument("--department", default="")
    token.add_argument("--person", default="", help="the person whom a citizen's token speaks for")
    token.add_argument("--as", dest="name", default="", help="an opaque id of the caller")
    token.set_defaults(run=_token)

    feed = commands.add_parser("feed-key", help="print the key with which a department closes records for its topic")
    feed.add_argument("city", help="area code, for example 330900")
    feed.add_argument("department")
    feed.set_defaults(run=_feed_key)

    doctor = commands.add_parser("doctor", help="check engines, durability, migrations, clocks, keys; say what to do")
    doctor.set_defaults(run=_doctor)

    taps = commands.add_parser("taps", help="bring a back office's taps to the wallet")
    taps.add_argument("act", choices=("upload",))
    taps.add_argument("file", type=Path, help="a tap file (docs/tap-files.md)")
    taps.add_argument("--to", default="http://127.0.0.1:8080", help="where the platform is")
    taps.add_argument("--token", required=True, help="a token of the back office (role merchant, outlet its name)")
    taps.add_argument("--tries", type=int, default=20, help="how often to go on after a broken connection")
    taps.set_defaults(run=_taps)

    reconcile = commands.add_parser("reconcile", help="hold the books against others' files")
    reconciling = reconcile.add_subparsers(required=True, metavar="ACT", dest="act")
    bringing = reconciling.add_parser("bring", help="bring a bank's, channel's, merchant's or terminals' file")
    bringing.add_argument("file", type=Path, help="a statement file (docs/statement-files.md)")
    fetching = reconciling.add_parser("fetch", help="fetch our file for a merchant, a bank or a channel")
    for asked in ("city", "source", "sender", "day"):
        fetching.add_argument(asked)
    fetching.add_argument("--out", type=Path, required=True)
    reporting = reconciling.add_parser("report", help="how a day was reconciled; status 1 if something waits")
    reporting.add_argument("city", help="area code, for example 330900")
    reporting.add_argument("day", help="for example 2026-09-28")
    for parser_of_act in (bringing, fetching, reporting):
        parser_of_act.add_argument("--to", default="http://127.0.0.1:8080", help="where the platform is")
        parser_of_act.add_argument("--token", required=True, help="of the card centre, or of the party itself")
        parser_of_act.set_defaults(run=_reconcile)

    audit = commands.add_parser("audit", help="sign the journal, write it out, hold it against what was signed")
    audits = audit.add_subparsers(required=True, metavar="ACT", dest="act")
    verifying = audits.add_parser("verify", help="find any row that was edited, deleted, inserted or moved")
    verifying.add_argument("source", help="an exported journal, or the address of a database (postgresql://…)")
    verifying.add_argument("--key", required=True, help="the public key that `audit sign` prints, 64 digits")
    verifying.add_argument("--schema", default="wallet")
    verifying.set_defaults(run=_verify)
    for act, words in {"sign": "cover all rows with a signed checkpoint", "export": "write the journal out"}.items():
        one = audits.add_parser(act, help=words)
        one.add_argument("--every", type=float, default=0.0, help="sign again every so many seconds, until stopped")
        one.add_argument("--out", type=Path, default=Path("journal.jsonl"), help="where an export goes")
        one.set_defaults(run=_audit)

    bylaws = commands.add_parser("bylaws", help="check a city's pack, explain a verdict, see whom a change would touch")
    acts = bylaws.add_subparsers(required=True, metavar="ACT", dest="act")
    checking = acts.add_parser("check", help="everything that is wrong with a pack, with file and line")
    checking.add_argument(
        "pack", nargs="?", type=Path, default=Path("deploy"), help="a city's folder, or all of deploy"
    )
    explaining = acts.add_parser("explain", help="which rule grants or refuses, each row looked at, what is missing")
    explaining.add_argument("programme", help="for example hangzhou-citizen, or zhoushan/citizen-card")
    explaining.add_argument("--facts", nargs="*", default=[], metavar="FACT", help="FACT or FACT=FIRST_DAY..LAST_DAY")
    explaining.add_argument("--person", type=Path, help="a YAML file with `birth` and `facts`")
    explaining.add_argument("--age", type=int, default=30)
    explaining.add_argument("--on", default="", help="the day of the decision, for example 2026-09-01 (default: today)")
    explaining.add_argument("--language", choices=("zh", "en"), default="en")
    explaining.add_argument("--data", type=Path, default=Path("deploy"))
    differing = acts.add_parser("diff", help="who would gain or lose which programme or function")
    differing.add_argument("old", type=Path, help="the folder of the city as it is, for example deploy/cities/zhoushan")
    differing.add_argument("new", type=Path, help="the folder of the city as it would be")
    differing.add_argument("--persons", type=Path, help="a file, one person a line (JSON), in place of the register")
    differing.add_argument("--on", default="", help="the day for which both are asked (default: today)")
    differing.add_argument("--ids", action="store_true", help="list every person, not only the first of each change")
    bylaws.set_defaults(run=_bylaws)

    schemas = commands.add_parser("schemas", help="write schemas/ anew from the code")
    schemas.add_argument("folder", nargs="?", type=Path, default=Path("schemas"))
    schemas.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of step")
    schemas.set_defaults(run=_schemas)
    return parser


def _feed_key(asked: argparse.Namespace) -> int:
    """The key is derived from the city's own secret; whoever has it can speak for the department."""
    from libs.vault.masterkey import FileMasterKey

    settings = Settings()
    master = FileMasterKey(settings.master_key or settings.home / "keys" / "master.json", randomness=os.urandom)
    feed_key = importlib.import_module("services.identity.adapters.intake").feed_key
    secret = asyncio.run(master.index_key("fingerprint"))
    print(json.dumps(feed_key(secret, asked.city, asked.department).as_dict(private=True)))
    return 0


def _settings(asked: argparse.Namespace) -> Settings:
    changes: dict[str, Any] = {}
    if getattr(asked, "port", None) is not None:
        changes["port"] = asked.port
    return Settings(**changes)


def _up(asked: argparse.Namespace) -> int:
    from libs.runtime.serving import serve

    names = getattr(asked, "services", None) or SERVICES
    _run(serve(_settings(asked), list(names), SERVICES, build_services))
    return 0


def seldom_search_for_circles() -> None:
    """What is there now stays; and what a batch leaves behind goes by itself, seldom in circles."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _run(work: Any) -> None:
    import uvloop

    seldom_search_for_circles()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def _demo(asked: argparse.Namespace) -> int:
    status: int = asyncio.run(importlib.import_module("services.demo").play(asked.engines, asked.city))
    return status


def _roll(asked: argparse.Namespace) -> int:
    from libs.telemetry import configure_logging

    rolls = importlib.import_module("services.rolls")
    settings, statuses = Settings(), list[int]()
    refuse_unsafe(settings)
    configure_logging(settings.log_style, "error")
    wanted = rolls.Wanted.of(asked.file, asked.city, asked.programme, asked.department, asked.name, asked.into)

    async def work() -> None:
        statuses.append(await rolls.import_roll(settings, wanted, SERVICES, build_services))

    _run(work())
    return statuses[0]


def _log(_asked: argparse.Namespace) -> int:
    from libs.runtime.engines import open_platform, visited
    from libs.runtime.rebuild import rebuild_log

    async def rebuild() -> None:
        settings = Settings()
        refuse_unsafe(settings)
        async with (
            visited(settings) as (dsn, _),
            open_platform(settings.model_copy(update={"database_url": dsn}), list(SERVICES)) as platform,
        ):
            for name, messages in (await rebuild_log(platform, build_services(platform))).items():
                print(f"{name}: {messages} messages")

    _run(rebuild())
    return 0


def _rebuild(asked: argparse.Namespace) -> int:
    from libs.runtime.engines import open_platform, visited
    from libs.runtime.readmodels import rebuild as rebuild_read_models

    async def build() -> None:
        settings = Settings()
        refuse_unsafe(settings)
        async with (
            visited(settings) as (dsn, _),
            open_platform(settings.model_copy(update={"database_url": dsn}), list(SERVICES)) as platform,
        ):
            (service,) = build_services(platform, [asked.service])
            done = await rebuild_read_models(platform, service, read_models_of(asked.service), dsn)
        rows = (
            ", ".join(f"{table} {count}" for table, count in done.rows.items()) or "none, for this service keeps none"
        )
        print(f"{asked.service}: {done.events} letters in {done.seconds:.1f} s; rows: {rows}")

    _run(build())
    return 0


def read_models_of(service: str) -> "list[Table]":
    """The tables into which a service's projections write."""
    from sqlalchemy import Table

    if find_spec(f"services.{service}.projections") is None:
        return []
    room = importlib.import_module(f"services.{service}.projections")
    return [found for found in vars(room).values() if isinstance(found, Table)]


def _token(asked: argparse.Namespace) -> int:
    from libs.kernel.ids import derived
    from libs.runtime.citytime import MachineClock
    from libs.runtime.development import issuer_key
    from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, issue

    settings = Settings()
    refuse_unsafe(settings)
    name = asked.name or f"{asked.role}-{derived(asked.role, asked.city, asked.outlet, asked.department).hex[:6]}"
    caller = Caller(
        id=name,
        role=asked.role,
        city=asked.city,
        outlet=asked.outlet,
        department=asked.department,
        person=asked.person,
    )
    print(issue(issuer_key(settings), MachineClock(), caller, ISSUER_DEVELOPMENT))
    return 0


def _doctor(_asked: argparse.Namespace) -> int:
    from libs.runtime.doctor import examine, summary
    from libs.telemetry import configure_logging

    async def visit() -> "list[Finding]":
        settings, findings = Settings(), []
        configure_logging(settings.log_style, "error")
        async for finding in examine(settings, SERVICES, check_bylaws):
            findings.append(finding)
            print(finding, flush=True)
        return findings

    findings = asyncio.run(visit())
    print(summary(findings))
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def _taps(asked: argparse.Namespace) -> int:
    room = importlib.import_module("services.wallet.adapters.tap_upload")
    status: int = room.upload(asked.file, asked.to, asked.token, asked.tries, print)
    return status


def _reconcile(asked: argparse.Namespace) -> int:
    room = importlib.import_module("services.wallet.adapters.statement_desk")
    match asked.act:
        case "bring":
            status: int = room.bring(asked.file, asked.to, asked.token, print)
        case "fetch":
            status = room.fetch(
                asked.city, asked.source, asked.sender, asked.day, asked.out, asked.to, asked.token, print
            )
        case _:
            status = room.report(asked.city, asked.day, asked.to, asked.token, print)
    return status


def _verify(asked: argparse.Namespace) -> int:
    from libs.audit.verify import key_of, run

    try:
        verdict = run(asked.source, key_of(asked.key), asked.schema)
    except (OSError, ValueError) as error:
        print(f"citycard: {error}", file=sys.stderr)
        return 2
    for fault in verdict.faults:
        print(f"FOUND  {fault}")
    print(f"{verdict.rows} rows, {verdict.checkpoints} checkpoints, {verdict.uncovered} rows since the last one")
    print("the journal is not what was signed" if verdict.faults else "the journal is what was signed")
    return 1 if verdict.faults else 0


def _audit(asked: argparse.Namespace) -> int:
    from libs.runtime.engines import reached

    room = importlib.import_module("services.wallet.adapters.checkpoint_desk")
    settings = Settings()
    refuse_unsafe(settings)

    async def work() -> None:
        async with reached(settings) as dsn:
            if asked.act == "sign":
                await room.sign(settings, dsn, asked.every, print)
            else:
                await room.export(settings, dsn, asked.out, print)

    _run(work())
    return 0


def _bylaws(asked: argparse.Namespace) -> int:
    status: int = importlib.import_module("services.bylaws.desk").run(asked)
    return status


def _schemas(asked: argparse.Namespace) -> int:
    from libs.runtime.schemas import stale_schemas, write_schemas
    from libs.testing.town import memory_platform

    services = build_services(memory_platform(Settings()))
    if not asked.check:
        for path in write_schemas(asked.folder, services):
            print(f"wrote {path}")
        return 0
    stale = stale_schemas(asked.folder, services)
    for path in stale:
        print(f"{path} is out of step with the code; run `make schemas` and commit what changes", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
