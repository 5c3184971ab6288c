#!/usr/bin/env python3
"""Builds everything, runs every suite and counts: what `make test` does after the set-up.

    run_tests.py [suite ...]          lint build unit bugs wire sanitize-short; by default all of them
    run_tests.py sanitize             every unit test under the sanitizers: address and undefined, then thread

Each suite says how long it took. The last line is `N passed, N failed`, summed over all suites; a suite that could not
run is one failure, so that nothing is green because it is missing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
RESULTS = BUILD / "test-results"
JOBS = os.environ.get("JOBS", str(os.cpu_count() or 1))
# Nothing may hang: a suite that takes longer than this is ended and counts as failed.
SUITE_SECONDS = 30 * 60
TEST_PROGRAM_SECONDS = 600


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def run(*command: object, cwd: Path = ROOT, **environment: str) -> bool:
    """Whether the command succeeded; its output is the reader's."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(SUITE_SECONDS) == 0
    except subprocess.TimeoutExpired:
        print(f"{command[0]}: still running after {SUITE_SECONDS} s, ended", flush=True)
        return False
    finally:
        # Whatever it started goes with it, also when this program is interrupted.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def one(succeeded: bool) -> Count:
    return Count(passed=1) if succeeded else Count(failed=1)


def counted(report: Path) -> Count:
    """What a JUnit report says; GoogleTest, ctest and pytest each write one."""
    count = Count()
    for case in ElementTree.parse(report).iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            count.failed += 1
        elif "skipped" in outcomes or case.get("status") in {"notrun", "disabled"}:
            count.skipped += 1
        else:
            count.passed += 1
    return count


def configure_and_build(preset: str, *targets: str) -> bool:
    wanted = [part for target in targets for part in ("--target", target)]
    # Going on after the first error shows all of them at once.
    return run("cmake", "--preset", preset, "--log-level=NOTICE") and run(
        "cmake", "--build", "--preset", preset, f"-j{JOBS}", *wanted, "--", "-k0"
    )


def run_ctest(build: Path, name: str, *options: str, **environment: str) -> Count:
    folder = RESULTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    programs_report = RESULTS / f"{name}.xml"
    programs_report.unlink(missing_ok=True)
    ctest = ["ctest", "--test-dir", build, f"-j{JOBS}", "--output-on-failure", "--no-tests=error"]
    ctest += ["--timeout", TEST_PROGRAM_SECONDS, "--output-junit", programs_report, *options]
    succeeded = run(*ctest, GTEST_OUTPUT=f"xml:{folder}/", **environment)
    reports = [counted(report) for report in sorted(folder.glob("*.xml"))]
    count = sum(reports, Count())
    programs = counted(programs_report) if programs_report.exists() else Count()
    # A program that crashed writes no report and one that is no GoogleTest never does: each counts as one test.
    count.failed += max(0, programs.failed - sum(report.failed > 0 for report in reports))
    count.passed += max(0, programs.passed - sum(report.failed == 0 for report in reports))
    if not succeeded and count.failed == 0:
        count.failed = 1
    return count


def lint() -> Count:
    return one(run(sys.executable, "tools/lint.py", "format")) + one(run(sys.executable, "tools/lint.py", "python"))


def build() -> Count:
    # What nobody runs every day is built every day all the same, or it is broken when it is wanted.
    return one(configure_and_build("release", "all", "benchmarks"))


def unit() -> Count:
    return run_ctest(BUILD, "unit")


def bugs() -> Count:
    return one(run(sys.executable, "tools/lint.py", "bugs"))


def wire() -> Count:
    report = RESULTS / "wire.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    # One server a file: tests of a file share it, files run side by side.
    pytest = [BUILD / "venv" / "bin" / "python", "-m", "pytest", "--quiet", "-n", JOBS, "--dist", "loadfile"]
    succeeded = run(*pytest, f"--junitxml={report}", "-o", "junit_logging=no", cwd=ROOT / "tests")
    count = counted(report) if report.exists() else Count()
    if not succeeded and count.failed == 0:
        count.failed = 1
    return count


# Reports go to the test's output; the first one ends the program.
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


# Where bytes of strangers are read and memory is laid out by hand: what the address pass of every day looks at.
SHORT_PASS = ("base", "model", "net", "decode", "text", "pricing", "enrich", "journal")


def sanitized(preset: str, folders: tuple[str, ...] = ()) -> Count:
    """The unit tests of these folders, or of all, built by a preset with sanitizers."""
    programs = [f"{folder}_test" for folder in folders if list((ROOT / "src" / folder).glob("*_test.cpp"))]
    if not configure_and_build(preset, *(programs or ["unit_tests"])):
        return Count(failed=1)
    names = ["--tests-regex", f"^({'|'.join(folders)})$"] if folders else []
    return run_ctest(BUILD / preset, preset, *names, **SANITIZER_OPTIONS)


def sanitize_short() -> Count:
    return sanitized("asan", SHORT_PASS)


def sanitize() -> Count:
    return sanitized("asan") + sanitized("tsan")


SUITES: dict[str, Callable[[], Count]] = {
    "lint": lint,
    "build": build,
    "unit": unit,
    "bugs": bugs,
    "wire": wire,
    "sanitize-short": sanitize_short,
    "sanitize": sanitize,
}
DAILY = ("lint", "build", "unit", "bugs", "wire", "sanitize-short")
NEED_THE_BUILD = {"unit", "bugs", "wire"}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"unknown suite {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    times: list[tuple[str, Count, float]] = []
    built = True
    for name in names or DAILY:
        print(f"== {name}", flush=True)
        start = time.monotonic()
        if name in NEED_THE_BUILD and not built:
            print("not run, because the build failed", flush=True)
            count = Count(failed=1)
        else:
            count = SUITES[name]()
        if name == "build":
            built = count.failed == 0
        times.append((name, count, time.monotonic() - start))
        print(f"== {name}: {count} ({times[-1][2]:.0f} s)", flush=True)

    print()
    for name, count, seconds in times:
        print(f"{name:15} {seconds:5.0f} s  {count}")
    total = sum((count for _, count, _ in times), Count())
    if total.skipped:
        print(f"{total.skipped} skipped")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
