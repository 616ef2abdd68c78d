# SPDX-License-Identifier: BSD-2-Clause
"""Plants a mutant: its file, changed, in a folder of its own that the compiler looks at first; and what make would call for the rest."""

import functools
import pathlib
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Stale(Exception):
    """The source has moved on: the mutant's line is no longer there."""


@functools.lru_cache
def make_words(target):
    """What `make TARGET` says, a line "name: words" each, as lists."""
    said = subprocess.run(["make", "-s", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = (line.partition(": ") for line in said.splitlines())
    return {name: shlex.split(words) for name, _, words in lines}


def plant(mutant, folder):
    """The sources to compile again, for the compiler with -I folder."""
    text = (ROOT / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        raise Stale(f"{mutant.name}: its line is {text.count(mutant.old)} times in {mutant.file}")
    changed = folder / mutant.file
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(text.replace(mutant.old, mutant.new))
    own = () if mutant.file.endswith(".h") else (str(changed),)
    return (*own, *mutant.also)


def compile_all(compiler, sources, folder):
    """Their objects, by the source's path in the tree."""
    objects = {}
    for source in sources:
        path = pathlib.Path(source)
        inside = str(path.relative_to(folder)) if path.is_absolute() else source
        objects[inside] = str(folder / inside) + ".o"
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        # Warnings are for the real source: a mutant may leave a variable unused.
        subprocess.run([compiler[0], f"-I{folder}", *compiler[1:], "-w", "-c", str(path), "-o", objects[inside]], cwd=ROOT, check=True)
    return objects
