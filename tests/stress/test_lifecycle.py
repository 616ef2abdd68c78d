# SPDX-License-Identifier: BSD-2-Clause
"""Twenty lives of one Debian guest, while the other answers: nothing stays behind."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "emu"))
from console import Console  # noqa: E402

LIVES, GUEST_SECONDS = 20, 300
READY = "{}: ready, Linux"


def start(console, name):
    console.done(f"vm start {name}")
    console.wait_log(name, READY.format(name), GUEST_SECONDS)


def test_twenty_lives_leave_memory_as_it_was():
    with Console("build/aerostat.img") as console:
        for name in ("web1", "web2"):
            console.wait_log(name, READY.format(name), GUEST_SECONDS)
        console.done("vm kill web1")
        free = console.free()
        for life in range(LIVES):
            start(console, "web1")
            console.send("web2", f"echo answer $(({life} + 1000))")
            console.wait_log("web2", f"^answer {life + 1000}")
            console.done("vm kill web1")
            console.audit()
            assert abs(console.free() - free) <= console.vm("web2")["memory"]["resident"] * 0.1, f"life {life}"
            print(f"life {life}: free {console.free()}", flush=True)
