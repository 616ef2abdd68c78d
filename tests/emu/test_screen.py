# SPDX-License-Identifier: BSD-2-Clause
"""The framebuffer shows what the serial line says, character by character in the console's font."""

import pathlib
import sys
import time

import pytest
from console import ROOT, Console

sys.path.insert(0, str(ROOT / "tools"))
import psf  # noqa: E402

IMAGE = "build/tiny.img"
FONT = psf.Font("/usr/share/consolefonts/spleen-8x16.psfu.gz")
CHARACTERS = {tuple(glyph): chr(psf.FIRST + i) for i, glyph in enumerate(FONT.glyphs[:-1])}
CURSOR = {tuple(row ^ (1 << FONT.width) - 1 for row in glyph): character for glyph, character in CHARACTERS.items()}
COLUMNS = 160  # of OVMF's 1280 pixels
SECONDS = 20


class Picture:
    """A screendump, as the rows of text that it shows."""

    def __init__(self, path):
        kind, size, most, self.pixels = path.read_bytes().split(b"\n", 3)
        assert (kind, most) == (b"P6", b"255")
        self.width, self.height = map(int, size.split())
        self.rows = [self.row(row) for row in range(self.height // FONT.height)]

    def cell(self, row, column):
        def line(y):
            at = 3 * ((row * FONT.height + y) * self.width + column * FONT.width)
            return sum((self.pixels[at + 3 * x] > 127) << (FONT.width - 1 - x) for x in range(FONT.width))
        return tuple(line(y) for y in range(FONT.height))

    def row(self, row):
        return "".join(self.character(self.cell(row, column)) for column in range(self.width // FONT.width)).rstrip()

    @staticmethod
    def character(cell):
        """A reverse blank is the cursor."""
        return "_" if CURSOR.get(cell) == " " else CHARACTERS.get(cell, "?")


@pytest.fixture(scope="module")
def qemu():
    with Console(IMAGE, emulator="qemu") as console:
        yield console


def rows_when(console, condition):
    """What the screen shows once it is as it should be: it is drawn by a task of its own."""
    path = pathlib.Path(console.machine.folder / "screen.ppm")
    deadline = time.monotonic() + SECONDS
    while True:
        console.machine.monitor(f"screendump {path}")
        rows = Picture(path).rows
        if condition(rows):
            return rows
        assert time.monotonic() < deadline, "\n".join(rows)


def last_row(rows):
    return [row for row in rows if row][-1]


def test_the_start_is_shown_up_to_the_prompt(qemu):
    rows = rows_when(qemu, lambda rows: last_row(rows) == "aerostat> _")
    said = qemu.boot_text.replace("\r", "")
    lines = said[said.index("[   0.000000] aerostat"):].split("\n")
    wrapped = [line[at:at + COLUMNS].rstrip() for line in lines for at in range(0, len(line), COLUMNS)]
    end = rows.index("aerostat> _")
    assert len(wrapped) > 20 and rows[:end] == wrapped[-end:]


def test_commands_and_their_output_scroll(qemu):
    lines = qemu.command("help")
    qemu.command("vm list")
    expected = qemu.command("help")
    assert lines == expected
    rows = rows_when(qemu, lambda rows: rows[-1] == "aerostat> _" and rows[-2] == expected[-1].rstrip())
    assert rows[-1 - len(expected):-1] == [line.rstrip() for line in expected]
    assert rows[-2 - len(expected)] == "aerostat> help"


def test_line_editing_looks_as_it_should(qemu):
    qemu.type("vm lost\b\b\bist x\x01\x1b[C\x1b[C\x1b[C")
    rows = rows_when(qemu, lambda rows: rows[-1] == "aerostat> vm ?ist x")  # the cursor stands on the l
    assert rows[-2].startswith("--json")
    qemu.type("\x03")
    rows_when(qemu, lambda rows: rows[-1] == "aerostat> _")


def test_the_audit_is_ok_with_a_screen(qemu):
    qemu.until(r"\naerostat> ")
    qemu.audit()


def test_a_panic_is_drawn_and_its_first_lines_stay(qemu):
    """The last test: the machine has stopped."""
    qemu.type("debug panic\r")
    rows = rows_when(qemu, lambda rows: any(row.startswith("backtrace:") for row in rows))
    assert [row for row in rows if row][0].startswith("panic: on CPU 0:")
    assert not any(row.startswith("aerostat>") for row in rows)
