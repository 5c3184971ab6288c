"""Real clients, live: the Python and Node exporters, one instrumentation of each core convention, and curl.

The whole matrix is `make interop`; this is the part of it that every day must show.
"""

from __future__ import annotations

import gzip
import json
import secrets
import subprocess
import time
from pathlib import Path

import pytest
import zstandard
from cases import CASES
from daily import DailyEnvironments
from harness import SETTLE_SECONDS, Observatory
from live import run_live
from scrub import MESSAGES

_DAILY = (
    "otel-sdk/opentelemetry-sdk-grpc-none",
    "otel-sdk/opentelemetry-sdk-grpc-gzip",
    "otel-sdk/opentelemetry-sdk-http-none",
    "otel-sdk/opentelemetry-sdk-http-gzip",
    "otel-sdk/@opentelemetry/exporter-trace-otlp-grpc-grpc-gzip",
    "otel-sdk/@opentelemetry/exporter-trace-otlp-proto-http-gzip",
    "otel-sdk/@opentelemetry/exporter-trace-otlp-http-json-none",
    "otel-genai/opentelemetry-instrumentation-genai-openai-latest-stream",
    "openinference/openinference-instrumentation-openai-tools",
    "openllmetry/opentelemetry-instrumentation-openai-chat",
)


@pytest.mark.parametrize("case_id", _DAILY)
def test_a_client_is_understood(observatory: Observatory, environments: DailyEnvironments, case_id: str) -> None:
    (case,) = [case for case in CASES if case.id == case_id]
    run_live(observatory, environments, case)


def _export(now: int) -> tuple[str, str, dict]:
    """Trace id, service name, and an export of one model call, as OTLP/JSON."""
    trace, service = secrets.token_hex(16), f"curl-{secrets.token_hex(4)}"
    attributes = {
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.provider.name": {"stringValue": "openai"},
        "gen_ai.request.model": {"stringValue": "gpt-4o"},
        "gen_ai.usage.input_tokens": {"intValue": "300"},
        "gen_ai.usage.output_tokens": {"intValue": "80"},
    }
    span = {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(now - 2_000_000_000),
        "endTimeUnixNano": str(now),
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return trace, service, {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def _as_protobuf(export: dict) -> bytes:
    request = MESSAGES["traces"]()
    span = export["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    resource = request.resource_spans.add()
    for pair in export["resourceSpans"][0]["resource"]["attributes"]:
        resource.resource.attributes.add(key=pair["key"]).value.string_value = pair["value"]["stringValue"]
    made = resource.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(span["traceId"]),
        span_id=bytes.fromhex(span["spanId"]),
        name=span["name"],
        kind=span["kind"],
        start_time_unix_nano=int(span["startTimeUnixNano"]),
        end_time_unix_nano=int(span["endTimeUnixNano"]),
    )
    for pair in span["attributes"]:
        value = made.attributes.add(key=pair["key"]).value
        if "intValue" in pair["value"]:
            value.int_value = int(pair["value"]["intValue"])
        else:
            value.string_value = pair["value"]["stringValue"]
    return request.SerializeToString()


_ENCODINGS = {
    "protobuf": ("application/x-protobuf", _as_protobuf),
    "json": ("application/json", lambda export: json.dumps(export).encode()),
    "json_with_charset": ("application/json; charset=utf-8", lambda export: json.dumps(export).encode()),
}
_COMPRESSIONS = {
    "identity": lambda body: body,
    "gzip": gzip.compress,
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
}


@pytest.mark.parametrize("compression", _COMPRESSIONS)
@pytest.mark.parametrize("encoding", _ENCODINGS)
@pytest.mark.parametrize("port", ["otlp_http", "otlp_grpc"])
def test_curl_delivers_to_either_port(
    observatory: Observatory, tmp_path: Path, port: str, encoding: str, compression: str
) -> None:
    content_type, encode = _ENCODINGS[encoding]
    trace, service, export = _export(time.time_ns())
    body = tmp_path / "body"
    body.write_bytes(_COMPRESSIONS[compression](encode(export)))
    address = observatory.otlp_http if port == "otlp_http" else f"http://{observatory.otlp_grpc}"
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--write-out", "\n%{http_code} %{content_type}"]
    command += ["--header", f"content-type: {content_type}", "--data-binary", f"@{body}"]
    if compression != "identity":
        command += ["--header", f"content-encoding: {compression}"]
    ran = subprocess.run([*command, f"{address}/v1/traces"], capture_output=True, text=True, check=False, timeout=30)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answer, _, told = ran.stdout.rpartition("\n")
    assert answer == ("" if encoding == "protobuf" else "{}")
    status, _, answered_type = told.partition(" ")
    assert (status, answered_type.split(";")[0]) == ("200", content_type.split(";")[0])

    deadline = time.monotonic() + SETTLE_SECONDS
    while not (shown := observatory.calls(trace_id=trace)):
        assert time.monotonic() < deadline, "the span does not appear"
        time.sleep(0.05)
    assert [(row["service_name"], row["model"], row["total_tokens"]) for row in shown] == [(service, "gpt-4o", 380)]
