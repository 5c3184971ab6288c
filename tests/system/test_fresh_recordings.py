"""A recording made today normalises like the one that is kept: so the kept ones stand for the clients they name."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import record
from cases import CASES
from daily import DailyEnvironments
from harness import SETTLE_SECONDS, Observatory
from matrix import Case
from replay import CAPTURES, replay

_CASES = (
    "otel-genai/opentelemetry-instrumentation-genai-openai-latest-chat-both",
    "openinference/openinference-instrumentation-openai-stream",
    "openllmetry/opentelemetry-instrumentation-openai-tools",
    "otel-sdk/@opentelemetry/exporter-trace-otlp-http-json-none",
)
# What differs from run to run, and what holds the client's own versions.
_VARYING = {
    "ts", "timestamp", "trace_id", "span_id", "parent_span_id", "duration_ms", "latency_ms", "ttft_ms",
    "time_to_first_token_ms", "tokens_per_second", "attributes", "metadata", "resource", "events", "scope_version",
}  # fmt: skip


def _case(case_id: str) -> Case:
    return next(case for case in CASES if case.id == case_id)


def _kept(case: Case) -> Path:
    for sidecar in (CAPTURES / case.convention).glob("*.json"):
        told = json.loads(sidecar.read_text())
        if (told["client"], told["case"]) == (case.client, case.name):
            return sidecar
    raise AssertionError(f"{case.id} was never recorded")


def _normalised(observatory: Observatory, sidecar: Path, spans: int) -> list[str]:
    traces = replay(observatory, sidecar)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        rows = [row for trace in traces for row in observatory.spans(trace_id=trace)]
        if len(rows) == spans:
            break
        assert time.monotonic() < deadline, f"{sidecar.name}: {len(rows)} of {spans} spans"
        time.sleep(0.05)
    return sorted(json.dumps({k: v for k, v in row.items() if k not in _VARYING}, sort_keys=True) for row in rows)


@pytest.mark.parametrize("case_id", _CASES)
def test_a_fresh_recording_normalises_like_the_kept_one(
    observatory: Observatory,
    environments: DailyEnvironments,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case_id: str,
) -> None:
    case = _case(case_id)
    monkeypatch.setattr(record, "CAPTURES", tmp_path)
    fresh = record.record(case, environments)
    kept = _kept(case)
    assert _normalised(observatory, fresh, len(case.expect)) == _normalised(observatory, kept, len(case.expect))
