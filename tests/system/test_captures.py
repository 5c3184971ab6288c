"""Replays what real clients sent and asks our API what it made of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import SETTLE_SECONDS, Observatory, wait_for
from matching import unmatched, wrong_totals
from replay import CAPTURES, Recorded, as_of_now, deliver, recorded, replay, traces_of, with_other_trace_ids

SIDECARS = sorted(CAPTURES.glob("*/*.json"))


def name_of(sidecar: Path) -> str:
    return f"{sidecar.parent.name}/{sidecar.stem}"


def kept(name: str) -> Path:
    """The capture whose name contains this text."""
    (sidecar,) = [path for path in SIDECARS if name in name_of(path)]
    return sidecar


def complaints(observatory: Observatory, sidecar: Path, traces: set[str]) -> list[str]:
    expected = json.loads(sidecar.read_text())
    spans = [span for trace in traces for span in observatory.spans(trace_id=trace)]
    calls = [call for trace in traces for call in observatory.calls(trace_id=trace)]
    return unmatched(expected["expect"], spans) + wrong_totals(expected["totals"], calls)


def expect_understood(observatory: Observatory, sidecar: Path, traces: set[str], deadline: float) -> None:
    while wrong := complaints(observatory, sidecar, traces):
        if time.monotonic() > deadline:
            pytest.fail("\n".join(wrong))
        time.sleep(0.1)


@dataclass(frozen=True)
class Replayed:
    traces: dict[Path, set[str]]
    settled: float  # on the monotonic clock: from then on nothing may change any more


@pytest.fixture(scope="module")
def replayed(observatory: Observatory) -> Replayed:
    """All captures at once: so they settle together, and must not disturb each other."""
    traces = {sidecar: replay(observatory, sidecar) for sidecar in SIDECARS}
    return Replayed(traces, time.monotonic() + SETTLE_SECONDS)


def test_there_are_captures_of_every_convention() -> None:
    conventions = {"otel-genai", "openinference", "openllmetry", "openlit", "vercel-ai", "langfuse", "mlflow"}
    conventions |= {"langsmith", "pydantic-ai", "litellm", "strands", "haystack", "google-adk", "otel-sdk"}
    assert conventions <= {sidecar.parent.name for sidecar in SIDECARS}


@pytest.mark.parametrize("sidecar", SIDECARS, ids=name_of)
def test_a_capture_is_understood(observatory: Observatory, replayed: Replayed, sidecar: Path) -> None:
    expect_understood(observatory, sidecar, replayed.traces[sidecar], replayed.settled)


def _flattened(spans: list[dict], parent: str | None = None) -> list[tuple[str, str | None]]:
    flat = []
    for span in spans:
        if parent is not None:
            assert span["parent_span_id"] == parent
        flat.append((span["span_id"], span.get("parent_span_id")))
        flat += _flattened(span.get("children", []), span["span_id"])
    return flat


@pytest.mark.parametrize("sidecar", SIDECARS, ids=name_of)
def test_a_trace_is_shown_as_one_tree(observatory: Observatory, replayed: Replayed, sidecar: Path) -> None:
    for trace in replayed.traces[sidecar]:
        rows = observatory.spans(trace_id=trace)
        answer = observatory.get(f"/api/v1/traces/{trace}", include="children")
        assert answer.status == 200, answer.body
        shown = _flattened(answer.json["data"]["spans"])
        assert sorted(shown) == sorted((row["span_id"], row.get("parent_span_id")) for row in rows)


@pytest.mark.parametrize("name", ["openai-v2-2.4b0-chat", "genai-openai-1.3b0-latest-chat-event"])
def test_content_that_comes_before_its_span_is_joined_to_it(observatory: Observatory, name: str) -> None:
    (sidecar,) = [path for path in SIDECARS if path.stem.endswith(name)]
    requests = with_other_trace_ids(as_of_now(recorded(sidecar)))
    assert [request.signal for request in requests] == ["traces", "logs"]
    deliver(observatory, reversed(requests))
    expect_understood(observatory, sidecar, traces_of(requests), time.monotonic() + SETTLE_SECONDS)


def test_a_resent_span_is_stored_once(observatory: Observatory) -> None:
    sidecar = kept("openinference-instrumentation-langchain-0.1.80-agent")
    requests = with_other_trace_ids(as_of_now(recorded(sidecar)))
    (trace,) = traces_of(requests)
    deliver(observatory, requests)
    spans = wait_for("the trace is visible", lambda: observatory.spans(trace_id=trace))
    # Not the same bytes, so the request is a new one; but its spans are known.
    deliver(observatory, [Recorded(r.signal, r.encoding, r.body + b"\xfa\x7f\x03new") for r in requests])
    expect_understood(observatory, sidecar, {trace}, time.monotonic() + SETTLE_SECONDS)
    again = observatory.spans(trace_id=trace)
    assert sorted(row["span_id"] for row in again) == sorted(row["span_id"] for row in spans)
