# SPDX-License-Identifier: BSD-2-Clause
"""Kernels with the flush taken out: Bochs forgets all translations at every entry, so only the check at VM entry can notice, and it must."""

import pathlib
import shutil
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "emu"), str(TESTS / "mutations")]
from console import Console, ConsoleError  # noqa: E402
from mutants import KERNEL  # noqa: E402
from plant import ROOT, compile_all, make_words, plant  # noqa: E402

BUILT = ROOT / "build"


def image_of(mutant):
    """A disk with the mutant's kernel and everything else as it is."""
    folder = BUILT / "mutants" / f"kernel-{mutant.name}"
    shutil.rmtree(folder, ignore_errors=True)
    words = make_words("mutation-kernel")
    objects = compile_all(words["compiler"], plant(mutant, folder), folder)
    kept = [path for path in words["objects"] if not any(path.endswith("/" + source[:-2] + ".o") for source in objects)]
    subprocess.run([*words["linker"], "-o", str(folder / "aerostat.elf"), *objects.values(), *kept], cwd=ROOT, check=True)
    (folder / "guests").symlink_to(BUILT / "guests")
    shutil.copy(BUILT / "BOOTX64.EFI", folder)
    subprocess.run(["tools/mkimage", "--built", folder, "--conf", "tests/emu/tiny.conf", "--out", folder / "tiny.img"], cwd=ROOT, check=True)
    return folder / "tiny.img"


@pytest.mark.parametrize("mutant", KERNEL, ids=[mutant.name for mutant in KERNEL])
def test_the_check_at_vm_entry_notices(mutant):
    with Console(image_of(mutant), cpus=2) as console, pytest.raises(ConsoleError) as error:
        console.done("vm start flush")
        console.wait_log("flush", "flush: 20 rounds seen", 60)
    assert "CHECK(cpu->executed[vm] >= cpu->entry_generation) failed" in str(error.value)
