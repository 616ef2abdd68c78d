# SPDX-License-Identifier: BSD-2-Clause
"""The serial port that firmware names (SPCR) is the console; what it names wrongly leaves COM1, and the log says so."""

import pathlib
import subprocess

import pytest
from console import Console

IMAGE = "build/tiny.img"
TABLE = (pathlib.Path(__file__).parent / "spcr.dsl").read_text()
COM2, NOBODY = "2f8", "5008"
BY_GSI, NO_INTERRUPT = "02", "00"


@pytest.fixture
def spcr(tmp_path):
    """Writes a table in ACPI's own source form and has it compiled; its path."""
    def make(port, interrupt=BY_GSI, kind="00"):
        (tmp_path / "spcr.dsl").write_text(TABLE.format(kind=kind, port=port, interrupt=interrupt))
        subprocess.run(["iasl", "spcr.dsl"], cwd=tmp_path, check=True, capture_output=True)
        return str(tmp_path / "spcr.aml")
    return make


@pytest.mark.parametrize("interrupt", [BY_GSI, NO_INTERRUPT])
def test_the_console_is_where_firmware_says(spcr, interrupt):
    with Console(IMAGE, emulator="qemu", com=2, acpi_tables=(spcr(COM2, interrupt),)) as console:
        assert "[   0.000000] aerostat " in console.boot_text, "what was said before the port was known comes, too"
        assert "console: firmware's serial port, at port 0x2f8" in console.boot_text
        assert console.boot_text.count("start: acpi") == 1
        console.audit()


@pytest.mark.parametrize("table,reason", [({"port": NOBODY}, "no 16550 answers at port 0x5008"),
                                          ({"port": COM2, "kind": "03"}, "its port is no 16550")])
def test_a_wrong_table_leaves_com1_and_says_so(spcr, table, reason):
    with Console(IMAGE, emulator="qemu", acpi_tables=(spcr(**table),)) as console:
        assert f"console: SPCR: {reason}; COM1 stays" in console.boot_text
        console.done("version")
