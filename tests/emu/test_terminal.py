# SPDX-License-Identifier: BSD-2-Clause
"""The console on a real terminal, as a user sees it: tmux holds the screen, tools/emulate is the cable."""

import pathlib
import re
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EMULATE = "tools/emulate --image build/tiny.img --emulator qemu --memory 1024"
BOOT_SECONDS, SECONDS = 300, 30
PROMPT = "aerostat> "


class Terminal:
    def __init__(self, socket):
        self.base = ["tmux", "-S", str(socket), "-f", "/dev/null"]

    def tmux(self, *arguments):
        return subprocess.run([*self.base, *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def text(self, text):
        self.tmux("send-keys", "-l", text)

    def size(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def asked(self, what):
        return self.tmux("display-message", "-p", f"#{{{what}}}").strip()

    def lines(self):
        """What the screen shows, without the empty lines at its end."""
        return self.tmux("capture-pane", "-p").rstrip("\n").split("\n")

    def wait(self, condition, seconds=SECONDS):
        """The lines that fulfil the condition."""
        deadline = time.monotonic() + seconds
        while not condition(self.lines()):
            assert time.monotonic() < deadline, "\n".join(["the screen shows:", *self.lines()])
            time.sleep(0.1)
        return self.lines()

    def last_line_is(self, text, seconds=SECONDS):
        """Blanks at a line's end are not seen; the cursor tells of them."""
        self.wait(lambda lines: lines[-1] == text.rstrip() and self.asked("cursor_x") == str(len(text)), seconds)

    def clear(self):
        self.keys("C-c")
        self.last_line_is(PROMPT)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    terminal = Terminal(tmp_path_factory.mktemp("tmux") / "socket")
    terminal.tmux("new-session", "-d", "-x", "100", "-y", "30", EMULATE)
    try:
        terminal.last_line_is(PROMPT, BOOT_SECONDS)
        yield terminal
    finally:
        terminal.keys("C-a", "x")
        terminal.tmux("kill-server")


@pytest.fixture
def terminal(machine):
    machine.size(100, 30)
    machine.clear()
    return machine


def test_tab_completes_commands_vms_and_keys(terminal):
    for typed, completed in [("ver", "version "), ("vm inf", "vm info "), ("vm info hel", "vm info hello "), ("vm info sta", "vm info state"),
                             ("vm set hello memory.mi", "vm set hello memory.min="), ("help au", "help audit ")]:
        terminal.text(typed)
        terminal.keys("Tab")
        terminal.last_line_is(PROMPT + completed)
        terminal.clear()


def test_tab_lists_what_fits_and_shows_the_line_again(terminal):
    terminal.text("v")
    terminal.keys("Tab")
    terminal.wait(lambda lines: lines[-3:] == [PROMPT + "v", "vm  version", PROMPT + "v"])


def test_keys_edit_the_line(terminal):
    terminal.text("one two")
    for keys, line, column in [(["Home"], "one two", 0), (["x"], "xone two", 1), (["End"], "xone two", 8), (["C-w"], "xone ", 5),
                               (["C-a", "C-a"], "xone", 0), (["DC"], "one", 0), (["Right", "C-k"], "o", 1), (["C-u"], "", 0)]:
        terminal.keys(*keys)
        terminal.wait(lambda lines: lines[-1] == (PROMPT + line).rstrip() and terminal.asked("cursor_x") == str(len(PROMPT) + column))


def test_arrows_bring_older_lines_back(terminal):
    for line in ["version", "help version"]:
        terminal.text(line)
        terminal.keys("Enter")
        terminal.last_line_is(PROMPT)
    for key, line in [("Up", "help version"), ("Up", "version"), ("Down", "help version"), ("Down", "")]:
        terminal.keys(key)
        terminal.last_line_is(PROMPT + line)


def test_a_long_line_wraps_and_its_answer_stands_below(terminal):
    terminal.size(40, 12)
    terminal.clear()
    text = "help " + "0123456789" * 6
    terminal.text(text)
    terminal.wait(lambda lines: lines[-2:] == [(PROMPT + text)[:40], (PROMPT + text)[40:]])
    terminal.keys("Home", "Enter")
    terminal.wait(lambda lines: lines[-1] == PROMPT.rstrip() and any("no command" in line for line in lines))
    assert (PROMPT + text)[40:] in terminal.lines()


def test_top_draws_in_place_fits_the_terminal_and_leaves_what_was_there(terminal):
    before = terminal.lines()
    terminal.text("top")
    terminal.keys("Enter")
    picture = terminal.wait(lambda lines: lines[-1] == "q leaves")
    assert re.match(r"aerostat \S+   \d CPU", picture[0]) and picture[2].split() == ["NAME", "STATE", "CPU", "MEMORY"]
    hello = next(line for line in picture if line.startswith("hello "))
    assert re.fullmatch(r"hello +stopped +\[ +\] +0%  \[ +\]  0 of 4M", hello)
    assert terminal.asked("alternate_on") == "1" and terminal.asked("cursor_flag") == "0"
    terminal.size(60, 8)
    small = terminal.wait(lambda lines: re.match(r"and \d more; q leaves", lines[-1]))
    assert len(small) == 7 and max(map(len, small)) < 60 and small[0].startswith("aerostat ")
    terminal.size(120, 30)
    wide = terminal.wait(lambda lines: lines[-1] == "q leaves" and len(lines[3]) > len(hello))
    assert len(wide) == len(picture)
    seconds = r"up (\d+) s"
    first = re.search(seconds, wide[0]).group(1)
    again = terminal.wait(lambda lines: re.search(seconds, lines[0]).group(1) != first)
    assert again[1:] == wide[1:]
    terminal.keys("x", "Up", "q")
    after = terminal.wait(lambda lines: lines[-1] == PROMPT.rstrip() and lines[-2] == PROMPT + "top")
    assert after[:len(before) - 1] == before[:-1] or after[-3] == before[-2]
    assert terminal.asked("alternate_on") == "0" and terminal.asked("cursor_flag") == "1"


def test_ctrl_c_leaves_top_too(terminal):
    terminal.text("top")
    terminal.keys("Enter")
    terminal.wait(lambda lines: lines[-1] == "q leaves")
    terminal.keys("C-c")
    terminal.last_line_is(PROMPT)
    assert terminal.asked("alternate_on") == "0"
