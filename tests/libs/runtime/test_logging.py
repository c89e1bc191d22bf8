"""What a process says of itself, where nothing more can be written."""

import subprocess
import sys

SAYS_AND_GOES_ON = """
from libs.telemetry import configure_logging, log_for
configure_logging("json")
log_for("house").warning("room on the disk", free=0)
print("goes on")
"""


def test_a_line_that_no_longer_fits_on_the_disk_stops_nobody() -> None:
    with open("/dev/full", "w") as full:
        said = subprocess.run(
            [sys.executable, "-c", SAYS_AND_GOES_ON], stdout=subprocess.PIPE, stderr=full, text=True, check=False
        )
    assert said.stdout == "goes on\n"
