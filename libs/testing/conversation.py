"""A decision as a conversation: given what has happened, when somebody asks, then this happens or is refused."""

from dataclasses import dataclass
from typing import Any

import pytest

from libs.kernel import Decider, Refused


@dataclass(frozen=True)
class Asked:
    """A question, put to a decider that has been through these facts."""

    decider: Decider[Any, Any, Any]
    facts: tuple[Any, ...]
    command: Any

    def then(self, *expected: Any) -> None:
        """Exactly these facts follow."""
        assert tuple(self.decider.decide(self.command, self.decider.fold(self.facts))) == expected

    def refused(self, refusal: type[Refused]) -> None:
        """The city says no, in a sentence whose gaps are all filled."""
        with pytest.raises(Refused) as refused:
            self.decider.decide(self.command, self.decider.fold(self.facts))
        assert refused.type is refusal


@dataclass(frozen=True)
class Given:
    """What has happened so far."""

    decider: Decider[Any, Any, Any]
    facts: tuple[Any, ...]

    def when(self, command: Any) -> Asked:
        """Somebody asks."""
        return Asked(self.decider, self.facts, command)


def given(decider: Decider[Any, Any, Any], *facts: Any) -> Given:
    """Begin with these facts."""
    return Given(decider, facts)
