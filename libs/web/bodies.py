"""Request bodies are strict: nothing is guessed, nothing is coerced, nothing unknown is passed over."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, field_validator


class Body(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*")
    @classmethod
    def _can_be_kept(cls, given: Any) -> Any:
        if any("\0" in text for text in (given if isinstance(given, list) else [given]) if isinstance(text, str)):
            raise ValueError("the character U+0000 cannot be kept")
        return given


HOW_A_MOMENT_IS_WRITTEN = "a moment is written with its offset from UTC, for example 2026-10-01T09:00:00+08:00"


def _day(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        raise ValueError("a day is written YYYY-MM-DD")
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ValueError("there is no such day") from None


def _moment(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError(HOW_A_MOMENT_IS_WRITTEN) from None
    if moment.tzinfo is None:
        raise ValueError(HOW_A_MOMENT_IS_WRITTEN)
    if not 1900 <= moment.year < 3000:
        raise ValueError("a moment lies between the years 1900 and 2999")
    return moment


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
"""A day, `YYYY-MM-DD`, in the city's zone."""

When = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=datetime)]
"""A moment, RFC 3339 with its offset, in a body or in a query."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""A short text."""
