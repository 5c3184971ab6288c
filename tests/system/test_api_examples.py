"""The commands of docs/api.md, run one after another as they are written, against a server of the test."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from harness import PROGRAM, ROOT, Observatory

_PAGE = (ROOT / "docs" / "api.md").read_text()
_COMMANDS = re.findall(r"^```sh\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
_ANSWERS = re.findall(r"^```json\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    assert len(_COMMANDS) >= 2


@pytest.mark.parametrize("shown", _ANSWERS)
def test_what_is_shown_is_json(shown: str) -> None:
    json.loads(shown.replace("…", ""))


def test_the_examples_work(observatory: Observatory, tmp_path: Path) -> None:
    program = tmp_path / "observatory"
    program.write_text(f'#!/bin/sh\nexec "{PROGRAM}" "$@" --data "{observatory.data}"\n')
    program.chmod(0o755)
    script = "\n".join(_COMMANDS).replace("http://localhost:8080", observatory.api)
    script = re.sub(r"\bcurl ", "curl --silent --show-error --fail-with-body ", script)
    ran = subprocess.run(
        ["bash", "-euc", f'PATH="{tmp_path}:$PATH"\nexport LLMOBS_API_URL={observatory.api}\n{script}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
