# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel in its other shapes, on two processors: with two vCPUs, and started by PVH."""

import pytest
from console import Console
from linux import run, trouble, wait_ready

START_SECONDS, STOP_SECONDS = 600, 240
LOADER_PVH = 0xB0  # Linux, arch/x86/platform/pvh/enlighten.c
SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"


@pytest.fixture(scope="module")
def machine():
    with Console("build/linux.img", cpus=2) as console:
        for name in ("pair", "pvh"):
            console.done(f"vm start {name}")
        yield console


def test_an_elf_kernel_starts_by_pvh(machine):
    wait_ready(machine, "pvh", START_SECONDS)
    assert run(machine, "pvh", "echo loader $(cat /proc/sys/kernel/bootloader_type)", r"^loader \d") == f"loader {LOADER_PVH}"
    assert not trouble(machine, "pvh")
    machine.done("vm kill pvh")


def test_linux_starts_both_vcpus(machine):
    wait_ready(machine, "pair", START_SECONDS)
    assert run(machine, "pair", "echo cpus $(nproc)", r"^cpus \d") == "cpus 2"


@pytest.mark.parametrize("source", ["tsc", "kvm-clock"])
def test_the_clock_never_goes_back_from_vcpu_to_vcpu(machine, source):
    assert run(machine, "pair", f"echo {source} >{SOURCE}; echo source $(cat {SOURCE})", "^source [a-z]") == f"source {source}"
    assert run(machine, "pair", "clocks", r"^clocks: \d") == "clocks: 20000 turns, 0 back"


def test_it_had_no_trouble_and_stops(machine):
    assert not trouble(machine, "pair")
    machine.done("vm stop pair", STOP_SECONDS)
    assert machine.state("pair") == "stopped"
    machine.audit()
