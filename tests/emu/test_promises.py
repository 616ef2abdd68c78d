# SPDX-License-Identifier: BSD-2-Clause
"""Architectural promises, kept on one processor and on two: the guest tests/guests/promises asks, each area ends with its sum."""

import pytest
from console import Console

IMAGE = "build/promises.img"
GUESTS = {1: "promises", 2: "promises2"}  # by processors
AREAS = ["state", "debug", "interrupts", "features", "memory", "clocks", "cpus"]
GUEST_SECONDS = 300
LACKING = {"umip_hides_the_tables_from_user_mode"}  # in the emulator's processor


@pytest.fixture(scope="module", params=GUESTS)
def answers(request):
    """The number of processors, and the lines of the guest."""
    guest = GUESTS[request.param]
    with Console(IMAGE, cpus=request.param) as console:
        console.done(f"vm start {guest}")
        # Few lines at a time: the serial line's time is the machine's.
        console.wait_for("all areas are asked", lambda: any(line.startswith(("promises: done", "guest died"))
                                                            for line in console.log(guest, 2)), GUEST_SECONDS)
        lines = console.log(guest)
        console.done(f"vm kill {guest}")
        console.audit()
        yield request.param, lines


def area_of(lines, area):
    """An area's lines lie between the sum of the one before and its own."""
    sums = [i for i, line in enumerate(lines) if line.endswith(" skipped")]
    end = next((i for i in sums if lines[i].startswith(f"{area}: ")), None)
    assert end, f"the guest did not come to the end of {area}: {lines[-2:]}"
    return lines[max([i for i in sums if i < end], default=-1) + 1:end]


@pytest.mark.parametrize("area", AREAS)
def test_promises_are_kept(answers, area):
    cpus, lines = answers
    asked = area_of(lines, area)
    assert asked and not [line for line in asked if line.startswith("not ok")]
    skipped = {line.split()[1].rstrip(":") for line in asked if line.startswith("skip ")}
    assert skipped <= LACKING or (area == "cpus" and cpus == 1)
