"""What a portrait must be before it can be printed; hair, eyes, glasses and clothes are for the clerk to judge."""

from libs.kernel import Unfit, value


@value
class Standard:
    """What a machine can measure of a portrait standard: pixels, bytes of the file, and how white white is."""

    width_px: int = 358  # 26 mm at 350 dpi
    height_px: int = 441  # 32 mm at 350 dpi
    file_bytes_min: int = 14_000
    file_bytes_max: int = 40 * 1024  # generous at both ends, for nobody says which kilobyte is meant
    white_level_min: int = 225  # of 255, in the darkest of the three channels
    white_share_min: float = 0.95
    colour_cast_max: int = 16  # of 255, between the averages of the channels


SOCIAL_CARD = Standard()
ID_CARD = Standard(file_bytes_max=20 * 1024)  # GA 461


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
