"""The published language: what a message says, in words that only ever grow."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """A published fact. Readers are tolerant: an unknown field is passed over, and a version only gains optional ones.

    A subclass names itself: `class CardStopped(Contract, type="loss.CardStopped.v1")`. It never carries personal data.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
    _type_name: ClassVar[str] = ""

    def __init_subclass__(cls, *, type: str = "", **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls._type_name = type

    @classmethod
    def type_name(cls) -> str:
        """The CloudEvents type, for example `loss.CardStopped.v1`."""
        return cls._type_name
