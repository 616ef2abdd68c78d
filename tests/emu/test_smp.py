# SPDX-License-Identifier: BSD-2-Clause
"""Two processors: a guest's two vCPUs run at the same time, and no translation outlives its change."""

import pytest
from console import Console


@pytest.fixture(scope="module")
def bochs():
    with Console("build/tiny.img", cpus=2) as console:
        yield console


def test_two_vcpus_on_two_processors(bochs):
    bochs.done("vm start smp")
    assert bochs.wait_log("smp", r"smp: \d+ ok, \d+ not ok, \d+ skipped", 120) == "smp: 4 ok, 0 not ok, 0 skipped"
    bochs.done("vm kill smp")


def test_the_spinning_vcpu_sees_every_change(bochs):
    bochs.done("vm start flush")
    bochs.wait_log("flush", "flush: 20 rounds seen", 120)
    bochs.done("vm kill flush")
    bochs.audit()
