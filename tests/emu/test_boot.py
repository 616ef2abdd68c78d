# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's processor has no VT-x: the machine comes up to its console all the same and says what is missing."""

import re

import pytest
from console import Console

IMAGE = "build/tiny.img"
MIB = 1 << 20
COMMANDS = ["help", "vm list", "mem", "cpu", "log", "stats", "trace", "audit", "version"]
PAGE = re.compile(r"^([0-9a-f]{16}): ([0-9a-f]{16}) ([A-Z-]{9})\r?$", re.M)  # `info tlb`: NX, …, writable


@pytest.fixture(scope="module")
def qemu():
    with Console(IMAGE, emulator="qemu", cpus=2, memory=1024) as console:
        yield console


def test_starts_in_the_listed_order(qemu):
    starts = re.findall(r"start: ([^\r\n]*)", qemu.boot_text)
    assert starts[:2] == ["processor", "paging"] and starts.index("traps") < starts.index("memory") < starts.index("vmx")


def test_says_once_that_vt_x_is_missing_and_what_to_do(qemu):
    lines = re.findall(r"\] vmx: ([^\r\n]*)", qemu.boot_text)
    assert len(lines) == 1 and re.search("no VT-x.*: use an Intel machine with VT-x", lines[0])
    assert qemu.refused("vm start hello") == f"hello cannot start: {lines[0]}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_prints_lines_and_one_object(qemu, command):
    assert qemu.command(command)
    assert "error" not in qemu.json(command)


def test_version_names_itself(qemu):
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", qemu.done("version")["version"])


def test_counts_all_memory(qemu):
    machine = qemu.done("mem")["machine"]
    assert 900 * MIB < machine["total"] <= 1024 * MIB
    assert 0.9 * machine["total"] < machine["free"] < machine["total"]
    assert machine["state"] == "high"


def test_unknown_command_changes_nothing_and_says_what_is_valid(qemu):
    lines = qemu.command("vn list")
    assert len(lines) == 1 and "vn" in lines[0] and "help" in lines[0]


def test_unknown_vm_is_one_line(qemu):
    assert "nobody" in qemu.refused("vm start nobody")


def test_a_line_that_is_too_long_is_refused_whole(qemu):
    qemu.type("version " * 200 + "\r")
    text = qemu.until("\naerostat> ")
    assert "0.1" not in text.replace("version", "").splitlines()[-1] and "1024" in text.replace(",", "")


def test_audit_is_ok(qemu):
    qemu.audit()


def test_no_live_page_is_writable_and_executable(qemu):
    pages = PAGE.findall(qemu.machine.monitor("info tlb"))
    assert len(pages) > 100
    wrong = [page for page in pages if page[2][0] != "X" and page[2][-1] == "W"]
    assert not wrong
    assert any(page[2][0] != "X" for page in pages), "something must be executable"
