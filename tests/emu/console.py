# SPDX-License-Identifier: BSD-2-Clause
"""A machine in an emulator with its console, as a test uses it: commands, JSON, guests' logs.  A panic fails the test at once."""

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

STEP_LIMIT, START_LIMIT = 50_000, 20_000  # instructions
BOOT_SECONDS, COMMAND_SECONDS, AUDIT_SECONDS, PANIC_SECONDS = 240, 60, 120, 3
PROMPT = "\n" + serial_line.PROMPT
PANIC_END = "others have stopped\r\n"
DETACH = b"\x1d"  # Ctrl-]


class ConsoleError(Exception):
    pass


class Console:
    def __init__(self, image, **options):
        options = {"emulator": "bochs", "memory": 1024, **options}
        self.machine = emulator.Machine(emulator.Options(image=str(ROOT / image), **options))
        self.symbols = ROOT / pathlib.Path(image).parent / "aerostat.elf"
        self.transcript, self.at, self.line = serial_line.Transcript(), 0, None

    def __enter__(self):
        self.machine.start()
        try:
            self.line = self.machine.connect()
            self.until(PROMPT, BOOT_SECONDS)
        except BaseException:
            self.machine.close()
            raise
        return self

    def __exit__(self, *_):
        self.machine.close()

    def reset(self):
        """QEMU: a warm reset; from its next prompt on."""
        self.transcript, self.at = serial_line.Transcript(), 0
        self.machine.monitor("system_reset")
        self.until(PROMPT, BOOT_SECONDS)

    # ---- text ----

    @property
    def boot_text(self):
        return self.transcript.text.partition(PROMPT)[0]

    def until(self, pattern, seconds=COMMAND_SECONDS):
        """The text up to the next place where the pattern matches; what follows it stays for the next call."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.transcript.text[self.at:])
            if found:
                text = self.transcript.text[self.at:self.at + found.start()]
                self.at += found.end()
                return text
            if not self.receive(deadline):
                raise ConsoleError(f"no {pattern!r} in {seconds} s after:\n{self.transcript.text[self.at:][-3000:]}")

    def receive(self, deadline):
        """False: time is up."""
        ready, _, _ = select.select([self.line], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        data = self.line.recv(65536)
        if not data:
            raise ConsoleError(f"the machine ended ({self.machine.last_words()}) after:\n{self.transcript.text[self.at:][-3000:]}")
        self.transcript.take(data)
        if self.transcript.panicked:
            raise ConsoleError(self.panic_text())
        return True

    def panic_text(self):
        while PANIC_END not in self.transcript.text and select.select([self.line], [], [], PANIC_SECONDS)[0]:
            data = self.line.recv(65536)
            if not data:
                break
            self.transcript.take(data)
        text = self.transcript.text[self.transcript.text.index("\npanic: "):]
        return "\n".join([text, *serial_line.places(text, str(self.symbols))])

    def type(self, text):
        self.line.sendall(text if isinstance(text, bytes) else text.encode())

    # ---- commands ----

    def command(self, text, seconds=COMMAND_SECONDS):
        """The lines that the command printed."""
        self.type(text + "\r")
        lines = self.until(PROMPT, seconds).replace("\r", "").split("\n")
        assert lines[0].endswith(text), f"the echo of {text!r} is {lines[0]!r}"
        return lines[1:]

    def json(self, text, seconds=COMMAND_SECONDS):
        """The one object that `command --json` printed."""
        name, *rest = text.split(" ", 1)
        lines = self.command(" ".join([name, *rest, "--json"]), seconds)
        assert len(lines) == 1, f"{text} --json printed {lines}"
        return json.loads(lines[0])

    def refused(self, text):
        """The error text of a command that must fail."""
        return self.json(text)["error"]

    def done(self, text, seconds=COMMAND_SECONDS):
        """A command that must not fail."""
        answer = self.json(text, seconds)
        assert "error" not in answer, f"{text}: {answer['error']}"
        return answer

    # ---- machines' state ----

    def audit(self):
        answer = self.done("audit", AUDIT_SECONDS)
        assert answer["audit"] == "ok", answer

    def check_steps(self, limit=STEP_LIMIT):
        """No step was long, whatever happened so far. One tick of the counter is one instruction in Bochs."""
        cpus = self.done("cpu")
        for cpu in cpus["cpus"]:
            assert cpu["longest_step_ns"] * cpus["tsc_khz"] // 10**6 < limit, cpu

    def free(self):
        return self.done("mem")["machine"]["free"]

    def vm(self, name):
        return next(vm for vm in self.done("vm list")["vms"] if vm["name"] == name)

    def state(self, name):
        return self.vm(name)["state"]

    def log(self, name, lines=1000):
        return self.done(f"vm log {name} {lines}")["lines"]

    def wait_for(self, what, condition, seconds=COMMAND_SECONDS):
        """Ask again until condition() is true; its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise ConsoleError(f"not in {seconds} s: {what}")
            time.sleep(0.2)

    def wait_state(self, name, state, seconds=COMMAND_SECONDS):
        self.wait_for(f"{name} is {state}", lambda: self.state(name) == state, seconds)

    def wait_log(self, name, pattern, seconds=COMMAND_SECONDS, after=0):
        """The first line of the guest's log that matches, behind the first `after` lines. The last one may still grow: it counts once it stands."""
        last = [None]

        def look():
            lines = self.log(name)[after:]
            dead = next((line for line in lines if line.startswith("guest died")), None)
            if dead:
                raise ConsoleError(dead)
            grew, last[0] = lines[-1:] != last[0], lines[-1:]
            return next((line for line in (lines[:-1] if grew else lines) if re.search(pattern, line)), None)
        try:
            return self.wait_for(f"{pattern!r} in {name}'s log", look, seconds)
        except ConsoleError as error:
            if self.transcript.panicked:
                raise  # nobody is there to be asked
            raise ConsoleError("\n".join([str(error), *self.command(f"vm info {name}"), *self.log(name, 40)])) from None

    def send(self, name, text):
        """Type a line into the guest. vm send takes the rest of the line verbatim, so `--json` would go with it."""
        self.command(f"vm send {name} {text}")
