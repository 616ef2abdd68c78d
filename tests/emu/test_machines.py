# SPDX-License-Identifier: BSD-2-Clause
"""Boots where people boot: disks, processors, memory, with ACPI and without; and what a machine says that lacks something."""

import re
import shutil

import disk
import pytest
from console import ROOT, Console

IMAGE = "build/tiny.img"
MIB = 1 << 20
BOCHS_HOLE_MIB = 1024  # its devices lie over the memory from 3 to 4 GiB
FIRMWARES_MIB = 128  # what firmware keeps, at most

# QEMU's processor has no VT-x: as far as the console.
BOOTS = [
    {"disk": "ide", "cpus": 1, "memory": 512},
    {"disk": "usb", "cpus": 2, "memory": 1024},
    {"disk": "nvme", "cpus": 4, "memory": 6144},
    {"disk": "ahci", "cpus": 2, "memory": 1024, "acpi": False},
]


def machine_is_whole(console, cpus, mib):
    assert len(console.done("cpu")["cpus"]) == cpus
    assert (mib - FIRMWARES_MIB) * MIB < console.done("mem")["machine"]["total"] <= mib * MIB
    console.audit()


def vt_x_is_missing(console, reason):
    """One line at start says it, `vm start` says the same, and nothing else happens."""
    lines = re.findall(r"\] vmx: ([^\r\n]*)", console.boot_text)
    assert len(lines) == 1 and re.search(reason, lines[0]), lines
    assert console.refused("vm start hello") == f"hello cannot start: {lines[0]}"
    assert console.state("hello") == "stopped"
    console.audit()


@pytest.mark.parametrize("options", BOOTS, ids=lambda options: "-".join(map(str, options.values())))
def test_boots_from_this_disk_with_these_processors_and_memory(options):
    with Console(IMAGE, emulator="qemu", **options) as console:
        machine_is_whole(console, options["cpus"], options["memory"])
        console.type("poweroff\r")
        if options.get("acpi", True):
            assert console.machine.process.wait(60) == 0
        else:
            console.until("cannot switch itself off: it has halted")


def test_processor_without_ept():
    with Console(IMAGE, cpu="core2_penryn_t9600") as console:
        vt_x_is_missing(console, r"lacks EPT \(MSR 0x48b\): use a processor of 2010 \(Westmere\) or newer")


@pytest.mark.parametrize("program,cpus,reason", [
    ("locked", 1, r"disabled by firmware \(IA32_FEATURE_CONTROL = 0x1\): enable .* in the firmware setup"),
    ("locked_others", 2, r"CPU 1 has VT-x disabled by firmware, unlike CPU 0: enable .* for all CPUs in the firmware setup"),
], ids=["on-all-cpus", "on-all-but-the-first"])
def test_firmware_that_locked_vt_x_off(tmp_path, program, cpus, reason):
    image = tmp_path / "locked.img"
    shutil.copy(ROOT / IMAGE, image)
    disk.rename(image, "EFI/BOOT/BOOTX64.EFI", "AEROSTAT.EFI")
    disk.put(image, "EFI/BOOT/BOOTX64.EFI", ROOT / f"build/efi/{program}.efi")
    with Console(image, cpus=cpus) as console:
        vt_x_is_missing(console, reason)


@pytest.mark.parametrize("options", [
    {"cpu": "broadwell_ult", "disk": "usb", "memory": 512},
    {"cpu": "corei7_haswell_4770", "memory": 4608},
], ids=lambda options: options["cpu"])
def test_guests_run_on_this_processor(options):
    """Where there is memory above 4 GiB, guests get that first (tests/unit/mm_zone_test.c)."""
    with Console(IMAGE, **options) as console:
        lost = BOCHS_HOLE_MIB if options["memory"] > 4096 else 0
        machine_is_whole(console, 1, options["memory"] - lost)
        before = console.free()
        for name, says in ("hello", "hello: ready"), ("touch", "touch: 3072 pages"):
            console.done(f"vm start {name}")
            console.wait_log(name, says)
        console.send("touch", "check")
        console.wait_log("touch", "touch: 0 words differ")
        console.send("hello", "anybody?")
        console.wait_log("hello", r"echo: anybody\?")
        for name in "hello", "touch":
            console.done(f"vm kill {name}")
        console.audit()
        assert before - console.free() < MIB
