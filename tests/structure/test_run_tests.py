"""The last line of `make test` counts what happened: also what crashed, was skipped, or never ran."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import run_tests  # noqa: E402
from run_tests import Count  # noqa: E402

_REPORT = '<testsuites><testsuite name="S">{}</testsuite></testsuites>'
_PASSED = '<testcase name="a" status="run"/>'
_FAILED = '<testcase name="b" status="run"><failure message="no"/></testcase>'
_SKIPPED = '<testcase name="c" status="run"><skipped message="not here"/></testcase>'
_DISABLED = '<testcase name="d" status="notrun"/>'

# What test programs do, as shell: GoogleTest writes its report where GTEST_OUTPUT says.
_WRITES = "printf '%s' '{report}' >\"${{GTEST_OUTPUT#xml:}}{name}.xml\""


def _program(name: str, *cases: str, exit_code: int = 0) -> str:
    return f"{_WRITES.format(report=_REPORT.format(''.join(cases)), name=name)}; exit {exit_code}"


_RUNS = {
    "all_pass": ([_program("a_test", _PASSED, _PASSED), _program("b_test", _PASSED)], Count(passed=3)),
    "one_case_fails": ([_program("a_test", _PASSED, _FAILED, exit_code=1)], Count(passed=1, failed=1)),
    "skipped_is_not_passed": ([_program("a_test", _PASSED, _SKIPPED, _DISABLED)], Count(passed=1, skipped=2)),
    "a_crash_without_a_report_fails": ([_program("a_test", _PASSED), "kill -SEGV $$"], Count(passed=1, failed=1)),
    "a_crash_at_the_end_fails": ([_program("a_test", _PASSED, exit_code=3)], Count(passed=1, failed=1)),
    "a_plain_program_counts_as_one": (["exit 0", "exit 1"], Count(passed=1, failed=1)),
    "no_test_at_all_fails": ([], Count(failed=1)),
}


@pytest.mark.parametrize("run", _RUNS)
def test_programs_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    programs, expected = _RUNS[run]
    monkeypatch.setattr(run_tests, "RESULTS", tmp_path / "results")
    for number, script in enumerate(programs):
        (tmp_path / f"{number}.sh").write_text(script)
    (tmp_path / "CTestTestfile.cmake").write_text(
        "".join(f"add_test(t{n} bash {tmp_path}/{n}.sh)\n" for n in range(len(programs)))
    )
    assert run_tests.run_ctest(tmp_path, "unit") == expected


_SUITES = {
    "green": ({"lint": Count(passed=1), "build": Count(passed=1), "unit": Count(passed=5)}, "7 passed, 0 failed", 0),
    "red": ({"build": Count(passed=1), "unit": Count(passed=4, failed=1)}, "5 passed, 1 failed", 1),
    "not_built": ({"build": Count(failed=1), "unit": Count(passed=5)}, "0 passed, 2 failed", 1),
    "nothing_ran": ({"unit": Count()}, "0 passed, 0 failed", 1),
}


@pytest.mark.parametrize("suites", _SUITES)
def test_the_last_line_sums_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], suites: str
) -> None:
    counts, line, code = _SUITES[suites]
    monkeypatch.setattr(run_tests, "SUITES", {name: lambda name=name: counts[name] for name in counts})
    assert run_tests.main(list(counts)) == code
    assert capsys.readouterr().out.splitlines()[-1] == line
