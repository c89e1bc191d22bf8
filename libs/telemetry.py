"""What operators see: logs for people or machines, metrics, and a trace that travels with every message."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from math import nan
from typing import Any, ClassVar

import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic_core import to_json

SEND_OUTCOMES = ("waiting", "sent", "failed", "uncertain")

_propagator = TraceContextTextMapPropagator()
_traceparent: ContextVar[str] = ContextVar("traceparent", default="")


class _GivenIds(IdGenerator):
    """Trace ids from the randomness that the platform was given."""

    def __init__(self, randomness: Callable[[int], bytes]) -> None:
        self._randomness = randomness

    def generate_trace_id(self) -> int:
        return int.from_bytes(self._randomness(16), "big") | 1

    def generate_span_id(self) -> int:
        return int.from_bytes(self._randomness(8), "big") | 1


class FeedGauges:
    """How prompt, accurate and complete those are who deliver to us, beside what was agreed with them."""

    NAMES: ClassVar[Mapping[str, tuple[str, str]]] = {
        "age_s": ("citycard_feed_age_seconds", "City time since a feed last delivered."),
        "due_every_s": ("citycard_feed_due_seconds", "How old that may become."),
        "fault_share": ("citycard_feed_fault_share", "Share of a feed's records that were faulty (0 to 1)."),
        "faults_max": ("citycard_feed_fault_share_max", "How large that may become."),
        "completeness": (
            "citycard_feed_completeness",
            "Share that came of the records announced, or numbered below one that came (0 to 1).",
        ),
        "uncounted_share": (
            "citycard_feed_uncounted_share",
            "Share of a feed's deliveries that were never counted, though that was agreed on (0 to 1).",
        ),
    }

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges = {
            name: Gauge(shown, means, ["city", "department"], registry=registry)
            for name, (shown, means) in self.NAMES.items()
        }

    def show(self, feed: tuple[str, str], **figures: float) -> None:
        """The present figures of a feed, by city and department."""
        for name, figure in figures.items():
            self._gauges[name].labels(*feed).set(figure)


class ReconciliationGauges:
    """How the books stand beside others' files since the last reconciliation, by who sends which file."""

    NAMES: ClassVar[Mapping[str, tuple[str, str]]] = {
        "stale": ("citycard_stale_postings", "Movements of money that no file has confirmed for too long."),
        "missing": ("citycard_statements_missing", "Days in our books for which no file has come in time."),
        "suspense_fen": ("citycard_suspense_fen", "What nobody can explain and lies in suspense, in fen."),
        "suspense_age_s": ("citycard_suspense_age_seconds", "Age of the oldest of it, as of the last reconciliation."),
    }

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges = {
            name: Gauge(shown, means, ["city", "source", "sender"], registry=registry)
            for name, (shown, means) in self.NAMES.items()
        }

    def show(self, party: tuple[str, str, str], **figures: float) -> None:
        """The present figures of a party, by city, kind of file and sender."""
        for name, figure in figures.items():
            self._gauges[name].labels(*party).set(figure)


class Telemetry:
    """One process's metrics and traces."""

    def __init__(self, randomness: Callable[[int], bytes], sample: bool = False) -> None:
        self.registry = CollectorRegistry()
        self._sample, self._ids = sample, _GivenIds(randomness)
        self.provider = TracerProvider(sampler=ParentBased(ALWAYS_ON if sample else ALWAYS_OFF), id_generator=self._ids)
        self._tracer = self.provider.get_tracer("citycard")
        self.requests = Histogram(
            "citycard_http_request_seconds",
            "Time to answer a request.",
            ["method", "route", "status"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
        self.refusals = Counter(
            "citycard_refusals", "Requests that the city refused.", ["code"], registry=self.registry
        )
        self.lag = Gauge(
            "citycard_reader_lag", "Letters that lie unread.", ["service", "reader"], registry=self.registry
        )
        self.poll_age = Gauge(
            "citycard_reader_last_poll_age_seconds",
            "Time since a reader last looked for letters.",
            ["service", "reader"],
            registry=self.registry,
        )
        self.parked = Gauge(
            "citycard_parked", "Letters and due commands put aside.", ["service", "kind"], registry=self.registry
        )
        self.outbox = Gauge(
            "citycard_outbox_unsent", "Messages that the relay has still to send.", ["service"], registry=self.registry
        )
        self.outbox_age = Gauge(
            "citycard_outbox_age_seconds", "Age of the oldest unsent message.", ["service"], registry=self.registry
        )
        self.log_reachable = Gauge(
            "citycard_log_reachable", "Whether the log answers (1) or not (0).", ["service"], registry=self.registry
        )
        self.room_free = Gauge(
            "citycard_room_free_bytes",
            "Free space under the database; NaN if it cannot be seen.",
            registry=self.registry,
        )
        self.room_free.set(nan)
        self.room_low = Gauge(
            "citycard_room_low", "Whether only loss reports are taken, for want of room (1).", registry=self.registry
        )
        self.books_drift = Gauge(
            "citycard_books_drift_fen",
            "What is kept and what was booked differ by, in fen; always 0.",
            ["service"],
            registry=self.registry,
        )
        self.books_faults = Gauge(
            "citycard_books_faults",
            "Entries that are not what they were, and gaps in the journal; always 0.",
            ["service"],
            registry=self.registry,
        )
        self.books_entries = Gauge(
            "citycard_books_audited_entries", "Entries that were looked at.", ["service"], registry=self.registry
        )
        self.journal_unsigned = Gauge(
            "citycard_journal_unsigned_seconds",
            "How long the oldest row of the journal has waited for a signed checkpoint.",
            ["service"],
            registry=self.registry,
        )
        self.feeds = FeedGauges(self.registry)
        self.reconciliation = ReconciliationGauges(self.registry)
        self.reconciliation_overdue = Gauge(
            "citycard_reconciliation_overdue_seconds",
            "City time since the oldest day that is not reconciled should have been; 0 if none waits.",
            ["city"],
            registry=self.registry,
        )
        self.sends = Counter("citycard_notices", "Notices, by what came of them.", ["outcome"], registry=self.registry)
        self.notice_delay = Gauge(
            "citycard_notice_delay_seconds",
            "City time that the oldest notice which should have left by now has been waiting; 0 if none waits.",
            registry=self.registry,
        )
        for outcome in SEND_OUTCOMES:
            self.sends.labels(outcome)  # A counter that begins at 1 has no increase that an alert could see.

    @contextmanager
    def span(self, name: str, parent: str = "") -> Iterator[str]:
        """A span within `parent` (a traceparent), recorded if traces or the parent are sampled; yields its own."""
        with self._recorded(name, parent) if self._sample or parent else nullcontext(self._unrecorded()) as own:
            before = _traceparent.set(own)
            try:
                yield own
            finally:
                _traceparent.reset(before)

    @contextmanager
    def _recorded(self, name: str, parent: str) -> Iterator[str]:
        with self._tracer.start_as_current_span(name, _propagator.extract({"traceparent": parent})) as span:
            own = span.get_span_context()
            yield f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def _unrecorded(self) -> str:
        return f"00-{self._ids.generate_trace_id():032x}-{self._ids.generate_span_id():016x}-00"


def current_traceparent() -> str:
    """The W3C traceparent of the current span; empty outside of one."""
    return _traceparent.get()


def current_trace_id() -> str:
    """The id that ties together all that one request led to."""
    return _traceparent.get()[3:35]


def _add_trace(_logger: Any, _method: str, event: Any) -> Any:
    if trace_id := current_trace_id():
        event["trace_id"] = trace_id
    return event


class _Lines:
    """Writes lines where the root handler writes its own, without the way through `logging`, which costs more.

    A line that cannot be written is lost, as in `logging`: whoever says that the disk is full must live on.
    """

    def __init__(self, name: str, handler: "logging.StreamHandler[Any]") -> None:
        self.name, self._handler = name, handler

    def msg(self, line: str) -> None:
        with suppress(OSError):
            self._handler.stream.write(line + "\n")
            self._handler.stream.flush()

    debug = info = warning = error = critical = msg


def configure_logging(style: str, level: str = "info") -> None:
    """Log to standard error: `json`, one object a line, or `human`."""
    renderer: Any = (
        structlog.processors.JSONRenderer(lambda line, **_: to_json(line, fallback=repr).decode())
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper("iso", utc=True),
        _add_trace,
    ]
    rendered: list[Any] = [structlog.processors.format_exc_info, renderer]
    handler = logging.StreamHandler(sys.stderr)
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name: _Lines(name, handler),
        cache_logger_on_first_use=False,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # Thousands of lines an outage; ours says it once a try.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # It calls every closing at a stop an error.


def log_for(room: str) -> Any:
    """The log of one room of the house."""
    return structlog.get_logger(f"citycard.{room}")
