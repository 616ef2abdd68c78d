# SPDX-License-Identifier: BSD-2-Clause
"""The boot volume of an image, changed by a test: files put there, taken away, renamed."""

import os
import subprocess

ESP_OFFSET = 1 << 20  # tools/mkimage


def mtool(image, name, *arguments):
    subprocess.run([name, "-i", f"{image}@@{ESP_OFFSET}", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL,
                   env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})


def put(image, path, source):
    mtool(image, "mcopy", "-o", source, f"::/{path}")


def remove(image, path):
    mtool(image, "mdel", f"::/{path}")


def rename(image, path, name):
    mtool(image, "mren", f"::/{path}", name)
