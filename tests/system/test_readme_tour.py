"""The tour of README.md, executed as it is written: every command runs, every answer shown is the one that comes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from harness import PROGRAM, ROOT, SETTLE_SECONDS, Observatory, wait_for

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _tour() -> list[tuple[str, str]]:
    """Language and text of each block, in their order."""
    (section,) = re.findall(r"^## A tour.*?(?=^## )", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return _BLOCK.findall(section)


def _missing(shown: object, answer: object, at: str = "") -> list[str]:
    """What is shown and is not in the answer; the answer may hold more fields, but not more rows."""
    if isinstance(shown, dict) and isinstance(answer, dict):
        return [gap for key in shown for gap in _missing(shown[key], answer.get(key), f"{at}.{key}")]
    if isinstance(shown, list) and isinstance(answer, list) and len(shown) == len(answer):
        return [gap for i, row in enumerate(shown) for gap in _missing(row, answer[i], f"{at}[{i}]")]
    return [] if shown == answer else [f"{at}: README shows {shown!r}, the answer is {answer!r}"]


class _Reader:
    """Does what a reader of the tour does: the shell keeps the variables of the first block."""

    def __init__(self, observatory: Observatory, directory: Path) -> None:
        self._directory = directory
        self._environment = os.environ | {
            "API": observatory.api,
            "OTLP": observatory.otlp_http,
            "OTEL_EXPORTER_OTLP_ENDPOINT": observatory.otlp_http,
        }
        self._environment.pop("TOKEN", None)
        self._variables = ""

    def _run(self, *command: str) -> str:
        ran = subprocess.run(
            command,
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, f"{command[-1]}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def shell(self, text: str) -> str:
        told = self._run("bash", "-euc", self._variables + text)
        self._variables = self._variables or text
        return told

    def python(self, text: str) -> None:
        self._run(sys.executable, "-c", text)

    def expects(self, command: str, shown: str) -> None:
        """Data is visible shortly after it was acknowledged, so the reader asks again until it is."""
        expected, gaps = json.loads(shown), ["never answered"]

        def as_shown() -> bool:
            told = self.shell(command)
            try:
                gaps[:] = _missing(expected, json.loads(told))
            except json.JSONDecodeError:
                gaps[:] = [f"no JSON: {told!r}"]
            return not gaps

        try:
            wait_for(command, as_shown, SETTLE_SECONDS)
        finally:
            assert not gaps, "\n".join([command, *gaps])


def test_the_tour_works_as_written(observatory: Observatory, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "observatory").symlink_to(PROGRAM)
    (tmp_path / "observatory-data").symlink_to(observatory.data)
    blocks, reader = _tour(), _Reader(observatory, tmp_path)
    assert [kind for kind, _ in blocks].count("json") >= 4
    for (kind, text), (next_kind, next_text) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python":
            reader.python(text)
        elif kind == "sh" and next_kind == "json":
            reader.expects(text, next_text)
        elif kind == "sh":
            reader.shell(text)
        else:
            assert kind == "json", f"the tour has a block of {kind}, which this test does not run"
