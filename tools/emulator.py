# SPDX-License-Identifier: BSD-2-Clause
"""Run a disk image in Bochs or QEMU. Used by tools/emulate and the tests.

One Machine is one run: it has a private copy of the image, a folder for its files, and ends with this process."""

import ctypes
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BOCHS = "/usr/bin/bochs-bin"
BOCHS_FIRMWARE = "/usr/share/ovmf/OVMF.fd"
BOCHS_VGA = "/usr/share/bochs/VGABIOS-lgpl-latest"
BOCHS_HOST_MIB = 2048  # above that Bochs keeps the guest's memory in a file
QEMU = "/usr/bin/qemu-system-x86_64"
QEMU_FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
QEMU_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
CONNECT_SECONDS = 90  # above 2 GiB Bochs is long in laying out memory
PR_SET_PDEATHSIG = 1


class EmulatorError(Exception):
    """One line for the user."""


@dataclasses.dataclass(frozen=True)
class Disk:
    """Where the image is plugged in. Bochs: a line of its configuration ("": it cannot) and the PCI slot that it needs; QEMU: machine, device."""
    bochs: str
    bochs_slot: str
    qemu_machine: str
    qemu: str


DISKS = {
    "ide": Disk('ata0-master: type=disk, mode=flat, path="{image}"', "", "pc", "ide-hd,drive=disk,bus=ide.0"),
    "usb": Disk('usb_ehci: enabled=1, port1="disk:{image}"', ", slot1=usb_ehci", "q35", "qemu-xhci -device usb-storage,drive=disk"),
    "ahci": Disk("", "", "q35", "ide-hd,drive=disk,bus=ide.0"),
    "nvme": Disk("", "", "q35", "nvme,drive=disk,serial=aerostat"),
}


@dataclasses.dataclass
class Options:
    image: str
    emulator: str = ""  # "": QEMU where it can nest VT-x, else Bochs
    cpu: str = ""
    cpus: int = 1
    memory: int = 2048  # MiB
    serial: str = "stdio"  # stdio (a socket that connect() opens), tcp:PORT, file:PATH
    disk: str = ""  # of DISKS; "": the emulator's usual one
    acpi: bool = True  # QEMU; Bochs has none
    log: str = ""
    com: int = 1  # QEMU: which serial port is that one
    acpi_tables: tuple = ()  # QEMU: files of tables that firmware has besides its own


def nested_kvm():
    try:
        nested = pathlib.Path("/sys/module/kvm_intel/parameters/nested").read_text().strip()
    except OSError:
        return False
    return nested in ("Y", "1") and os.access("/dev/kvm", os.R_OK | os.W_OK)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serial_place(options):
    """("tcp", port) or ("file", path)."""
    kind, _, place = options.serial.partition(":")
    if kind == "stdio" and not place:
        return "tcp", free_port()
    if kind == "tcp" and place.isdigit() and 0 < int(place) < 65536:
        return "tcp", int(place)
    if kind == "file" and place:
        return "file", os.path.abspath(place)
    raise EmulatorError(f"--serial {options.serial}: not stdio, tcp:PORT or file:PATH")


def disk_of(options, usual):
    name = options.disk or usual
    if name not in DISKS:
        raise EmulatorError(f"--disk {name}: not one of {', '.join(DISKS)}")
    return DISKS[name]


def bochs_command(options, folder, image, serial, log):
    kind, place = serial
    com1 = f"mode=socket-server, dev=127.0.0.1:{place}" if kind == "tcp" else f'mode=file, dev="{place}"'
    disk = disk_of(options, "ide")
    if not disk.bochs:
        raise EmulatorError(f"--disk {options.disk}: Bochs has ide and usb")
    lines = [
        'display_library: rfb, options="timeout=0"',
        f"romimage: file={BOCHS_FIRMWARE}",
        f"vgaromimage: file={BOCHS_VGA}",
        f"memory: guest={options.memory}, host={min(options.memory, BOCHS_HOST_MIB)}",
        f"cpu: model={options.cpu or 'corei7_skylake_x'}, count={options.cpus}, ips=50000000, reset_on_triple_fault=0",
        "clock: sync=none, time0=1700000000",
        f"pci: enabled=1, chipset=i440fx{disk.bochs_slot}",
        "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
        disk.bochs.format(image=image),
        "boot: disk",
        f"com1: enabled=1, {com1}",
        "port_e9_hack: enabled=1",
        f"log: {log}",
        "panic: action=fatal",
        "error: action=report",
        "info: action=report",
        "debug: action=ignore",
    ]
    (folder / "bochsrc").write_text("\n".join(lines) + "\n")
    (folder / "commands").write_text("c\n")  # a debugger build waits for it
    return [BOCHS, "-q", "-f", str(folder / "bochsrc"), "-rc", str(folder / "commands")]


def qemu_command(options, folder, image, serial, log):
    kind, place = serial
    shutil.copy(QEMU_VARIABLES, folder / "variables.fd")
    accel, cpu = ("kvm", "host,+vmx") if nested_kvm() else ("tcg,thread=multi", "max")
    disk = disk_of(options, "ahci")
    machine = disk.qemu_machine + ("" if options.acpi else ",acpi=off")
    port = f"tcp:127.0.0.1:{place},server=on,wait=on" if kind == "tcp" else f"file:{place}"
    return [QEMU, "-machine", machine, "-accel", accel, "-cpu", options.cpu or cpu, "-smp", str(options.cpus),
            "-m", str(options.memory), "-drive", f"if=pflash,format=raw,readonly=on,file={QEMU_FIRMWARE}",
            "-drive", f"if=pflash,format=raw,file={folder / 'variables.fd'}",
            "-drive", f"if=none,id=disk,format=raw,file={image}", "-device", *disk.qemu.split(),
            "-display", "none", "-monitor", f"unix:{folder / 'monitor'},server=on,wait=off", "-nic", "none",
            *["-serial", "null"] * (options.com - 1), "-serial", port,
            *[argument for table in options.acpi_tables for argument in ("-acpitable", f"file={table}")],
            "-debugcon", f"file:{folder / 'debugcon'}", "-D", log, "-d", "guest_errors"]


COMMANDS = {"bochs": (bochs_command, BOCHS), "qemu": (qemu_command, QEMU)}


def die_with_parent():
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    def __init__(self, options):
        self.options = options
        self.emulator = options.emulator or ("qemu" if nested_kvm() else "bochs")
        if self.emulator not in COMMANDS:
            raise EmulatorError(f"--emulator {self.emulator}: not bochs or qemu")
        if not os.path.isfile(options.image):
            raise EmulatorError(f"there is no {options.image}")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aerostat-"))
        self.log = os.path.abspath(options.log) if options.log else str(self.folder / "log")
        self.serial = serial_place(options)
        self.process = None

    def start(self):
        make, program = COMMANDS[self.emulator]
        if not os.path.exists(program):
            raise EmulatorError(f"{program} is not installed (tools/install-packages installs what is missing)")
        image = self.folder / "disk.img"
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.options.image, image], check=True)
        command = make(self.options, self.folder, image, self.serial, self.log)
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            cwd=self.folder, preexec_fn=die_with_parent)

    def connect(self):
        """The serial line as a socket."""
        give_up = time.monotonic() + CONNECT_SECONDS
        while time.monotonic() < give_up and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.serial[1]), timeout=1)
            except OSError:
                time.sleep(0.05)
        raise EmulatorError(f"{self.emulator} did not open its serial line; {self.last_words()}")

    def monitor(self, command):
        """QEMU's answer to a line on its monitor."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.folder / "monitor"))
            monitor.sendall(f"{command}\n".encode())
            answer = b""
            while answer.count(b"(qemu) ") < 2:
                answer += monitor.recv(65536)
        return answer.decode(errors="replace").split("\n", 2)[2].rpartition("(qemu) ")[0]

    def last_words(self):
        """What the emulator said at its end."""
        lines = []
        for path in (self.log, self.folder / "output"):
            if os.path.exists(path):
                lines += pathlib.Path(path).read_text(errors="replace").splitlines()
        panics = [line for line in lines if ">>PANIC<<" in line or "p[" in line]
        return (panics or [line for line in lines if line.strip()] or ["no output"])[-1].strip()

    def powered_off(self):
        """After its end: by the machine's own wish, not by a triple fault or a fault of the emulator."""
        if self.process.wait(10) == 0 and self.emulator == "qemu":
            return True
        return "shutdown requested" in self.last_words().lower()

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def add_arguments(parser, serial_default="stdio"):
    parser.add_argument("--cpu", default="", help="CPU model (Bochs: corei7_skylake_x)")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--memory", type=int, default=2048, help="MiB")
    parser.add_argument("--emulator", default="", choices=["", "bochs", "qemu"],
                        help="default: qemu where it can nest VT-x, else bochs")
    parser.add_argument("--serial", default=serial_default, help="stdio, tcp:PORT or file:PATH")
    parser.add_argument("--disk", default="", choices=["", *DISKS], help="where the image is plugged in; Bochs has ide (default) and usb, "
                        "QEMU all (default: ahci); usb is EHCI in Bochs, xHCI in QEMU")
    parser.add_argument("--no-acpi", action="store_true", help="QEMU without ACPI tables; Bochs has none")
    parser.add_argument("--emulator-log", default="", metavar="FILE", help="keep the emulator's own log there")


def options_of(arguments):
    return Options(image=arguments.image, emulator=arguments.emulator, cpu=arguments.cpu, cpus=arguments.cpus,
                   memory=arguments.memory, serial=arguments.serial, disk=arguments.disk, acpi=not arguments.no_acpi,
                   log=arguments.emulator_log)


def exit_on_signals():
    """Signals become SystemExit, so that `with Machine(...)` cleans up."""
    def leave(number, _):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
