"""Portraits are measured before anybody prints them; a file is taken apart before a decoder is trusted with it."""

from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageChops, ImageStat

from services.issuance.domain.portrait import (
    SOCIAL_CARD,
    Portrait,
    PortraitNotAlone,
    PortraitNotColour,
    PortraitNotOnWhite,
    PortraitTooHeavy,
    PortraitTooLight,
    PortraitUnreadable,
    PortraitWrongSize,
    Standard,
)

_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive
_NEEDED = {0xC4, 0xDB, 0xDD}  # Huffman tables, quantisation tables, restart interval
_ADOBE = 0xEE  # says how the channels are coded
_SCAN = 0xDA
_JFIF = bytes.fromhex("ffe0 0010 4a46494600 0101 01 015e 015e 00 00")  # 350 dots per inch, no thumbnail
_SCANS_MAX = 16  # a progressive file of forty kilobytes can hold thousands, and each costs a whole pass
_EDGES = {
    # Shares of the picture: hair begins 7 px below the top (GA 461), shoulders end in the lower half.
    "top": (0.0, 0.0, 1.0, 5 / 441),
    "left": (0.0, 0.0, 24 / 358, 0.5),
    "right": (1 - 24 / 358, 0.0, 1.0, 0.5),
}


def examine(image: bytes, standard: Standard = SOCIAL_CARD) -> Portrait:
    """The portrait in this file, measured against the standard and stripped of everything that is not picture.

    Raises PortraitTooHeavy before anything is read, PortraitUnreadable, PortraitNotAlone, PortraitNotColour,
    PortraitWrongSize and PortraitTooLight before anything is decoded, and PortraitNotOnWhite last (domain-facts 4.8).
    """
    if len(image) > standard.file_bytes_max:
        raise PortraitTooHeavy(standard.chosen_by, kilobytes_max=standard.file_bytes_max // 1024)
    jpeg = _picture_alone(image, standard)
    if len(jpeg) < standard.file_bytes_min:
        raise PortraitTooLight(standard.chosen_by, kilobytes_min=standard.file_bytes_min // 1000)
    pixels = _decoded(jpeg, standard)
    if pixels.tobytes() != _decoded(jpeg[:-2] + b"\x5a\xa5" * 64 + _END, standard).tobytes():
        raise PortraitUnreadable()  # A whole picture needs no byte beyond its end; one cut short and closed again does.
    _must_be_on_white(pixels, standard)
    return Portrait(jpeg=jpeg)


def _picture_alone(image: bytes, standard: Standard) -> bytes:
    """The same picture, bit for bit, without comments, thumbnails, Exif and other places to hide something."""
    kept, head, frames, scans = list[bytes](), _JFIF, 0, 0
    for marker, segment in _segments(image):
        if marker in _FRAMES:
            frames += 1
            _must_be_colour_and_of_size(segment, standard)
        elif marker == _SCAN:
            scans += 1
        elif marker == _ADOBE and segment[4:9] == b"Adobe" and len(segment) == 16:
            head = b""  # The two disagree about how the channels are coded, and decoders believe JFIF.
        elif marker not in _NEEDED:
            continue
        kept.append(segment)
    if frames != 1 or not 1 <= scans <= _SCANS_MAX:
        raise PortraitUnreadable()
    return b"".join([_BEGIN, head, *kept, _END])


def _segments(image: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and bytes of each segment; a scan brings its coded pixels with it, and nothing follows the end."""
    if not image.startswith(_BEGIN):
        raise PortraitUnreadable()
    at = len(_BEGIN)
    while image[at : at + 2] != _END:
        head = image[at : at + 4]
        length = int.from_bytes(head[2:])
        end = at + 2 + length
        if len(head) < 4 or head[0] != 0xFF or not 0xC0 <= head[1] <= 0xFE or length < 2 or end > len(image):
            raise PortraitUnreadable()
        if head[1] == _SCAN:
            end = _end_of_scan(image, end)
        yield head[1], image[at:end]
        at = end
    if at + len(_END) != len(image):
        raise PortraitNotAlone()


def _end_of_scan(image: bytes, at: int) -> int:
    """Where the next marker stands that is neither a stuffed FF00 nor a restart."""
    while (at := image.find(b"\xff", at)) >= 0 and at + 1 < len(image):
        following = image[at + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7:
            return at
        at += 2
    raise PortraitUnreadable()


def _must_be_colour_and_of_size(frame: bytes, standard: Standard) -> None:
    """Read from the frame header, so that nothing is decoded which is larger than a portrait."""
    if len(frame) < 10:
        raise PortraitUnreadable()
    bits, channels = frame[4], frame[9]
    if (bits, channels) != (8, 3):
        raise PortraitNotColour(standard.chosen_by)
    height_px, width_px = int.from_bytes(frame[5:7]), int.from_bytes(frame[7:9])
    if (width_px, height_px) != (standard.width_px, standard.height_px):
        raise PortraitWrongSize(
            standard.chosen_by,
            width_px=width_px,
            height_px=height_px,
            width_px_due=standard.width_px,
            height_px_due=standard.height_px,
        )


def _decoded(jpeg: bytes, standard: Standard) -> Image.Image:
    try:
        with Image.open(BytesIO(jpeg), formats=("JPEG",)) as picture:
            picture.load()
            if picture.mode != "RGB":
                raise PortraitNotColour(standard.chosen_by)
            return picture.copy()
    except (OSError, SyntaxError, ValueError):
        raise PortraitUnreadable() from None


def _must_be_on_white(pixels: Image.Image, standard: Standard) -> None:
    width, height = pixels.size
    for edge, (left, top, right, bottom) in _EDGES.items():
        strip = pixels.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))
        red, green, blue = strip.split()
        darkest = ImageChops.darker(ImageChops.darker(red, green), blue).histogram()
        white_share = sum(darkest[standard.white_level_min :]) / sum(darkest)
        means = ImageStat.Stat(strip).mean
        if white_share < standard.white_share_min or max(means) - min(means) > standard.colour_cast_max:
            raise PortraitNotOnWhite(standard.chosen_by, edge=edge)
