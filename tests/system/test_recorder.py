"""The tools that make and replay recordings: a capture that tells about a machine would go unnoticed."""

from __future__ import annotations

import json
import re

import pytest
from matching import unmatched, wrong_totals
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from replay import CAPTURES
from scrub import newest_time, scrub, shift, trace_ids

_BODIES = sorted(CAPTURES.glob("*/*.otlp"))


def _request() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="host.name").value.string_value = "somebodys-machine"
    resource.resource.attributes.add(key="process.pid").value.int_value = 4711
    span = resource.scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="chat")
    span.start_time_unix_nano, span.end_time_unix_nano = 1_000, 2_000
    span.attributes.add(key="gen_ai.prompt").value.string_value = "see /home/somebody/notes.txt"
    span.events.add(name="exception", time_unix_nano=1_500)
    return request


def test_a_recording_tells_nothing_about_the_machine() -> None:
    body = scrub("traces", "protobuf", _request().SerializeToString())
    assert b"somebody" not in body
    assert ExportTraceServiceRequest.FromString(body).resource_spans[0].resource.attributes[1].value.int_value == 0


def test_scrubbing_keeps_fields_that_nobody_knows() -> None:
    unknown = b"\xfa\x7f\x03new"  # field 2047, which the protocol does not have
    assert scrub("traces", "protobuf", _request().SerializeToString() + unknown).endswith(unknown)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_recording_moves_in_time_as_a_whole(encoding: str) -> None:
    body = _request().SerializeToString()
    if encoding == "json":
        span = {"traceId": "74" * 16, "startTimeUnixNano": "1000", "endTimeUnixNano": "2000"}
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    moved = shift("traces", encoding, body, 7)
    assert newest_time("traces", encoding, body) == 2_000
    assert newest_time("traces", encoding, moved) == 2_007
    assert trace_ids(encoding, moved) == {"74" * 16}
    assert shift("traces", encoding, moved, -7) == body


@pytest.mark.parametrize("path", _BODIES, ids=lambda path: path.name)
def test_a_kept_capture_names_no_machine(path) -> None:
    text = path.read_bytes()
    assert not re.search(rb"/(?:work|root|home|Users)/|host\.name\W+(?!scrubbed)\w", text)
    assert len(text) < 64 * 1024


def test_every_capture_belongs_to_a_sidecar() -> None:
    listed = set()
    for sidecar in CAPTURES.glob("*/*.json"):
        listed |= {sidecar.parent / request["file"] for request in json.loads(sidecar.read_text())["requests"]}
    assert listed == set(_BODIES)


def test_a_difference_is_seen() -> None:
    shown = [{"span_name": "a", "kind": "llm", "prompt_tokens": 3}, {"span_name": "b", "kind": "tool"}]
    assert not unmatched([{"span_name": "a", "prompt_tokens": 3}, {"kind": "tool", "prompt_tokens": None}], shown)
    assert unmatched([{"span_name": "a", "prompt_tokens": 4}], shown)
    assert unmatched([{"span_name": "a", "prompt_tokens": None}], shown)
    assert unmatched([{"kind": "tool"}, {"kind": "tool"}], shown), "one span must not count twice"
    assert unmatched([{"kind": "llm", "output_text": "*"}], shown)
    assert wrong_totals({"prompt_tokens": 6}, shown)
    assert not wrong_totals({"prompt_tokens": 3}, shown)
