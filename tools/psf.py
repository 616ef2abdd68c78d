#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Console fonts (PSF 1 and 2, gzipped), as the screen and its test need them: printable ASCII and one sign for all else.

  tools/psf.py FONT.psfu.gz … > font.h    a C table of these fonts, for drivers/painter.c"""

import gzip
import struct
import sys

FIRST, LAST, UNKNOWN = 0x20, 0x7e, "\ufffd"
PSF1, PSF1_512, PSF1_TABLE = b"\x36\x04", 1, 6
PSF2, PSF2_TABLE = b"\x72\xb5\x4a\x86", 1


class Font:
    """glyphs[character - FIRST]: one integer a row, its highest of `width` bits at the left; the last is the sign for all else."""

    def __init__(self, path):
        try:
            with gzip.open(path) as file:
                data = file.read()
        except OSError as error:
            raise SystemExit(f"{path}: {error.strerror} (tools/install-packages installs what is missing)") from None
        if data.startswith(PSF1):
            mode, height = data[2:4]
            self.width, self.height, count, bits = 8, height, 512 if mode & PSF1_512 else 256, (4, height)
            table, places = data[4 + count * height:] if mode & PSF1_TABLE else b"", self.psf1_places
        elif data.startswith(PSF2):
            start, flags, count, size, self.height, self.width = struct.unpack_from("<6I", data, 8)
            bits = start, size
            table, places = data[start + count * size:] if flags & PSF2_TABLE else b"", self.psf2_places
        else:
            raise SystemExit(f"{path}: no PSF font")
        place = places(table) if table else {}
        self.glyphs = [self.rows(data, *bits, place.get(chr(code), code)) for code in range(FIRST, LAST + 1)]
        self.glyphs.append(self.rows(data, *bits, place.get(UNKNOWN, place.get("?", ord("?")))))

    def rows(self, data, start, size, glyph):
        row_bytes = (self.width + 7) // 8
        at = start + glyph * size
        rows = [int.from_bytes(data[at + row * row_bytes:at + (row + 1) * row_bytes], "big") for row in range(self.height)]
        return [row >> (8 * row_bytes - self.width) for row in rows]

    @staticmethod
    def psf1_places(table):
        place, glyph, sequence = {}, 0, False
        for (code,) in struct.iter_unpack("<H", table):
            if code == 0xffff:
                glyph, sequence = glyph + 1, False
            elif code == 0xfffe:
                sequence = True
            elif not sequence:
                place.setdefault(chr(code), glyph)
        return place

    @staticmethod
    def psf2_places(table):
        place = {}
        for glyph, codes in enumerate(table.split(b"\xff")):
            for character in codes.split(b"\xfe")[0].decode():
                place.setdefault(character, glyph)
        return place


def main():
    fonts = [Font(path) for path in sys.argv[1:]]
    print(f"/* From {', '.join(sys.argv[1:])} by tools/psf.py. */")
    for font in fonts:
        print(f"static const u16 font_{font.width}x{font.height}[] = {{")
        for glyph in font.glyphs:
            print("\t" + " ".join(f"0x{row << (16 - font.width):04x}," for row in glyph))
        print("};")
    print("static const struct font fonts[] = {")
    for font in fonts:
        print(f"\t{{ {font.width}, {font.height}, font_{font.width}x{font.height} }},")
    print("};")


if __name__ == "__main__":
    main()
