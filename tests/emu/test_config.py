# SPDX-License-Identifier: BSD-2-Clause
"""What people write into a configuration, and files that broke on their way: each fault is one line, and the other VMs run."""

import dataclasses
import re
import struct
import subprocess

import disk
import pytest
from console import ROOT, Console

FILE = r"\aerostat\aerostat.conf"
HELLO = r"kernel = \guests\hello.elf"
SMALL, LARGE = "memory.max = 4M", "memory.max = 128M"


@dataclasses.dataclass(frozen=True)
class Fault:
    """A section of the configuration and what is said about it: of its line `at` (0: its first), or (None) when it starts."""
    name: str
    lines: tuple
    at: int | None
    says: str

    @property
    def section(self):
        return (self.lines[0] if self.lines[0].startswith("[") else f"[vm {self.name}]", *self.lines, "autostart = yes", "")


def mistake(name, at, says, *lines):
    return Fault(name, lines, at, says)


def broken_file(name, says, memory=SMALL):
    return Fault(name, (rf"kernel = \bad\{name}", memory), None, rf"\\bad\\{name}: {says}")


NOT_THERE = "this file is not on the boot volume; valid is one that is there"
FAULTS = [
    mistake("typo", 2, r"unknown key 'memroy\.max'; valid: kernel initrd .* memory\.max .* autostart", HELLO, "memroy.max = 4M"),
    mistake("value", 2, "memory.max = lots: valid is a size in whole 4 KiB pages: bytes, or a number with K, M or G", HELLO, "memory.max = lots"),
    mistake("many", 3, "vcpus = 9: valid is 1 to 4", HELLO, SMALL, "vcpus = 9"),
    mistake("minmax", 0, r"\[vm minmax\]: memory.min is above memory.max; valid is at most 4096 KiB", HELLO, SMALL, "memory.min = 8M"),
    mistake("nokernel", 0, r"\[vm nokernel\]: kernel is missing; valid is the path of a bzImage, PVH or multiboot file", SMALL),
    mistake("long", 3, "a line of 10000 bytes; valid are at most 1279", HELLO, SMALL, "cmdline = ".ljust(10000, "x")),
    mistake("gone", 1, rf"kernel = \\bad\\gone: {NOT_THERE}", r"kernel = \bad\gone", SMALL),
    mistake("halfgone", 3, rf"initrd = \\bad\\gone: {NOT_THERE}", HELLO, SMALL, r"initrd = \bad\gone"),
    Fault("huge", (HELLO, "memory.max = 64G"), None, r"memory\.max: needs 67108864 KiB and \d+ KiB overhead; \d+ KiB are unreserved: \d+ KiB short"),
    Fault("tiny", (HELLO, "memory.max = 1M"), None, r"\\guests\\hello\.elf: a guest needs at least 2 MiB of memory"),
    broken_file("linux-short", "truncated: its header says [0-9]+ bytes, the file has 1000000", LARGE),
    broken_file("linux-head", "truncated: its header says [0-9]+ bytes, the file has 4096", LARGE),
    broken_file("linux-wants", "needs [0-9]+ MiB of memory to start, the guest has 128 MiB", LARGE),
    broken_file("linux-32", r"not a 64-bit Linux kernel \(boot protocol 20f, needs 20c and a 64-bit entry\)", LARGE),
    broken_file("elf-short", "truncated: a segment of [0-9]+ bytes at offset [0-9]+, the file has [0-9]+"),
    broken_file("elf-headers", "truncated in its program headers"),
    broken_file("elf-machine", "not an x86 ELF executable with at most 64 program headers"),
    broken_file("elf-far", "a segment of [0-9]+ KiB at 0x[0-9a-f]+ does not fit in the guest's 4 MiB"),
    broken_file("elf-entry", "damaged: its entry 0xdeadbeef is not in what it loads"),
    broken_file("elf-plain", "an ELF without a PVH entry note or a multiboot header"),
    broken_file("multiboot-wants", "its multiboot header requires features 0x4; 0x3 are known"),
    broken_file("multiboot-short", "truncated: 1048576 bytes to load from offset 0, the file has 4096"),
    broken_file("empty", "neither a Linux bzImage nor a PVH or multiboot ELF"),
    broken_file("text", "neither a Linux bzImage nor a PVH or multiboot ELF"),
]
CONFIG_FAULTS = [fault for fault in FAULTS if fault.at is not None]
START_FAULTS = [fault for fault in FAULTS if fault.at is None]
STRAYS = {  # what belongs to no VM
    "[vmm web1]": "'[vmm web1]': valid sections are [host], [vm NAME], [pool NAME] and [group NAME]",
    "[vm first]": "[vm first]: is there already (line 2); this one is left out; valid is one section for each name",
}


def good(name):
    return (f"[vm {name}]", HELLO, SMALL, "autostart = yes", "")


def changed(data, *changes):
    """(offset, bytes) each."""
    data = bytearray(data)
    for offset, what in changes:
        data[offset:offset + len(what)] = what
    return bytes(data)


def u32(number):
    return struct.pack("<I", number)


def broken_files():
    """From sound ones."""
    linux = (ROOT / "build/guests/vmlinuz").read_bytes()
    elf = (ROOT / "build/guests/hello.elf").read_bytes()
    multiboot = elf.index(u32(0x1badb002))
    headers = struct.unpack_from("<I", elf, 28)[0]
    by_addresses = struct.pack("<8I", 0x1badb002, 1 << 16, -(0x1badb002 + (1 << 16)) & 0xffffffff, 1 << 20, 1 << 20, 2 << 20, 0, 1 << 20)
    return {
        "linux-short": linux[:1000000], "linux-head": linux[:4096], "linux-wants": changed(linux, (0x260, u32(0xfffff000))),
        "linux-32": changed(linux, (0x236, b"\0\0")),
        "elf-short": elf[:8192], "elf-headers": changed(elf, (44, struct.pack("<H", 60)))[:headers + 10],
        "elf-machine": changed(elf, (18, struct.pack("<H", 0x28))), "elf-far": changed(elf, (headers + 12, u32(0x7fffffff))),
        "elf-entry": changed(elf, (24, u32(0xdeadbeef))), "elf-plain": changed(elf, (multiboot, bytes(4))),
        "multiboot-wants": changed(elf, (multiboot + 4, u32(4) + u32(-(0x1badb002 + 4) & 0xffffffff))),
        "multiboot-short": by_addresses.ljust(4096, b"\0"),
        "empty": b"", "text": b"not a kernel\n" * 100, "gone": b"",
    }


def write_conf(path):
    """The configuration; the number of each fault's first line."""
    lines, begins = ["; what people write", *good("first")], {}
    for fault in FAULTS:
        begins[fault.name] = len(lines) + 1
        lines += fault.section
    for stray in STRAYS:
        begins[stray] = len(lines) + 1
        lines += [stray, HELLO, SMALL, ""]
    path.write_text("\n".join([*lines, *good("last")]) + "\n")
    return begins


def make_image(conf, image):
    subprocess.run([ROOT / "tools/mkimage", "--conf", conf, "--out", image], check=True, cwd=ROOT)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    (folder / "bad").mkdir()
    for name, data in broken_files().items():
        (folder / "bad" / name).write_bytes(data)
    begins = write_conf(folder / "faults.conf")
    make_image(folder / "faults.conf", folder / "faults.img")
    disk.remove(folder / "faults.img", "bad/gone")
    with Console(folder / "faults.img") as console:
        console.begins = begins
        for fault in START_FAULTS:
            console.wait_state(fault.name, "failed")
        console.kernel_log = [line.partition("] ")[2] for line in console.done("log 1000")["lines"]]
        yield console


def lines_with(machine, pattern):
    return [line for line in machine.kernel_log if re.search(pattern, line)]


@pytest.mark.parametrize("fault", CONFIG_FAULTS, ids=lambda fault: fault.name)
def test_a_mistake_is_one_line_with_file_and_line(machine, fault):
    place = f"{FILE}:{machine.begins[fault.name] + fault.at}: "
    lines = [line for line in machine.kernel_log if place in line]
    assert len(lines) == 1 and re.fullmatch(f"config: {re.escape(place)}{fault.says}", lines[0]), lines
    assert machine.refused(f"vm start {fault.name}") == f"{fault.name}: {lines[0].removeprefix('config: ')}"


@pytest.mark.parametrize("fault", START_FAULTS, ids=lambda fault: fault.name)
def test_what_cannot_start_is_one_line_with_the_vm_and_the_file(machine, fault):
    lines = lines_with(machine, rf"\b{fault.name}\b")
    assert len([line for line in lines if line.startswith("vm: ")]) == 1, lines
    assert re.search(rf"\b{fault.name}\b.*: {fault.says}$", lines[-1]), lines
    assert re.search(fault.says, machine.refused(f"vm start {fault.name}"))


@pytest.mark.parametrize("stray", STRAYS)
def test_a_section_that_makes_no_vm_is_one_line(machine, stray):
    place = f"{FILE}:{machine.begins[stray]}: "
    assert [line for line in machine.kernel_log if place in line] == [f"config: {place}{STRAYS[stray]}"]


def test_no_vm_vanishes(machine):
    states = {vm["name"]: vm["state"] for vm in machine.done("vm list")["vms"]}
    assert states == {"first": "running", **{fault.name: "failed" for fault in FAULTS}, "last": "running"}
    for fault in FAULTS:
        assert re.search(f"{fault.says}$", machine.done(f"vm info {fault.name}")["why"])


@pytest.mark.parametrize("name", ["first", "last"])
def test_the_others_run(machine, name):
    machine.wait_log(name, "hello: ready")
    machine.send(name, "anybody?")
    machine.wait_log(name, r"echo: anybody\?")


def test_all_memory_is_back(machine):
    for name in ("first", "last"):
        machine.done(f"vm kill {name}")
    machine.audit()
    free = machine.free()
    for fault in START_FAULTS:
        machine.refused(f"vm start {fault.name}")
    assert machine.free() == free
    machine.audit()


@pytest.mark.parametrize("has_conf", [True, False], ids=["empty", "missing"])
def test_without_a_usable_vm_there_is_still_the_console(tmp_path, has_conf):
    conf, image = tmp_path / "empty.conf", tmp_path / "empty.img"
    conf.write_text("")
    make_image(conf, image)
    if not has_conf:
        disk.remove(image, "aerostat/aerostat.conf")
    with Console(image, emulator="qemu") as console:
        assert ("config: aerostat.conf is not on the boot volume" in console.boot_text) != has_conf
        assert console.done("vm list")["vms"] == []
        console.audit()
