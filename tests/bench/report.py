# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks share: their arguments, a run that nobody touches, and how figures are written and shown."""

import argparse
import json
import pathlib
import re
import select
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import emulator  # noqa: E402
import serial_line  # noqa: E402

MACHINE = "Bochs 2.7, corei7_skylake_x, 1 CPU"
TICKS_PER_MS = 50000  # the emulator's: one an instruction


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--built", required=True, type=pathlib.Path, help="the folder of the images")
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--flags", required=True)
    return parser.parse_args()


def run(image, memory, until, seconds):
    """COM1's text up to the match. What is typed comes from the image, so that each run is the same to the tick."""
    transcript, deadline = serial_line.Transcript(), time.monotonic() + seconds
    with emulator.Machine(emulator.Options(image=str(image), emulator="bochs", memory=memory)) as machine:
        machine.start()
        line = machine.connect()
        while not re.search(until, transcript.text, re.M):
            ready, _, _ = select.select([line], [], [], max(0, deadline - time.monotonic()))
            data = line.recv(65536) if ready else b""
            if not data:
                sys.exit(f"{image}: no {until!r} after:\n{transcript.text[-2000:]}")
            transcript.take(data)
    return transcript.text


def answers(text):
    """The objects that --json printed."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def result(metric, value, unit, aim=None, peer=None, peer_value=None):
    """`aim`: at most this. `ratio`: to the peer's value."""
    return {"metric": metric, "value": value, "unit": unit, "aim": aim, "peer": peer, "peer_value": peer_value,
            "ratio": round(value / peer_value, 4) if peer else None}


def write(name, options, results, **facts):
    out = ROOT / "build/bench" / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"name": name, "machine": MACHINE, "build": "release", "compiler": options.compiler, "flags": options.flags,
                               **facts, "results": results}, indent=1) + "\n")
    print(f"{out.relative_to(ROOT)} written")


def show(results):
    for row in results:
        aim = f"at most {row['aim']:,}" if row["aim"] else ""
        peer = f"{row['ratio']:.4f} of {row['peer_value']:,} ({row['peer']})" if row["peer"] else ""
        missed = "MISSED" if row["aim"] and (row["ratio"] if row["peer"] else row["value"]) > row["aim"] else ""
        print("  ".join(part for part in (f"{row['metric']:52}", f"{row['value']:14,} {row['unit']:12}", aim, peer, missed) if part))
