# SPDX-License-Identifier: BSD-2-Clause
"""What the modules with Linux guests share."""

import re

TROUBLE = re.compile("[Ss]egmentation fault|segfault|traps:|BUG|Oops|lockup|stall|not ready|Call Trace|clocksource: .*unstable")
READY = r"^{}: ready, Linux 6\."
GUEST_SECONDS = 300


def run(console, name, command, pattern, seconds=GUEST_SECONDS):
    """The line that the command prints in the guest's shell (its echo does not match the pattern)."""
    before = len(console.log(name))
    console.send(name, command)
    return console.wait_log(name, pattern, seconds, before)


def wait_ready(console, name, seconds=GUEST_SECONDS):
    console.wait_log(name, READY.format(name), seconds)


def trouble(console, name):
    return [line for line in console.log(name) if TROUBLE.search(line)]
