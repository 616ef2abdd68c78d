# SPDX-License-Identifier: BSD-2-Clause
"""VM entry's rules: a field of a running guest is broken on purpose, the processor refuses the entry, the checker names the rule, and only that guest ends."""

import pytest
from console import Console, ConsoleError

IMAGE = "build/hostile.img"
NON_CANONICAL = 0x800000000000
# field, value, the rule: one at least of each part of the state
BROKEN = [
    # controls: VM entry fails as an instruction
    ("PIN_CONTROLS", 0x2, "pin-based controls: a bit that this processor does not allow"),
    ("CR3_TARGET_COUNT", 5, "more CR3 targets than the processor has"),
    ("MSR_BITMAP", 0x1001, "the MSR bitmap: a page's address"),
    ("EPT_POINTER", 0x10005f, "the EPT pointer: write-back, walk length 4, reserved bits clear"),
    ("ENTRY_EVENT", 0x80000100, "the event: type 1 is reserved"),
    ("ENTRY_EVENT", 0x80000203, "the event: an NMI has vector 2"),
    ("ENTRY_EVENT", 0x80000b06, "the event: an error code exactly for exceptions that push one"),
    ("ENTRY_EVENT", 0x80001306, "the event: bits 30:12 are reserved"),
    # host state: likewise
    ("HOST_CR4", 0x20, "host CR4 against IA32_VMX_CR4_FIXED"),
    ("HOST_CS_SELECTOR", 0, "host CS must not be 0"),
    ("HOST_TR_SELECTOR", 0x1b, "host selectors: neither RPL nor TI"),
    ("HOST_GS_BASE", NON_CANONICAL, "host GS base must be canonical"),
    ("HOST_RIP", NON_CANONICAL, "host RIP must be canonical"),
    # guest state: an exit says so
    ("GUEST_CR0", 0x10, "guest CR0 against IA32_VMX_CR0_FIXED"),
    ("GUEST_CR3", 1 << 50, "guest CR3: within the physical address width"),
    ("GUEST_CR4", 0x2000, "an IA-32e guest needs CR4.PAE"),
    ("GUEST_DR7", 1 << 32, "guest DR7: bits 63:32 clear"),
    ("GUEST_EFER", 0x100, "guest EFER: LMA as the entry control says"),
    ("GUEST_PAT", 2, "guest PAT: memory types"),
    ("GUEST_SYSENTER_ESP", NON_CANONICAL, "guest SYSENTER_ESP must be canonical"),
    ("GUEST_CS_RIGHTS", 0xe09b, "guest CS must not be L and D at once"),
    ("GUEST_SS_RIGHTS", 0xc091, "guest SS must be writable accessed data"),
    ("GUEST_TR_RIGHTS", 0x89, "guest TR must be a usable, busy TSS"),
    ("GUEST_LDTR_RIGHTS", 0x83, "guest LDTR must be an LDT or unusable"),
    ("GUEST_ES_LIMIT", 0xfffffffe, "guest segments' limits against granularity"),
    ("GUEST_FS_BASE", NON_CANONICAL, "guest TR, FS, GS and LDTR bases must be canonical"),
    ("GUEST_GDTR_LIMIT", 0x10000, "guest GDTR limit: below 64 KiB"),
    ("GUEST_IDTR_BASE", NON_CANONICAL, "guest IDTR base must be canonical"),
    ("GUEST_RFLAGS", 0, "guest RFLAGS: reserved bits"),
    ("GUEST_ACTIVITY", 4, "activity: a state that this processor does not have"),
    ("GUEST_INTERRUPTIBILITY", 0x20, "interruptibility: bits 31:5 are reserved"),
    ("GUEST_INTERRUPTIBILITY", 3, "interruptibility: STI and MOV SS exclude each other"),
    ("GUEST_PENDING_DEBUG", 0x10, "pending debug exceptions: reserved bits"),
    ("GUEST_VMCS_LINK", 0x1000, "the VMCS link pointer must be all ones"),
]


@pytest.fixture(scope="module")
def bochs():
    with Console(IMAGE) as console:
        console.done("vm start hello")
        console.wait_log("hello", "hello: ready")
        yield console
        console.audit()


@pytest.mark.parametrize("field,value,rule", BROKEN, ids=[f"{field}-{value:x}" for field, value, _ in BROKEN])
def test_the_broken_rule_is_named_and_only_that_guest_ends(bochs, field, value, rule):
    bochs.done("vm start crash")
    bochs.done(f"debug entry crash {field} {value:x}")
    try:
        bochs.wait_state("crash", "failed", 20)
    except ConsoleError:
        bochs.done("vm kill crash")
        raise
    why = bochs.done("vm info crash")["why"]
    assert why.startswith("VM entry ") and rule in why
    assert bochs.state("hello") == "running"


def test_the_other_guest_still_answers(bochs):
    bochs.send("hello", "still here?")
    bochs.wait_log("hello", r"echo: still here\?")


@pytest.mark.parametrize("order", ["debug entry hello EXIT_REASON 0", "debug entry hello NO_SUCH_FIELD 0", "debug entry crash GUEST_RIP 0",
                                   "debug entry hello GUEST_RIP z"])
def test_wrong_orders_are_refused(bochs, order):
    assert bochs.refused(order)
    assert bochs.state("hello") == "running"
