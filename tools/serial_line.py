# SPDX-License-Identifier: BSD-2-Clause
"""What comes over a machine's serial line, as text: firmware's drawing taken out, lines kept, addresses named."""

import os
import re
import subprocess

PROMPT = "aerostat> "
LOADER = re.compile(r"^\s*Aerostat \d", re.M)
ADDRESS = re.compile(r"\b(?:0x)?(ffffffff[89a-f][0-9a-f]{7})\b")
CONTROL = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[=>()][0-9A-B]?|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")
UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?=]*)?$")
ROOM = re.compile(r"at /.*?/(?=(?:boot|kernel|mm|vmx|devices|drivers|storage)/)")


class Cleaner:
    """Bytes → text without a terminal's control sequences; a sequence that is cut waits for its rest."""

    def __init__(self):
        self.rest = ""

    def take(self, data):
        text = self.rest + data.decode("utf-8", "replace")
        cut = UNFINISHED.search(text)
        self.rest = text[cut.start():] if cut else ""
        return CONTROL.sub("", text[:cut.start()] if cut else text)


class Transcript:
    """All text since the loader's first line; firmware's before it is held back (`firmware`)."""

    def __init__(self):
        self.cleaner, self.firmware, self.text = Cleaner(), "", ""

    def take(self, data):
        """The new text that a user should see."""
        new = self.cleaner.take(data)
        if not self.text:
            self.firmware += new
            start = LOADER.search(self.firmware)
            if not start:
                return ""
            new, self.firmware = self.firmware[start.start():].lstrip(), self.firmware[:start.start()]
        self.text += new
        return new

    @property
    def reached_prompt(self):
        return PROMPT in self.text

    @property
    def panicked(self):
        return "\npanic: " in self.text


def place(address, elf):
    """function at folder/file.c:line"""
    done = subprocess.run(["addr2line", "-e", elf, "-fsp", address], capture_output=True, text=True)
    return ROOM.sub("at ", done.stdout.strip())


def places(text, elf):
    """A line for each address in text, as far as the kernel's file tells."""
    if not os.path.exists(elf):
        return []
    named = ((address, place(address, elf)) for address in dict.fromkeys(ADDRESS.findall(text)))
    return [f"    {address}: {name}" for address, name in named if not name.startswith("??")]


class Screen:
    """Whole lines: of a line that was drawn again (\\r) the last drawing; no two empty ones in a row."""

    def __init__(self, show):
        self.show_line, self.line, self.empty = show, "", True

    def take(self, text):
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            self.show(line)

    def show(self, line):
        line = line.rstrip("\r ").rsplit("\r", 1)[-1]
        if line or not self.empty:
            self.show_line(line)
        self.empty = not line

    def finish(self):
        if self.line.strip():
            self.show(self.line)
        self.line = ""
