# SPDX-License-Identifier: BSD-2-Clause
"""What the modules with tiny guests share: one machine for a module (its IMAGE), and what each test must leave behind."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from console import Console  # noqa: E402


@pytest.fixture(scope="module")
def bochs(request):
    with Console(request.module.IMAGE) as console:
        console.done("vm start hello")  # what is made once stays
        console.done("vm kill hello")
        yield console


@pytest.fixture
def undisturbed(bochs):
    """What a test starts it ends: all memory comes back and the audit is ok."""
    before = bochs.free()
    yield bochs
    for vm in bochs.done("vm list")["vms"]:
        if vm["state"] not in ("stopped", "failed"):
            bochs.done(f"vm kill {vm['name']}")
    bochs.wait_for("all memory is back", lambda: bochs.free() == before)
    bochs.audit()
