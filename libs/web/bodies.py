"""Request bodies are strict: nothing is guessed, nothing is coerced, nothing unknown is passed over."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints


class Body(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


def _day(given: Any) -> Any:
    return date.fromisoformat(given) if isinstance(given, str) and len(given) == 10 else given


def _moment(given: Any) -> Any:
    return datetime.fromisoformat(given) if isinstance(given, str) and len(given) >= 20 else given


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs its offset from UTC, for example 2026-10-01T09:00:00+08:00")
    return moment


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
"""A day, `YYYY-MM-DD`, in the city's zone."""

When = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=datetime), AfterValidator(_aware)]
"""A moment, RFC 3339 with its offset."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""A short text."""
