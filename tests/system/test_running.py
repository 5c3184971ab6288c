"""Work that has begun and has not ended: shown while it runs, also after a restart, and gone when it ends."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from harness import Observatory, wait_for
from otlp import SECOND, Export, model_call


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Observatory]:
    """One that calls a trace stuck after a second."""
    program = Observatory(tmp_path / "data", ["--stuck-after", "1s"])
    program.start()
    yield program
    program.stop()


def _running(program: Observatory, **parameters: object) -> dict[str, str]:
    """Span id and state."""
    answer = program.get("/api/v1/running-spans", **parameters)
    assert answer.status == 200, answer.body
    return {each["span_id"]: each["state"] for each in answer.json["data"]}


def _without_an_end(trace: bytes, span: bytes) -> tuple[str, bytes]:
    export = Export()
    export.span(trace_id=trace, span_id=span, end_time_unix_nano=0)
    return "traces", export.body


def _placeholder(trace: bytes, span: bytes) -> tuple[str, bytes]:
    """As Logfire announces a span: a span of its own below it, with no length."""
    export, now = Export(), time.time_ns()
    named = {"logfire.span_type": "pending_span", "logfire.pending_parent_id": "0" * 16}
    export.span(
        model_call() | named,
        trace_id=trace,
        span_id=secrets.token_bytes(8),
        parent_span_id=span,
        start_time_unix_nano=now,
        end_time_unix_nano=now,
    )
    return "traces", export.body


def _heartbeat(trace: bytes, span: bytes) -> tuple[str, bytes]:
    """As processors of partial spans tell of a span: a log record with it as OTLP/JSON in its body."""
    export = Export()
    export.span(trace_id=trace, span_id=span, end_time_unix_nano=0)
    request = MessageToDict(export.request)
    (sent,) = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    # Ids are hex in OTLP/JSON, base64 in the JSON of protobuf.
    sent["traceId"], sent["spanId"] = trace.hex(), span.hex()
    text = json.dumps({"resourceSpans": request["resourceSpans"]}, separators=(",", ":"))
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text},
              "attributes": [{"key": "span.state", "value": {"stringValue": "heartbeat"}}]}  # fmt: skip
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    return "logs", json.dumps(logs).encode()


@pytest.mark.parametrize("announce", [_without_an_end, _placeholder, _heartbeat], ids=lambda each: each.__name__[1:])
def test_a_span_runs_until_it_ends(
    observatory: Observatory, announce: Callable[[bytes, bytes], tuple[str, bytes]]
) -> None:
    trace, span = secrets.token_bytes(16), secrets.token_bytes(8)
    signal, body = announce(trace, span)
    content_type = "application/json" if body.startswith(b"{") else "application/x-protobuf"
    assert observatory.send(signal, body, content_type).status == 200
    wait_for("it is shown", lambda: _running(observatory).get(span.hex()) == "running")
    answer = observatory.get(f"/api/v1/traces/{trace.hex()}", include="children").json["data"]
    assert (answer["span_id"], answer["running"], answer["state"]) == (span.hex(), True, "running")

    end = Export()
    end.span(trace_id=trace, span_id=span)
    assert observatory.send("traces", end.body).status == 200
    wait_for("it has ended", lambda: span.hex() not in _running(observatory))
    (stored,) = wait_for("it is stored", lambda: observatory.spans(trace_id=trace.hex()))
    assert "running" not in stored


def test_a_trace_that_is_silent_is_stuck_until_it_is_heard_of(impatient: Observatory) -> None:
    trace, root, child = secrets.token_bytes(16), secrets.token_bytes(8), secrets.token_bytes(8)
    impatient.send(*_without_an_end(trace, root))
    wait_for("it is stuck", lambda: _running(impatient, state="stuck") == {root.hex(): "stuck"})
    shown = impatient.get(f"/api/v1/traces/{trace.hex()}", include="children").json["data"]
    assert (shown["state"], shown["stuck"]) == ("stuck", True)
    news = Export()
    news.span(trace_id=trace, span_id=child, parent_span_id=root)
    impatient.send("traces", news.body)
    wait_for("it runs", lambda: _running(impatient, state="running") == {root.hex(): "running"})


@pytest.mark.parametrize("end", [Observatory.stop, Observatory.kill], ids=["stop", "kill"])
def test_what_runs_is_known_after_a_restart(tmp_path: Path, end: Callable[[Observatory], None]) -> None:
    program = Observatory(tmp_path / "data")
    program.start()
    trace, span = secrets.token_bytes(16), secrets.token_bytes(8)
    program.send(*_without_an_end(trace, span))
    wait_for("it is shown", lambda: span.hex() in _running(program))
    end(program)
    program.start()
    wait_for("it is shown again", lambda: span.hex() in _running(program))
    program.stop()


def test_a_span_whose_parent_never_came_is_orphaned(observatory: Observatory) -> None:
    trace, root, lost = secrets.token_bytes(16), secrets.token_bytes(8), secrets.token_bytes(8)
    now = time.time_ns()
    export = Export()
    export.span(trace_id=trace, span_id=root, start_time_unix_nano=now - 3 * SECOND)
    export.span(trace_id=trace, span_id=lost, parent_span_id=secrets.token_bytes(8))
    assert observatory.send("traces", export.body).status == 200
    path = f"/api/v1/traces/{trace.hex()}"

    def shown() -> dict:
        return observatory.get(path, include="children").json.get("data", {})

    wait_for("both are there", lambda: shown().get("span_count") == 2)
    spans = shown()["spans"]
    assert {each["span_id"]: each.get("orphaned", False) for each in spans} == {root.hex(): False, lost.hex(): True}
