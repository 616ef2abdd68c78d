# SPDX-License-Identifier: BSD-2-Clause
"""The JSON answer of every command, as JSON schemas: the machine interface that the manual describes.  A new command, or a new field of
one, gets its place here and in docs/manual.md."""

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
COUNT = {"type": "integer", "minimum": 0}
FRACTION = {"type": "number", "minimum": 0, "maximum": 1}
HEX = {"type": "string", "pattern": "^0x[0-9a-f]+$"}


def record(optional=(), **fields):
    return {"type": "object", "properties": fields, "required": [name for name in fields if name not in optional],
            "additionalProperties": False}


def rows(optional=(), **fields):
    return {"type": "array", "items": record(optional, **fields)}


def one_of(*words):
    return {"enum": list(words)}


ERROR = record(error=TEXT)
STATE = one_of("stopped", "starting", "running", "paused", "stopping", "failed")
PAGES = {name: COUNT for name in ("max", "resident", "shared", "saved", "ballooned", "swapped", "compressed")}
NEW_STATE = record(vm=TEXT, state=STATE)
END = {"killed": TEXTS, "then": one_of("poweroff", "reboot")}
# Each stops the machine; in a release build they are refused.
DEBUG_FAULTS = [f"debug {fault}" for fault in ("panic", "check", "stack", "guard", "fault", "write-text", "exec-data", "hang", "mce", "nmi")]

SCHEMAS = {
    "vm list": record(vms=rows(name=TEXT, state=STATE, vcpus=COUNT, memory=record(min=COUNT, **PAGES))),
    "vm info": record(
        name=TEXT, state=STATE, why=TEXT, kernel=TEXT, initrd=TEXT, cmdline=TEXT, identity=one_of("kvm", "vmware", "none"),
        share_group=TEXT, autostart=one_of("yes", "no"), uptime_ns=COUNT, vcpus=COUNT,
        memory=record(min=COUNT, shares=COUNT, private=COUNT, empty=COUNT, pinned=COUNT, overhead=COUNT, large_mappings=COUNT, **PAGES),
        console=record(bytes=COUNT, lost=COUNT), vcpu=rows(vcpu=COUNT, cpu=COUNT, state=TEXT, run_ns=COUNT), devices=TEXTS,
        exits=rows(reason=TEXT, count=COUNT)),
    "vm start": NEW_STATE, "vm stop": NEW_STATE, "vm kill": NEW_STATE, "vm reset": NEW_STATE, "vm pause": NEW_STATE, "vm resume": NEW_STATE,
    "vm console": ERROR,
    "vm log": record(vm=TEXT, lines=TEXTS),
    "vm send": record(vm=TEXT, typed=COUNT),
    "vm set": record(vm=TEXT, set={"type": "object", "additionalProperties": TEXT}),
    "mem": record(
        machine=record(total=COUNT, free=COUNT, overhead=COUNT, private=COUNT, shared_frames=COUNT, debt=COUNT, unusable=COUNT,
                       state=one_of("high", "soft", "hard", "low")),
        vms=rows(name=TEXT, min=COUNT, shares=COUNT, target=COUNT, empty=COUNT, private=COUNT, pinned=COUNT, overhead=COUNT,
                 active=FRACTION, **PAGES)),
    "stats": record(["vm"], vm=TEXT, exits=rows(reason=TEXT, count=COUNT, min_cycles=COUNT, median_cycles=COUNT, p99_cycles=COUNT)),
    "top": record(time_ns=COUNT, cpus=COUNT, total=COUNT, free=COUNT,
                  vms=rows(name=TEXT, state=STATE, vcpus=COUNT, run_ns=COUNT, uptime_ns=COUNT, memory=record(**PAGES))),
    "cpu": record(tsc_khz=COUNT, uptime_ns=COUNT, cpus=rows(["longest_step_ns", "longest_step_place"], cpu=COUNT, apic_id=COUNT, steps=COUNT,
                                                            idle_ns=COUNT, longest_step_ns=COUNT, longest_step_place=TEXT), input_lost=COUNT),
    "log": record(["lines", "follow"], lines=TEXTS, follow={"type": "boolean"}),
    "trace": record(events=rows(cpu=COUNT, number=COUNT, tsc=COUNT, event=TEXT, a=HEX, b=HEX, task=TEXT)),
    "audit": record(["count", "findings"], audit=one_of("ok", "broken"), count=COUNT, findings=TEXTS),
    **dict.fromkeys(DEBUG_FAULTS, ERROR), "debug entry": NEW_STATE,
    "version": record(version=TEXT, build=one_of("debug", "release")),
    "sleep": record(seconds=COUNT),
    "wait": record(vm=TEXT, position=COUNT),
    "help": record(commands=rows(usage=TEXT, help=TEXT)),
    "reboot": record(**END),
    "poweroff": record(**END),
}


def fields_of(schema):
    """Every field that the schema names, at any depth."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from fields_of(inner)
    if "items" in schema:
        yield from fields_of(schema["items"])
