# SPDX-License-Identifier: BSD-2-Clause
"""The demonstration: two unmodified Debian guests with shells."""

import json
import re

import pytest
from console import DETACH, PROMPT, Console

GUEST_SECONDS, SLEEP_SECONDS = 300, 120
ROUNDS = 100
TROUBLE = re.compile("[Ss]egmentation fault|segfault|traps:|BUG|Oops|lockup|stall|not ready|Call Trace|clocksource: .*unstable")
READY = r"^{}: ready, Linux 6\."


@pytest.fixture(scope="module")
def demo():
    with Console("build/aerostat.img") as console:
        for name in ("web1", "web2"):
            console.wait_log(name, READY.format(name), GUEST_SECONDS)
        yield console


def run(demo, name, command, pattern):
    """The line that the command prints in the guest's shell (its echo does not match the pattern)."""
    before = len(demo.log(name))
    demo.send(name, command)
    return demo.wait_log(name, pattern, after=before)


def test_both_run_and_hold_what_they_touched(demo):
    for name in ("web1", "web2"):
        vm = demo.vm(name)
        assert vm["state"] == "running" and vm["memory"]["max"] == 128 << 20
        assert 16 << 20 < vm["memory"]["resident"] < 128 << 20
    demo.audit()


def test_shells_answer(demo):
    for name in ("web1", "web2"):
        assert run(demo, name, "echo I am $(hostname)", "^I am ") == f"I am {name}"


def test_console_attaches_and_detaches(demo):
    demo.type("vm console web1\r")
    demo.until("web1:/root# ")
    demo.type("echo $((6 * 7)) is it\r")
    demo.until("42 is it")
    demo.type(DETACH)
    demo.until("\naerostat> ")


def test_control_c_ends_a_command(demo):
    demo.send("web1", "sleep 1000; echo it was $?")
    demo.type("vm console web1\r")
    demo.until("web1:/root# ")
    demo.type(b"\x03")
    demo.until(r"web1:/root# ")
    demo.type(DETACH)
    demo.until("\naerostat> ")
    assert run(demo, "web1", "echo alive $((1 + 1))", "^alive 2") == "alive 2"


def test_guest_knows_its_hypervisor(demo):
    assert run(demo, "web1", "dmesg | grep -o 'Hypervisor detected: .*'", "^Hypervisor detected") == "Hypervisor detected: KVM"


def clocks(demo, name):
    """The guest's uptime and the host's idea of it, in seconds: both commands are sent ahead, so hardly any virtual time lies between."""
    before = len(demo.log(name))
    demo.type(f"vm send {name} echo up $(cut -d' ' -f1 /proc/uptime)\rvm info {name} --json\r")
    demo.until(PROMPT)
    host = json.loads(demo.until(PROMPT).replace("\r", "").split("\n")[1])["uptime_ns"] / 1e9
    return float(demo.wait_log(name, r"^up \d", after=before).split()[1]), host


def test_clock_goes_as_the_hosts(demo):
    guest_begin, host_begin = clocks(demo, "web1")
    demo.command("sleep 60", SLEEP_SECONDS)
    guest_end, host_end = clocks(demo, "web1")
    assert host_end - host_begin >= 60
    assert abs((guest_end - guest_begin) / (host_end - host_begin) - 1) < 0.005


def test_processes_live_and_die_in_both_at_once(demo):
    loop = f"i=0; while [ $i -lt {ROUNDS} ]; do echo $i | tr 0-9 a-j | grep -q '^[a-j]*$' || echo wrong; i=$((i+1)); done; echo done $i"
    lines = {name: len(demo.log(name)) for name in ("web1", "web2")}
    for name in lines:
        demo.send(name, loop)
    for name, before in lines.items():
        demo.wait_log(name, f"^done {ROUNDS}", GUEST_SECONDS, after=before)
        assert "wrong" not in demo.log(name)[before + 1:]


def test_guests_had_no_trouble(demo):
    for name in ("web1", "web2"):
        assert not [line for line in demo.log(name) if TROUBLE.search(line)]


def test_kill_and_start_leave_the_other_alone(demo):
    demo.done("vm kill web1")
    free = demo.free()
    demo.done("vm start web1")
    demo.wait_log("web1", READY.format("web1"), GUEST_SECONDS)
    assert run(demo, "web2", "echo still $((40 + 2))", "^still 42") == "still 42"
    demo.done("vm kill web1")
    assert demo.free() == free
    demo.audit()


def test_stop_asks_by_the_power_button(demo):
    demo.done("vm stop web2", 120)
    assert demo.state("web2") == "stopped"
    assert re.search("web2: power button", "\n".join(demo.log("web2")))


def test_power_off_ends_the_machine(demo):
    demo.type("poweroff\r")
    demo.machine.process.wait(120)
    assert demo.machine.powered_off()
