# SPDX-License-Identifier: BSD-2-Clause
"""Guests that do what no guest should: that VM ends with a reason, or gets the architecture's answer; nobody else notices."""

import os
import random
import re

import pytest

IMAGE = "build/hostile.img"
# How the guest crash ends, by the way that it was told: the state, and the reason.
ENDS = {
    "triple_fault": ("failed", "triple fault"),
    "idt_in_a_hole": ("failed", "an event's delivery touches device memory at 0xd00000"),
    "idt_of_zeros": ("failed", "triple fault"),
    "jump_into_zeros": ("failed", "code in device memory at 0x400000"),
    "jump_into_a_hole": ("failed", "code in device memory at 0xd0000000"),
    "stack_in_a_hole": ("failed", "not emulated: 50"),
    "stack_not_present": ("failed", "triple fault"),
    "page_tables_in_a_hole": ("failed", "page tables in device memory at 0xd0000"),
    "string_store_into_a_hole": ("running", ""),
    "strange_instruction_on_a_device": ("failed", "not emulated: f0 48 0f c7"),
    "halt_without_interrupts": ("running", ""),
    "spin_without_interrupts": ("running", ""),
    "self_ipis_for_ever": ("running", ""),
    "nmis_for_ever": ("running", ""),
    "level_interrupts_for_ever": ("running", ""),
    "level_interrupt_never_ended": ("running", ""),
    "timers_of_one_tick_for_ever": ("running", ""),
    "init_to_itself": ("running", ""),
    "power_off": ("stopped", ""),
}
RESETS = ["reset_by_cf9", "reset_by_8042", "reset_by_92"]


@pytest.fixture
def beside(undisturbed):
    """With another guest at its side, which answers before and after."""
    undisturbed.done("vm start hello")
    undisturbed.wait_log("hello", "hello: ready")
    yield undisturbed
    undisturbed.send("hello", "still there?")
    undisturbed.wait_log("hello", r"echo: still there\?")


def crash(console, way):
    console.done("vm start crash")
    console.wait_log("crash", "crash: ready")
    console.send("crash", way)
    console.wait_for(f"crash: {way}", lambda: f"crash: {way}" in console.log("crash"))


@pytest.mark.parametrize("way", ENDS)
def test_a_guest_ends_alone(beside, way):
    state, why = ENDS[way]
    crash(beside, way)
    beside.wait_state("crash", state)
    info = beside.done("vm info crash")
    assert re.search(re.escape(why), info["why"]), info["why"]
    beside.send("hello", f"during {way}")
    beside.wait_log("hello", f"echo: during {way}")
    assert beside.state("crash") == state


@pytest.mark.parametrize("way", RESETS)
def test_a_guest_that_resets_starts_again(beside, way):
    crash(beside, way)
    beside.wait_for("it starts again", lambda: beside.log("crash").count("crash: ready") >= 2)


def check_promises(console, guest, promises):
    assert console.wait_log(guest, rf"{guest}: \d+ ok", 120) == f"{guest}: {promises} ok, 0 not ok, 0 skipped", console.log(guest)


@pytest.mark.parametrize("guest, promises", [("strings", 20), ("events", 12), ("modes", 3), ("storm", 13)])
def test_the_architecture_answers(beside, guest, promises):
    beside.done(f"vm start {guest}")
    check_promises(beside, guest, promises)


def test_hammering_at_random_is_answered(beside):
    """Another seed each time; HOSTILE_SEED repeats one."""
    seed = os.environ.get("HOSTILE_SEED", str(random.randrange(1, 1 << 32)))
    beside.done("vm start hammer")
    beside.wait_log("hammer", "hammer: ready")
    beside.send("hammer", seed)
    beside.wait_log("hammer", f"hammer: seed {seed}")
    beside.send("hello", "under the hammer")
    beside.wait_log("hello", "echo: under the hammer")
    check_promises(beside, "hammer", 9)


def test_a_task_switch_ends_the_guest(beside):
    beside.done("vm start task")
    beside.wait_state("task", "failed")
    assert re.search("hardware task switch to selector 0x30", beside.done("vm info task")["why"])


def test_no_step_was_long(bochs):
    """The last one: after all that the others did."""
    bochs.check_steps()
