"""What a city may decide for itself about who gets a card without asking for it."""

from libs.kernel import value


@value
class MassIssue:
    """The conditions of issue without application under one programme (R41), as they hold at one moment."""

    insured_by_one_of: frozenset[str]
    accurate_record: bool
    second_generation_id: bool

    def __post_init__(self) -> None:
        if not self.insured_by_one_of:
            raise ValueError("issue without application needs at least one fact of which one must hold")
