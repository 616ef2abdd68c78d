# SPDX-License-Identifier: BSD-2-Clause
"""The demonstration: two unmodified Debian guests with shells."""

import json
import re

import pytest
from console import DETACH, PROMPT, Console
from linux import GUEST_SECONDS, run, trouble, wait_ready

SLEEP_SECONDS = 120
ROUNDS, PAUSE_SECONDS = 100, 60


@pytest.fixture(scope="module")
def demo():
    with Console("build/aerostat.img") as console:
        for name in ("web1", "web2"):
            wait_ready(console, name)
        yield console


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
    """The guest's uptime and date, and the host's idea of its uptime, in seconds: sent ahead, so hardly any virtual time lies between."""
    before = len(demo.log(name))
    demo.type(f"vm send {name} echo up $(cut -d' ' -f1 /proc/uptime) $(adjtimex | grep time.tv_)\rvm info {name} --json\r")
    demo.until(PROMPT)
    host = json.loads(demo.until(PROMPT).replace("\r", "").split("\n")[1])["uptime_ns"] / 1e9
    said = re.findall(r"\d+(?:\.\d+)?", demo.wait_log(name, r"^up \d", after=before))
    return float(said[0]), int(said[1]) + int(said[2]) / 1e6, host


def test_clocks_go_as_the_hosts(demo):
    begin = clocks(demo, "web1")
    demo.command("sleep 60", SLEEP_SECONDS)
    uptime, date, host = (end - start for start, end in zip(begin, clocks(demo, "web1")))
    assert host >= 60
    assert abs(uptime / host - 1) < 0.005 and abs(date / host - 1) < 0.005


def test_time_stands_still_in_a_pause(demo):
    begin = clocks(demo, "web2")
    demo.done("vm pause web2")
    demo.command(f"sleep {PAUSE_SECONDS}", SLEEP_SECONDS)
    demo.done("vm resume web2")
    assert run(demo, "web2", "echo awake $((3 + 4))", "^awake 7")
    uptime, date, host = (end - start for start, end in zip(begin, clocks(demo, "web2")))
    assert 0 < uptime < PAUSE_SECONDS / 2
    assert abs(uptime - host) < 0.5 and abs(date - uptime) < 0.5
    assert not trouble(demo, "web2")


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
        assert not trouble(demo, name)


def test_kill_and_start_leave_the_other_alone(demo):
    demo.done("vm kill web1")
    free = demo.free()
    demo.done("vm start web1")
    wait_ready(demo, "web1")
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
