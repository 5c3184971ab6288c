"""`make interop`: the whole matrix, live. A client that is not installed fails, it is not skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cases import CASES
from harness import Observatory, request
from live import run_live
from matrix import Case
from run_case import Environments

_ENVIRONMENTS = Environments(Path(os.environ.get("INTEROP_ENVIRONMENTS", Environments.default_root)))


_ACCEPTED = {
    "traces": "collector_spans_received_total",
    "logs": "collector_logs_received_total",
    "metrics": "collector_metric_points_received_total",
}
_REFUSED = ("collector_refused_requests_total", "collector_unreadable_requests_total")


def _counters(observatory: Observatory) -> dict[str, float]:
    """What our own metrics say about what came in."""
    lines = request("GET", observatory.api + "/metrics").body.decode().splitlines()
    named = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    wanted = {*_ACCEPTED.values(), *_REFUSED}
    return {name: float(value) for name, value in named if name in wanted}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_client_is_understood(observatory: Observatory, case: Case) -> None:
    if not _ENVIRONMENTS.has(case):
        pytest.fail(f"{_ENVIRONMENTS.program(case)} is not there: tests/interop/setup says why")
    before = _counters(observatory)
    run_live(observatory, _ENVIRONMENTS, case)
    after = _counters(observatory)
    missing = [signal for signal in case.signals if after[_ACCEPTED[signal]] == before[_ACCEPTED[signal]]]
    assert not missing, f"{case.id}: none of its {', '.join(missing)} were accepted"
    assert [after[name] for name in _REFUSED] == [before[name] for name in _REFUSED]
