"""What a portrait must be before it can be printed; hair, eyes, glasses and clothes are for the clerk to judge."""

from dataclasses import field

from libs.kernel import Unfit, value
from libs.kernel.why import Cited, Said


@value
class Question:
    """What no machine here judges of a portrait: a clerk looks, and if the answer is no, another one is brought."""

    code: str
    said: Said


def _asked(code: str, zh: str, en: str) -> Question:
    return Question(code=code, said=Said(zh=zh, en=en))


_OF_ALL = (
    _asked("hair", "头顶距上边缘是否为7至21像素？", "does the hair begin 7 to 21 pixels below the upper edge?"),
    _asked("eye_line", "眼睛距下边缘是否不少于207像素？", "are the eyes at least 207 pixels above the lower edge?"),
    _asked("recent", "是否为近6个月内的照片？", "was it taken within six months?"),
    _asked("ears_and_brows", "双耳和眉毛是否可见？", "can ears and brows be seen?"),
    _asked("light", "是否无阴影、无反光？", "is it without shadows and reflections?"),
    _asked("glasses", "是否未戴有色眼镜？", "is it without coloured glasses?"),
)
"""domain-facts 4.8; the eyes' height goes before the hair's."""
_OF_SOCIAL_CARDS = (
    _asked("face", "脸宽是否为179至255像素？", "is the face 179 to 255 pixels wide?"),
    _asked(
        "middle", "两眼中点距左边缘是否为162至196像素？", "are the eyes' middle 162 to 196 pixels from the left edge?"
    ),
    _asked("clothes", "衣着是否不是白色？", "are the clothes not white?"),
)
_OF_ID_CARDS = (
    _asked("face", "脸宽是否为193至221像素？", "is the face 193 to 221 pixels wide?"),
    _asked("clothes", "是否未穿制服？", "is it without a uniform?"),
)


@value
class Standard:
    """What a machine can measure of a portrait standard: pixels, bytes of the file, and how white white is.

    `chosen_by` is the entry by which a city has chosen it.
    """

    width_px: int = 358  # 26 mm at 350 dpi
    height_px: int = 441  # 32 mm at 350 dpi
    file_bytes_min: int = 14_000
    file_bytes_max: int = 40 * 1024  # generous at both ends, for nobody says which kilobyte is meant
    white_level_min: int = 225  # of 255, in the darkest of the three channels
    white_share_min: float = 0.95
    colour_cast_max: int = 16  # of 255, between the averages of the channels
    questions: tuple[Question, ...] = (*_OF_ALL, *_OF_SOCIAL_CARDS)
    chosen_by: Cited | None = field(default=None, compare=False)


SOCIAL_CARD = Standard()
ID_CARD = Standard(file_bytes_max=20 * 1024, questions=(*_OF_ALL, *_OF_ID_CARDS))  # GA 461


@value
class Portrait:
    """A picture that keeps the standard; `jpeg` holds the picture alone, without the place and device that took it."""

    jpeg: bytes

    def __repr__(self) -> str:
        """A face has no business in a log."""
        return f"Portrait({len(self.jpeg)} bytes)"


class PortraitUnreadable(Unfit):
    """This file is not a whole JPEG picture; save the portrait as JPEG once more and send it again."""


class PortraitNotAlone(Unfit):
    """This file carries something behind the picture; save the portrait as JPEG once more and send the new file."""


class PortraitTooHeavy(Unfit):
    """This file has more than {kilobytes_max} kilobytes; save the portrait as JPEG with quality 70 and send that."""


class PortraitTooLight(Unfit):
    """This picture has fewer than {kilobytes_min} kilobytes and prints badly; save the original in better quality."""


class PortraitWrongSize(Unfit):
    """This picture is {width_px} x {height_px} pixels and must be {width_px_due} x {height_px_due}; crop it anew."""


class PortraitNotColour(Unfit):
    """This picture is not in 24-bit RGB colour; save the colour photograph as an RGB JPEG and send it again."""


class PortraitNotOnWhite(Unfit):
    """The background is not white at the {edge} edge; take the portrait before an evenly lit white wall, unframed."""
