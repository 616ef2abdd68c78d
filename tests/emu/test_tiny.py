# SPDX-License-Identifier: BSD-2-Clause
"""Our own tiny guests on VT-x: they run, end well or badly, and leave the machine as it was."""

import re

from console import START_LIMIT

IMAGE = "build/tiny.img"
MIB = 1 << 20
PAUSE_SECONDS = 60


def test_vt_x_is_on(bochs):
    assert re.search(r"vmx: on", bochs.boot_text)


def test_a_start_is_made_of_short_steps(bochs):
    """Before anything else has run here."""
    for name in ("hello", "smp"):
        bochs.done(f"vm start {name}")
        bochs.wait_log(name, f"^{name}: ")
    bochs.check_steps(START_LIMIT)
    bochs.done("vm kill hello")
    bochs.done("vm kill smp")


def test_hello_speaks_listens_and_powers_off(undisturbed):
    undisturbed.done("vm start hello")
    assert '"from the test"' in undisturbed.wait_log("hello", "hello: .*command line \".*\"")
    undisturbed.wait_log("hello", "hello: ready")
    undisturbed.send("hello", "does it echo?")
    undisturbed.wait_log("hello", r"echo: does it echo\?")
    undisturbed.send("hello", "quit")
    undisturbed.wait_state("hello", "stopped")


def test_attach_type_detach(undisturbed):
    undisturbed.done("vm start hello")
    undisturbed.wait_log("hello", "hello: ready")
    undisturbed.type("vm console hello\r")
    undisturbed.until("hello: ready")
    undisturbed.type("one\r")
    undisturbed.until("echo: one")
    undisturbed.type(b"\x1d")
    undisturbed.until("\naerostat> ")
    assert undisturbed.state("hello") == "running"


def test_first_touch_takes_what_is_touched_and_kill_gives_it_back(undisturbed):
    undisturbed.done("vm start touch")
    undisturbed.wait_log("touch", r"touch: 3072 pages")
    assert 12 * MIB <= undisturbed.vm("touch")["memory"]["resident"] <= 13 * MIB
    undisturbed.send("touch", "check")
    undisturbed.wait_log("touch", "touch: 0 words differ")
    undisturbed.done("vm kill touch")
    assert undisturbed.state("touch") == "stopped" and undisturbed.vm("touch")["memory"]["resident"] == 0


def test_kill_and_start_again(undisturbed):
    for _ in range(5):
        undisturbed.done("vm start hello")
        undisturbed.wait_log("hello", "hello: ready")
        undisturbed.done("vm kill hello")


def test_two_vcpus_start_share_memory_and_time(undisturbed):
    undisturbed.done("vm start smp")
    assert undisturbed.wait_log("smp", r"smp: \d+ ok, \d+ not ok, \d+ skipped", 120) == "smp: 4 ok, 0 not ok, 0 skipped"


def test_pause_and_resume(undisturbed):
    undisturbed.done("vm start hello")
    undisturbed.wait_log("hello", "hello: ready")
    undisturbed.done("vm pause hello")
    assert undisturbed.state("hello") == "paused"
    undisturbed.done("vm resume hello")
    undisturbed.send("hello", "again")
    undisturbed.wait_log("hello", "echo: again")


def look(console):
    """What the guest sees of its time: nanoseconds, TSC, and the word for whether it was stopped."""
    before = len(console.log("clock"))
    console.send("clock", "look")
    return re.search(r"ns (\d+), tsc (\d+), (.*)", console.wait_log("clock", "^clock: look", after=before)).groups()


def test_a_pause_stops_the_clock_and_is_told_once(undisturbed):
    undisturbed.done("vm start clock")
    undisturbed.wait_log("clock", "clock: ready")
    looks = [look(undisturbed)]
    undisturbed.done("vm pause clock")
    undisturbed.command(f"sleep {PAUSE_SECONDS}", 120)
    undisturbed.done("vm resume clock")
    looks += [look(undisturbed), look(undisturbed)]
    passed = [int(b[0]) - int(a[0]) for a, b in zip(looks, looks[1:])]
    ticks = [int(b[1]) - int(a[1]) for a, b in zip(looks, looks[1:])]
    assert all(0 < ns < PAUSE_SECONDS * 10**9 // 2 for ns in passed) and all(tick > 0 for tick in ticks)
    assert abs(passed[0] / ticks[0] * ticks[1] / passed[1] - 1) < 0.001
    assert [stopped for _, _, stopped in looks] == ["not stopped", "stopped", "not stopped"]


def test_exits_are_counted(undisturbed):
    undisturbed.done("vm start hello")
    undisturbed.wait_log("hello", "hello: ready")
    exits = {row["reason"]: row for row in undisturbed.done("stats hello")["exits"]}
    assert exits and all(row["count"] > 0 and 0 < row["min_cycles"] <= row["median_cycles"] <= row["p99_cycles"]
                         for row in exits.values())


def test_wrong_orders_change_nothing(undisturbed):
    assert "hello" in undisturbed.refused("vm kill hello")
    undisturbed.done("vm start hello")
    assert "hello" in undisturbed.refused("vm start hello")
    assert undisturbed.state("hello") == "running"


def test_registers_are_kept_while_others_run(undisturbed):
    for name in ("state1", "state2"):
        undisturbed.done(f"vm start {name}")
    for name in ("state1", "state2"):
        undisturbed.wait_log(name, "state: done")
        assert not [line for line in undisturbed.log(name) if "not ok" in line]


def test_no_step_was_long(bochs):
    """The last one: after all that the others did."""
    bochs.check_steps()
