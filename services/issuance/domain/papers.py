"""Which papers an act needs, and which of them lie on the counter."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from libs.kernel import Unfit, value
from libs.kernel.why import Cited, Names


class Whose(StrEnum):
    """Whose paper it is."""

    HOLDER = "holder"
    GUARDIAN = "guardian"
    AGENT = "agent"
    DELEGATE = "delegate"
    UNIT = "unit"


@value
class Shown:
    """A paper on the counter: the `original`, a `copy`, or both; `photo` says whether a face is on it."""

    kind: str
    whose: Whose = Whose.HOLDER
    original: bool = True
    copy: bool = False
    photo: bool = True


@value
class Needed:
    """One line of a list of papers: any one of these kinds, of this person, always in the original.

    `copy`: a copy as well. `when` names a circumstance in which alone the line counts. `photo_preferred`: a paper
    without a face on it is taken, and the reviewer is told (Wuxi first ID). `rule` is where the list stands.
    """

    any_of: tuple[str, ...]
    rule: str
    whose: Whose = Whose.HOLDER
    copy: bool = False
    when: str = ""
    photo_preferred: bool = False

    def __post_init__(self) -> None:
        if not self.any_of:
            raise ValueError("a line of a list of papers names at least one paper")

    def __str__(self) -> str:
        kinds = " or ".join(kind.replace("_", " ") for kind in self.any_of)
        return f"the {self.whose.value}'s {kinds}{' with a copy' if self.copy else ''}"

    def in_chinese(self, names: Names) -> str:
        kinds = "或".join(names.named("document", kind).zh for kind in self.any_of)
        whose = names.named("whose", self.whose.value).zh
        return f"{whose}的{kinds}原件{'及复印件' if self.copy else ''}"

    def met_by(self, shown: Shown) -> bool:
        fits = shown.kind in self.any_of and shown.whose is self.whose and shown.original
        return fits and (shown.copy or not self.copy)


NO_PHOTO = "no_photo_on_a_proof"


@value
class Lacking:
    """What is not there of a list of papers."""

    lines: tuple[Needed, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.lines))

    def in_chinese(self, names: Names) -> str:
        return "；".join(line.in_chinese(names) for line in self.lines)


class PapersMissing(Unfit):
    """These papers are missing: {papers}. Bring them, each in the original."""


def check(
    needed: Iterable[Needed],
    shown: Sequence[Shown],
    by: Callable[..., Cited],
    circumstances: Iterable[str] = (),
) -> tuple[str, ...]:
    """What the reviewer should know of these papers. Raises PapersMissing with the whole list of what is not there.

    `by` names the entries of the bylaws that ask for it.
    """
    holds = set(circumstances)
    lines = [line for line in needed if not line.when or line.when in holds]
    if missing := tuple(line for line in lines if not any(line.met_by(paper) for paper in shown)):
        raise PapersMissing(by(*dict.fromkeys(line.rule for line in missing)), papers=Lacking(lines=missing))
    faceless = any(
        line.photo_preferred and not any(line.met_by(paper) and paper.photo for paper in shown) for line in lines
    )
    return (NO_PHOTO,) if faceless else ()
