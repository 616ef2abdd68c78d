# SPDX-License-Identifier: BSD-2-Clause
"""What the kernel says when it breaks: each fault is made on purpose by `debug`, one machine for each."""

import re

import pytest
from console import PROMPT, Console, ConsoleError

IMAGE = "build/tiny.img"
# command, what the panic says, the function that must be in its backtrace
FAULTS = [
    ("panic", "asked for on the console", "provoke_panic"),
    ("check", r"CHECK\(two \+ two == 5\) failed", "provoke_check"),
    ("stack", r"exception 8 \(double fault\)(?s:.*)overflowed into its guard page", "provoke_stack_deeper"),
    ("guard", "a stack frame's guard was overwritten", "provoke_guard"),
    ("fault", r"exception 14 \(page fault\), error code 0x2", "provoke_fault"),
    ("write-text", r"exception 14 \(page fault\), error code 0x3", "provoke_write_text"),
    ("exec-data", r"exception 14 \(page fault\), error code 0x11", "provoke_exec_data"),
    ("hang", r"exception 2 \(NMI\)(?s:.*)taken no step for 5 s", "provoke_hang"),
    ("mce", r"exception 18 \(machine check\)(?s:.*)machine check: \d+ banks, MCG_STATUS 0x0\s+no bank says why", "provoke_mce"),
    ("nmi", r"exception 2 \(NMI\)(?s:.*)nobody here asked for it; port 0x61 reads 0x", "provoke_nmi"),
]


def panic_of(console, command):
    """All that the machine says from its panic on."""
    console.type(f"{command}\r")
    with pytest.raises(ConsoleError) as error:
        console.until(PROMPT)
    return str(error.value)


def check_panic(text, says, function, others):
    assert re.search(says, text)
    assert re.search(r"cr0 [0-9a-f]{8} cr2", text)
    assert "exception" not in text or re.search(r"rax [0-9a-f]{16} .*\n(?s:.*)rip [0-9a-f]{16} cs 0008", text)
    assert re.search(rf"backtrace:\s(?s:.*)[0-9a-f]{{16}} {function}[.\w]*\+0x", text), "the backtrace names the function"
    assert re.search(r"(?s)last of the log:.*\n  \[ +\d+\.\d+\] start: ", text)
    assert f"and {others} others have stopped" in text
    assert "second fault" not in text


@pytest.mark.parametrize("fault,says,function", FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_says_what_where_and_stops_all(fault, says, function):
    with Console(IMAGE, emulator="qemu", cpus=2) as console:
        check_panic(panic_of(console, f"debug {fault}"), says, function, 1)
        if fault == "panic":
            check_next_boot_shows(console, says)


def check_next_boot_shows(console, says):
    """The text outlives a warm reset in a page of its own, and is shown once."""
    for shown in (True, False):
        console.reset()
        assert bool(re.search(rf"last panic: {says}", console.boot_text)) == shown
        assert bool(re.search(r"last panic:   by [0-9a-f]{16} provoke_panic\+0x", console.boot_text)) == shown


def test_a_running_guest_s_vmcs_and_last_exits_are_in_the_text():
    with Console(IMAGE) as console:
        console.done("vm start hello")
        console.wait_log("hello", "hello: ready")
        text = panic_of(console, "debug panic")
    check_panic(text, "asked for on the console", "provoke_panic", 0)
    assert re.search(r"vmx: VM 1 vCPU 0\r\n", text)
    for field in ("VPID", "EPT_POINTER", "GUEST_RIP", "GUEST_CS_RIGHTS", "HOST_RIP", "EXIT_REASON"):
        assert re.search(rf"\n  {field} +0x[0-9a-f]+\r\n", text)
    exits = re.search(r"(?s)its last exits, oldest first\r\n(.*)last of the log", text).group(1).splitlines()
    assert 1 < len(exits) <= 32 and all(re.fullmatch(r"  tsc [0-9a-f]{8} rip 0x[0-9a-f]+ [A-Z_0-9]+", line) for line in exits)
    assert re.search(r"\b(IO|EPT_VIOLATION|HLT|PREEMPTION_TIMER)\b", text)


def test_nobody_watches_one_processor():
    with Console(IMAGE, emulator="qemu") as console:
        assert "nobody watches" in console.refused("debug hang")
