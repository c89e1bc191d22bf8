"""Portraits of nobody: drawn, not photographed, so that tests and the demo need no face of a living person."""

from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, ImageFilter

WIDTH_PX, HEIGHT_PX = 358, 441
_FILE_BYTES_MIN, _FILE_BYTES_MAX = 14_500, 19_500  # fits the social card (14-40 KB) and the ID card (14-20 KB)
_SKINS = ("#f3d3b5", "#e8bf9a", "#d9a77f", "#b98560")
_HAIRS = ("#1c1a1a", "#2f2420", "#4a3428", "#77726f")
_CLOTHES = ("#23395b", "#5b2333", "#2f4f3a", "#3d3d46", "#6b4f2a")


def portrait(seed: int = 0) -> bytes:
    """A JPEG that keeps the portrait standard; the same seed draws the same face, another seed another one."""
    dice = Random(seed)
    picture = _drawn(dice)
    for quality in range(95, 40, -1):
        jpeg = BytesIO()
        picture.save(jpeg, "JPEG", quality=quality, dpi=(350, 350))
        if _FILE_BYTES_MIN <= jpeg.tell() <= _FILE_BYTES_MAX:
            return jpeg.getvalue()
    raise AssertionError(f"no quality brings portrait {seed} to the weight of a portrait")


def _drawn(dice: Random) -> Image.Image:
    skin, hair, clothes = dice.choice(_SKINS), dice.choice(_HAIRS), dice.choice(_CLOTHES)
    half, long_hair = dice.randint(99, 107), dice.random() < 0.5  # faces are 207 ± 14 px wide
    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white")
    draw = ImageDraw.Draw(picture)
    middle = WIDTH_PX // 2
    if long_hair:
        draw.rounded_rectangle((middle - half - 14, 120, middle + half + 14, 360), 50, fill=hair)
    draw.ellipse((10, 372, WIDTH_PX - 10, 620), fill=clothes)
    draw.rectangle((middle - 42, 310, middle + 42, 385), fill=skin)
    draw.polygon([(middle - 60, 378), (middle + 60, 378), (middle, 430)], fill=skin)
    draw.ellipse((middle - half - 8, 14, middle + half + 8, 250), fill=hair)
    draw.ellipse((middle - half, 60, middle + half, 356), fill=skin)
    draw.pieslice((middle - half - 4, 16, middle + half + 4, 60 + dice.randint(150, 190)), 180, 360, fill=hair)
    iris = dice.randint(9, 12)
    for side in (-1, 1):
        _eye(draw, middle + side * 45, 215, iris, hair)
        draw.ellipse((middle + side * half - 12, 205, middle + side * half + 12, 265), fill=skin)  # ears are visible
    draw.line((middle, 225, middle - 8, 268, middle + 8, 270), fill="#8d6b55", width=3)
    draw.arc((middle - 36, 270, middle + 36, 270 + dice.randint(32, 46)), 25, 155, fill="#9c4a48", width=5)
    return _grained(picture.filter(ImageFilter.GaussianBlur(0.8)), dice)


def _eye(draw: ImageDraw.ImageDraw, x: int, y: int, iris: int, brow: str) -> None:
    draw.ellipse((x - 22, y - iris, x + 22, y + iris), fill="#fbfbf8")
    draw.ellipse((x - iris, y - iris, x + iris, y + iris), fill="#2a1d16")
    draw.line((x - 26, y - 28, x, y - 34, x + 26, y - 28), fill=brow, width=6)


def _grained(picture: Image.Image, dice: Random) -> Image.Image:
    """A little grain everywhere but on the white wall, as a camera leaves it."""
    size = picture.size
    noise = Image.frombytes("L", size, dice.randbytes(size[0] * size[1])).convert("RGB")
    drawn = picture.convert("L").point([255] * 235 + [0] * 21)
    return Image.composite(Image.blend(picture, noise, 0.08), picture, drawn)
