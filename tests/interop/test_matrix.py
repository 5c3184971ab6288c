"""`make interop`: the whole matrix, live. A client that is not installed fails, it is not skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cases import CASES
from harness import Observatory
from live import run_live
from matrix import Case
from run_case import Environments

_ENVIRONMENTS = Environments(Path(os.environ.get("INTEROP_ENVIRONMENTS", Environments.default_root)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_client_is_understood(observatory: Observatory, case: Case) -> None:
    if not _ENVIRONMENTS.has(case):
        pytest.fail(f"{_ENVIRONMENTS.program(case)} is not there: tests/interop/setup says why")
    run_live(observatory, _ENVIRONMENTS, case)
