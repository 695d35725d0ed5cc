#!/usr/bin/env python3
"""Makes the reference figures beside this file, or checks them.

    PYTHON make_goldens.py --trl0-python PYTHON0            # makes all files again
    PYTHON make_goldens.py --trl0-python PYTHON0 --check    # makes them elsewhere and compares

PYTHON has the packages of requirements.txt, PYTHON0 those of requirements-trl0.txt: two losses that Errata has are only
in TRL's earlier releases. Takes a minute or two on one core and fetches nothing. See README.md.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

from generator import common, compare

SECTIONS = ["tokenizers", "models", "forward", "preferences", "adapters"]
EARLIER = "dpo_legacy.json"


def make(output: common.Output, trl0_python: pathlib.Path | None):
    import importlib

    for name in SECTIONS:
        print(name, flush=True)
        importlib.import_module(f"generator.{name}").make(output)
    if trl0_python:
        print("preferences, TRL 0.19", flush=True)
        subprocess.run([trl0_python, __file__, "--earlier", output.folder], check=True)
        output.written.add(EARLIER)
    else:
        print(f"left out: {EARLIER}, for which --trl0-python is needed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trl0-python", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="compare with the files that are there; change nothing")
    parser.add_argument("--earlier", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    common.quiet()
    if arguments.earlier:
        from generator import preferences

        preferences.make_earlier(common.Output(arguments.earlier))
        return 0
    if not arguments.check:
        make(common.Output(common.HERE), arguments.trl0_python)
        return 0
    compare.self_test(common.HERE)
    with tempfile.TemporaryDirectory() as folder:
        output = common.Output(pathlib.Path(folder))
        make(output, arguments.trl0_python)
        return 1 if compare.compare(common.HERE, output.folder, output.written) else 0


if __name__ == "__main__":
    sys.exit(main())
