"""Fault points: they kill where and when asked, in crash tests only."""

import subprocess
import sys

import pytest

from postroad_common import faults

REACH_THREE_TIMES = """
from postroad_common import faults
faults.arm("relay.published:3")
for time in range(5):
    faults.reach("relay.deleted")
    print(time, flush=True)
    faults.reach("relay.published")
"""


def test_the_armed_point_kills_on_the_time_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", REACH_THREE_TIMES], capture_output=True, text=True, check=False)

    assert done.returncode == -9
    assert done.stdout.split() == ["0", "1", "2"]


def test_an_unarmed_point_does_nothing() -> None:
    for point in faults.POINTS:
        faults.reach(point)


@pytest.mark.parametrize("spec", ["relay.published", "relay.published:0", "relay.published:x", "nowhere:1", ""])
def test_what_names_no_point_and_time_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="points are"):
        faults.arm(spec)


def test_a_point_that_is_not_in_the_table_cannot_be_reached() -> None:
    with pytest.raises(KeyError):
        faults.reach("nowhere")
