# SPDX-License-Identifier: BSD-2-Clause
"""What the manual promises to programs: each command's --json is one object by its schema, and the manual names its fields."""

import json
import pathlib
import re

import jsonschema
import pytest
from schema import DEBUG_FAULTS, ERROR, SCHEMAS, fields_of

IMAGE = "build/tiny.img"
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs/manual.md"
# In this order: what a command finds is what those before it left.  (command, arguments, its answer is an error)
CALLS = [
    ("help", "", False),
    ("version", "", False),
    ("vm list", "", False),
    ("vm start", "hello", False),
    ("wait", "hello hello: ready", False),
    ("vm send", "hello some text", False),
    ("wait", "hello echo: some text", False),
    ("vm log", "hello 2", False),
    ("vm info", "hello", False),
    ("vm console", "hello", False),
    ("vm set", "hello memory.shares=high", False),
    ("vm set", "hello vcpus=9", True),
    ("stats", "hello", False),
    ("stats", "", False),
    ("mem", "", False),
    ("top", "", False),
    ("cpu", "", False),
    ("log", "3", False),
    ("log", "follow off", False),
    ("trace", "3", False),
    ("audit", "", False),
    ("debug entry", "hello NOTHING 0", True),
    ("sleep", "1", False),
    ("vm pause", "hello", False),
    ("vm resume", "hello", False),
    ("vm stop", "hello 1", True),  # it has no driver for the button
    ("vm reset", "hello", False),
    ("vm kill", "hello", False),
    ("vm list", "", False),
]
MACHINE_ENDS = {"poweroff", "reboot", *DEBUG_FAULTS}


def check(command, answer):
    jsonschema.validate(answer, ERROR if "error" in answer else SCHEMAS[command])


def test_the_manual_names_every_field():
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", MANUAL.read_text()))))
    missing = {(command, field) for command, schema in SCHEMAS.items() for field in fields_of(schema) if field not in words}
    assert not missing, f"docs/manual.md does not name these fields in backticks: {sorted(missing)}"


def test_every_command_has_a_schema_and_is_called_here(bochs):
    usages = [row["usage"] for row in bochs.done("help")["commands"]]
    names = {re.match(r"[a-z]+(?: [a-z-]+)*", usage).group() for usage in usages}
    assert not names - set(SCHEMAS), "commands without a schema: give them one in tests/emu/schema.py"
    assert not set(SCHEMAS) - names, "schemas without a command"
    assert not names - {command for command, *_ in CALLS} - MACHINE_ENDS, "commands that CALLS does not call"


@pytest.mark.parametrize("command,arguments,is_error", CALLS, ids=[f"{command} {arguments}".strip() for command, arguments, _ in CALLS])
def test_the_answer_is_one_object_by_the_schema(bochs, command, arguments, is_error):
    lines = bochs.command(f"{command} --json {arguments}".strip())
    assert len(lines) == 1, lines
    answer = json.loads(lines[0])
    check(command, answer)
    assert "error" in answer if is_error or command == "vm console" else "error" not in answer, answer


def test_what_is_wrong_is_one_object_too(bochs):
    for line in ["vm --json", "vm start --json", "vm start nobody --json", "nothing --json", "help nothing --json", "trace x --json"]:
        lines = bochs.command(line)
        assert len(lines) == 1, lines
        jsonschema.validate(json.loads(lines[0]), ERROR)


def test_poweroff_says_whom_it_killed(bochs):
    bochs.type("poweroff --json\r")
    bochs.until(r"poweroff --json\r*\n")
    check("poweroff", {"killed": [], **json.loads("{" + bochs.until(r"\}").split("{", 1)[1] + "}")})
