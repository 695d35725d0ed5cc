#!/usr/bin/env python3
"""Makes the tables of canonical composition and the figures that they are tested with, from Python's unicodedata.

    python3.13 Tests/Goldens/unicode/make_unicode.py      # Unicode 15.1

Writes Shared/Tokenization/Text/CanonicalTables.swift and, beside this script, composition.json:

- scalars: of each stretch of 4,096 code points a SHA-256 over what each of them becomes: alone, and between a letter and
  two marks (A, the code point, U+0323, U+0301);
- random: of each hundred of 20,000 sequences a SHA-256 over what they become; `Sequences` below draws them;
- examples: sequences and their compositions, for people to look at.

A SHA-256 is over texts in UTF-8, each with the number of its bytes (8 bytes, little-endian) before it.
"""
import hashlib
import json
import pathlib
import struct
import sys
import unicodedata

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
SCALARS = [code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)


def nfc(text):
    return unicodedata.normalize("NFC", text)


def decompositions():
    """Code point, its parts, and whether composition never makes it."""
    for code in SCALARS:
        parts = unicodedata.decomposition(chr(code))
        if parts and not parts.startswith("<") and code not in HANGUL:
            yield code, [int(part, 16) for part in parts.split()], nfc(chr(code)) != chr(code)


def classes():
    """Ranges of code points with one combining class that is not 0."""
    ranges = []
    for code in SCALARS:
        value = unicodedata.combining(chr(code))
        if value and ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == value:
            ranges[-1][1] = code
        elif value:
            ranges.append([code, code, value])
    return ranges


def wrapped(items):
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) + 1 > 110:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + item
    return "\n".join("        " + line for line in lines)


def write_tables():
    pairs = [
        f"{code:X}{'!' if excluded else '='}{'+'.join(f'{part:X}' for part in parts)}"
        for code, parts, excluded in decompositions()
    ]
    marks = [f"{first:X}-{last:X}:{value}" for first, last, value in classes()]
    text = f'''// Made by Tests/Goldens/unicode/make_unicode.py from Unicode {unicodedata.unidata_version}; not to be edited.

/// Unicode's data for canonical composition, as texts that ``CanonicalData`` reads once.
enum CanonicalTables {{
    /// The version of Unicode.
    static let version = "{unicodedata.unidata_version}"

    /// Ranges of scalars and their canonical combining class (FIRST-LAST:CLASS); all others have class 0.
    static let combiningClasses: StaticString = """
{wrapped(marks)}
        """

    /// Canonical decompositions (SCALAR=PARTS), Hangul left out; those with `!` are never composed again.
    static let decompositions: StaticString = """
{wrapped(pairs)}
        """
}}
'''
    (ROOT / "Shared/Tokenization/Text/CanonicalTables.swift").write_text(text, encoding="utf-8")


class Sequences:
    """Texts of 1 to 12 scalars, most of them such as compose or combine; Errata's test draws the same."""

    def __init__(self, state):
        self.state = state
        self.pool = []
        for code, parts, _ in decompositions():
            self.pool += [code] + parts
        for first, last, _ in classes():
            self.pool += [first, last]
        self.pool += [0x1100, 0x1112, 0x1161, 0x1175, 0x11A7, 0x11A8, 0x11C2, 0xAC00, 0xAC01, 0xD7A3, 0x41, 0x20, 0x1F98A]

    def draw(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % limit

    def text(self):
        return "".join(chr(self.pool[self.draw(len(self.pool))]) for _ in range(1 + self.draw(12)))


def digest(texts):
    sha = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8")
        sha.update(struct.pack("<Q", len(data)) + data)
    return sha.hexdigest()


def write_goldens():
    stretches = {}
    for code in SCALARS:
        stretches.setdefault(code >> 12, []).append(code)
    scalars = [
        digest(text for code in codes for text in (nfc(chr(code)), nfc("A" + chr(code) + "\u0323\u0301")))
        for _, codes in sorted(stretches.items())
    ]
    sequences = Sequences(2026)
    random = [digest(nfc(sequences.text()) for _ in range(100)) for _ in range(200)]
    sequences = Sequences(7)
    examples = [[text, nfc(text)] for text in (sequences.text() for _ in range(60))]
    examples += [[text, nfc(text)] for text in [
        "\U000E0041\u0301", "\u1100\u1161\u11A8", "\uAC00\u11A8", "\u1100\u1161\u11A7", "A\u030A", "\u212B",
        "a\u0323\u0307", "a\u0307\u0323", "\u0344", "\u0958", "q\u0307\u0323", "\u0308\u0301", "e\u0301\u0301",
    ]]  # fmt: skip
    lines = ",\n    ".join(json.dumps(pair) for pair in examples)
    blocks = ['  "%s": [\n    %s\n  ]' % (name, ",\n    ".join(f'"{d[:16]}"' for d in list_))
              for name, list_ in (("scalars", scalars), ("random", random))]  # fmt: skip
    body = ",\n".join([f'  "version": "{unicodedata.unidata_version}"', *blocks, f'  "examples": [\n    {lines}\n  ]'])
    (HERE / "composition.json").write_text("{\n" + body + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    if unicodedata.unidata_version != "15.1.0":
        sys.exit(f"needs the Python whose unicodedata is of Unicode 15.1.0; this one is of {unicodedata.unidata_version}")
    write_tables()
    write_goldens()
