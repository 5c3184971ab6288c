"""Replays what real clients sent and asks our API what it made of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from harness import SETTLE_SECONDS, Observatory, wait_for
from matching import unmatched, wrong_totals
from replay import CAPTURES, replay
from scrub import newest_time, shift, trace_ids

SIDECARS = sorted(CAPTURES.glob("*/*.json"))


def name_of(sidecar: Path) -> str:
    return f"{sidecar.parent.name}/{sidecar.stem}"


def complaints(observatory: Observatory, sidecar: Path, traces: set[str]) -> list[str]:
    expected = json.loads(sidecar.read_text())
    spans = [span for trace in traces for span in observatory.spans(trace_id=trace)]
    calls = [call for trace in traces for call in observatory.calls(trace_id=trace)]
    return unmatched(expected["expect"], spans) + wrong_totals(expected["totals"], calls)


@pytest.fixture(scope="module")
def replayed(observatory: Observatory) -> dict[Path, set[str]]:
    """All captures at once: so they settle together, and must not disturb each other."""
    return {sidecar: replay(observatory, sidecar) for sidecar in SIDECARS}


def test_there_are_captures_of_every_convention() -> None:
    conventions = {"otel-genai", "openinference", "openllmetry", "openlit", "vercel-ai", "langfuse", "mlflow"}
    conventions |= {"langsmith", "pydantic-ai", "otel-sdk"}
    assert conventions <= {sidecar.parent.name for sidecar in SIDECARS}


@pytest.mark.parametrize("sidecar", SIDECARS, ids=name_of)
def test_a_capture_is_understood(observatory: Observatory, replayed: dict[Path, set[str]], sidecar: Path) -> None:
    last: list[str] = []

    def understood() -> bool:
        last[:] = complaints(observatory, sidecar, replayed[sidecar])
        return not last

    deadline = time.monotonic() + SETTLE_SECONDS
    while not understood():
        if time.monotonic() > deadline:
            pytest.fail("\n".join(last))
        time.sleep(0.1)


@pytest.mark.parametrize("sidecar", SIDECARS, ids=name_of)
def test_a_trace_is_shown_as_one_tree(observatory: Observatory, replayed: dict[Path, set[str]], sidecar: Path) -> None:
    for trace in replayed[sidecar]:
        rows = observatory.spans(trace_id=trace)
        answer = observatory.get(f"/api/v1/traces/{trace}", include="children")
        assert answer.status == 200, answer.body
        shown = _flattened(answer.json["data"]["spans"])
        assert sorted(shown) == sorted((row["span_id"], row.get("parent_span_id")) for row in rows)


def _flattened(spans: list[dict], parent: str | None = None) -> list[tuple[str, str | None]]:
    flat = []
    for span in spans:
        if parent is not None:
            assert span["parent_span_id"] == parent
        flat.append((span["span_id"], span.get("parent_span_id")))
        flat += _flattened(span.get("children", []), span["span_id"])
    return flat


def test_a_repeated_delivery_is_stored_once(observatory: Observatory) -> None:
    sidecar = next(path for path in SIDECARS if "openinference-instrumentation-openai" in path.name)
    request = json.loads(sidecar.read_text())["requests"][0]
    body = (sidecar.parent / request["file"]).read_bytes()
    moved = shift("traces", "protobuf", body, time.time_ns() - newest_time("traces", "protobuf", body) - 10**9)
    (trace,) = trace_ids("protobuf", body)
    before = len(observatory.spans(trace_id=trace))
    assert observatory.send("traces", moved).status == 200
    after = wait_for("the trace is visible", lambda: len(observatory.spans(trace_id=trace)))
    assert observatory.send("traces", moved).status == 200
    marker = observatory.send("logs", b"")  # whatever was sent before is handled when a later request is answered
    assert marker.status == 200
    assert before <= len(observatory.spans(trace_id=trace)) == after
