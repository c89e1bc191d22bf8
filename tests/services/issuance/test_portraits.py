"""A portrait is taken, or sent back with the one thing that must be done about it."""

from contextlib import suppress
from io import BytesIO
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from libs.kernel import Unfit
from libs.testing.portraits import portrait
from services.issuance.adapters.portraits import examine
from services.issuance.domain.portrait import (
    ID_CARD,
    SOCIAL_CARD,
    Portrait,
    PortraitNotAlone,
    PortraitNotColour,
    PortraitNotOnWhite,
    PortraitTooHeavy,
    PortraitTooLight,
    PortraitUnreadable,
    PortraitWrongSize,
)

GOOD = portrait()


def test_the_drawn_portraits_keep_both_standards() -> None:
    for seed in range(40):
        assert examine(portrait(seed), ID_CARD) == examine(portrait(seed), SOCIAL_CARD)


def test_a_seed_draws_the_same_face_and_another_seed_another_one() -> None:
    assert portrait(7) == portrait(7) != portrait(8)


def test_what_is_taken_shows_the_same_picture_and_is_taken_again_unchanged() -> None:
    taken = examine(GOOD).jpeg
    assert pixels(taken).tobytes() == pixels(GOOD).tobytes()
    assert examine(taken).jpeg == taken


def test_what_is_taken_says_350_dots_per_inch() -> None:
    with Image.open(BytesIO(examine(encoded(dpi=(72, 72))).jpeg)) as picture:
        assert picture.info["dpi"] == (350, 350)


def test_a_portrait_shows_no_face_in_a_log() -> None:
    assert "\\x" not in repr(Portrait(jpeg=GOOD))


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}])
def test_every_way_of_writing_a_jpeg_is_read_and_a_cut_is_noticed_in_each(options: dict[str, Any]) -> None:
    whole = encoded(**options)
    assert pixels(examine(whole).jpeg).tobytes() == pixels(whole).tobytes()
    with pytest.raises(PortraitUnreadable):
        examine(whole[:-900] + b"\xff\xd9")


@given(st.integers(0, len(GOOD) - 1))
def test_a_file_cut_short_is_refused(length: int) -> None:
    with pytest.raises(Unfit):
        examine(GOOD[:length])


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_a_damaged_file_is_taken_or_refused_and_never_breaks_the_counter(seed: int, slips: int) -> None:
    dice, damaged = Random(seed), bytearray(GOOD)
    for _ in range(slips):
        damaged[dice.randrange(dice.choice((700, len(GOOD))))] = dice.randrange(256)
    with suppress(Unfit):
        examine(bytes(damaged))


@pytest.mark.parametrize("image", [b"", b"GIF89a" + GOOD, b"%PDF-1.7\n" + GOOD, b"<html>", b"\xff\xd8\xff\xd9"])
def test_what_is_no_jpeg_is_refused(image: bytes) -> None:
    with pytest.raises(PortraitUnreadable):
        examine(image)


def test_another_file_format_under_the_name_of_a_jpeg_is_refused() -> None:
    png = BytesIO()
    Image.new("RGB", (358, 441), "white").save(png, "PNG")
    with pytest.raises(PortraitUnreadable):
        examine(png.getvalue())


def test_an_archive_hidden_behind_the_picture_is_refused() -> None:
    with pytest.raises(PortraitNotAlone):
        examine(GOOD + b"PK\x03\x04 and much more")


def test_a_script_hidden_inside_the_file_does_not_survive() -> None:
    assert b"script" in (laced := encoded(comment=b"<script>alert(1)</script>"))
    assert examine(laced) == examine(encoded())


def test_the_place_where_it_was_taken_does_not_survive() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera of somebody"
    assert b"somebody" not in examine(encoded(exif=exif)).jpeg


def test_padding_adds_no_weight() -> None:
    with pytest.raises(PortraitTooLight):
        examine(encoded(quality=30, comment=b"x" * 14_000))


def test_a_bomb_is_refused_by_its_header_alone() -> None:
    frame = GOOD.index(b"\xff\xc0")
    with pytest.raises(PortraitWrongSize, match="65535 x 65535 pixels and must be 358 x 441"):
        examine(GOOD[: frame + 5] + b"\xff\xff\xff\xff" + GOOD[frame + 9 :])


def test_thousands_of_scans_are_refused_before_they_cost_anything() -> None:
    scan = GOOD.index(b"\xff\xda")
    with pytest.raises(PortraitUnreadable):
        examine(GOOD[:scan] + GOOD[scan : scan + 14] * 1000 + GOOD[scan:])


def test_a_heavy_file_is_refused_unread() -> None:
    with pytest.raises(PortraitTooHeavy, match="40 kilobytes"):
        examine(b"x" * 50_000)


def test_the_id_card_wants_a_lighter_file_than_the_social_card() -> None:
    heavy = encoded(quality=90)
    assert 20 * 1024 < len(heavy) <= 40 * 1024
    examine(heavy, SOCIAL_CARD)
    with pytest.raises(PortraitTooHeavy, match="20 kilobytes"):
        examine(heavy, ID_CARD)


def test_a_light_file_is_refused() -> None:
    with pytest.raises(PortraitTooLight, match="14 kilobytes"):
        examine(encoded(quality=40))


@pytest.mark.parametrize("size", [(441, 358), (357, 441), (716, 882)])
def test_the_pixels_are_counted(size: tuple[int, int]) -> None:
    with pytest.raises(PortraitWrongSize):
        examine(encoded(pixels(GOOD).resize(size), quality=50))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_picture_in_other_colours_than_rgb_is_refused(mode: str) -> None:
    with pytest.raises(PortraitNotColour):
        examine(encoded(pixels(GOOD).convert(mode), quality=60))


@pytest.mark.parametrize("wall", ["#cfe2ff", "#d0d0d0", "#f5fff0", "#ffe9d0"])
def test_a_wall_that_is_not_white_is_refused(wall: str) -> None:
    picture = pixels(GOOD)
    white = picture.convert("L").point([0] * 240 + [255] * 16)
    picture.paste(wall, (0, 0, *picture.size), white)
    if wall == "#f5fff0":
        examine(encoded(picture))  # Near enough: no camera sees a white wall as pure white.
    else:
        with pytest.raises(PortraitNotOnWhite, match="at the top edge"):
            examine(encoded(picture))


@pytest.mark.parametrize(
    ("edge", "line"), [("top", (0, 0, 357, 0)), ("left", (0, 0, 0, 440)), ("right", (357, 0, 357, 440))]
)
def test_a_frame_is_refused_and_the_edge_is_named(edge: str, line: tuple[int, int, int, int]) -> None:
    picture = pixels(GOOD)
    ImageDraw.Draw(picture).line(line, fill="black", width=6)
    with pytest.raises(PortraitNotOnWhite, match=f"at the {edge} edge"):
        examine(encoded(picture))


def pixels(jpeg: bytes) -> Image.Image:
    with Image.open(BytesIO(jpeg)) as picture:
        return picture.convert("RGB")


def encoded(picture: Image.Image | None = None, **options: Any) -> bytes:
    jpeg = BytesIO()
    (picture or pixels(GOOD)).save(jpeg, "JPEG", **{"quality": 85, **options})
    return jpeg.getvalue()
