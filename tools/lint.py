#!/usr/bin/env python3
"""Looks at the sources without running them.

    lint.py [--fix] [format] [python] [bugs]

format  C++ is as clang-format 19 would write it
python  ruff: its checks and its format
bugs    clang-tidy 19 over the program's sources, with the flags of build/compile_commands.json; what was clean and has
        not changed since, headers included, is not read again

Without names all of them. `--fix` rewrites instead of complaining, where that is possible.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
JOBS = int(os.environ.get("JOBS", os.cpu_count() or 1))
RUFF = ROOT / "build" / "venv" / "bin" / "ruff"
CLEAN = ROOT / "build" / "clang-tidy"


def sources(*endings: str) -> list[Path]:
    """The project's C++ files; what a client of the tests brings in another language is not ours to format."""
    found = [path for folder in ("src", "bench", "tests") for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in found if path.suffix in endings and "node_modules" not in path.parts)


def ran(*command: object) -> bool:
    return (
        subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0
    )


def check_format(fix: bool) -> bool:
    how = ["-i"] if fix else ["--dry-run", "-Werror"]
    return ran("clang-format-19", *how, *sources(".cpp", ".h"))


def check_python(fix: bool) -> bool:
    checked = ran(RUFF, "check", "--quiet", *(["--fix"] if fix else []), ".")
    formatted = ran(RUFF, "format", "--quiet", *([] if fix else ["--diff"]), ".")
    return checked and formatted


def digest(contents: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for content in contents:
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def check_bugs(_fix: bool) -> bool:
    commands = ROOT / "build" / "compile_commands.json"
    if not commands.exists():
        print(f"{commands} is missing: make build", file=sys.stderr)
        return False
    compiled = {Path(entry["file"]) for entry in json.loads(commands.read_text())}
    # Tests and benchmarks take as long again, and a fault there shows itself.
    files = [
        path
        for path in sources(".cpp")
        if path in compiled and path.is_relative_to(ROOT / "src") and not path.stem.endswith(("_test", "_bench"))
    ]
    shared = digest(path.read_bytes() for path in [ROOT / ".clang-tidy", *sources(".h")])
    CLEAN.mkdir(parents=True, exist_ok=True)

    def clean(path: Path) -> bool:
        mark = CLEAN / digest([str(path.relative_to(ROOT)).encode(), path.read_bytes(), shared.encode()])
        if mark.exists():
            return True
        tidy = ["clang-tidy-19", "--quiet", "-p", str(commands.parent), str(path)]
        told = subprocess.run(tidy, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if told.returncode == 0:
            mark.touch()
            return True
        print(told.stdout or told.stderr, end="", file=sys.stderr)
        return False

    with ThreadPoolExecutor(JOBS) as pool:
        results = list(pool.map(clean, files))
    return bool(files) and all(results)


CHECKS = {"format": check_format, "python": check_python, "bugs": check_bugs}


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--fix", action="store_true")
    words.add_argument("checks", nargs="*", choices=[*CHECKS, []], metavar="check")
    asked = words.parse_args()
    failed = [name for name in asked.checks or CHECKS if not CHECKS[name](asked.fix)]
    for name in failed:
        print(f"lint: {name} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
