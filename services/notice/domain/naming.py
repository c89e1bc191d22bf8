"""How notices are named: after the step that they tell of, so that a step heard twice is one notice."""

import re
from typing import NewType

from libs.kernel.ids import derived, well_written
from services.ids import HoldingId, IdMistyped

NoticeId = NewType("NoticeId", str)


def notice_id(holding: HoldingId, step: str, *key: object) -> NoticeId:
    """The one notice of this step; `key` tells apart the times that a step is taken. It carries its holding."""
    return NoticeId(f"{holding}.N{derived('notice', holding, step, *key).hex[:12].upper()}")


def holding_of_notice(notice: str) -> HoldingId:
    """The holding whose holder is told. Raises IdMistyped."""
    holding, _, rest = notice.partition(".")
    if not (well_written(holding) and re.fullmatch("N[0-9A-F]{12}", rest)):
        raise IdMistyped
    return HoldingId(holding)
