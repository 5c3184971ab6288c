"""What the OTLP specification asks of a receiver, over gRPC and HTTP, in both encodings."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import secrets
import time
import zlib
from collections.abc import Iterator

import grpc
import pytest
import zstandard
from harness import Observatory, wait_for
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp import SECOND, Export, model_call

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


@pytest.fixture(params=["otlp_grpc", "otlp_http"])
def channel(observatory: Observatory, request: pytest.FixtureRequest) -> Iterator[grpc.Channel]:
    """Each port takes both kinds of traffic."""
    address = getattr(observatory, request.param).removeprefix("http://")
    options = [("grpc.max_send_message_length", 128 << 20)]
    with grpc.insecure_channel(address, options=options) as opened:
        yield opened


def _call(channel: grpc.Channel, method: str, body: bytes, compression=None) -> bytes:
    return channel.unary_unary(method)(body, timeout=20, compression=compression)


def _refusal(channel: grpc.Channel, method: str, body: bytes) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refused:
        _call(channel, method, body)
    return refused.value


@pytest.mark.parametrize("signal", _METHODS)
def test_an_empty_export_succeeds_over_grpc(channel: grpc.Channel, signal: str) -> None:
    assert _call(channel, _METHODS[signal], b"") == b""


@pytest.mark.parametrize("signal", _METHODS)
@pytest.mark.parametrize(("content_type", "body", "expected"), [(_PROTOBUF, b"", b""), (_JSON, b"{}", b"{}")])
def test_an_empty_export_succeeds_over_http(
    observatory: Observatory, signal: str, content_type: str, body: bytes, expected: bytes
) -> None:
    answer = observatory.send(signal, body, content_type)
    assert (answer.status, answer.body) == (200, expected)
    assert {name.lower(): value for name, value in answer.headers.items()}["content-type"] == content_type


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_span_arrives_over_grpc(observatory: Observatory, channel: grpc.Channel, compression) -> None:
    export = Export()
    export.span()
    assert _call(channel, _METHODS["traces"], export.body, compression) == b""
    (row,) = wait_for("the span is visible", lambda: observatory.spans(service_name=export.service))
    assert row["total_tokens"] == 380


def test_grpc_tells_which_part_was_refused(observatory: Observatory, channel: grpc.Channel) -> None:
    export = Export()
    export.span()
    export.span(trace_id=b"short")
    told = ExportTraceServiceResponse.FromString(_call(channel, _METHODS["traces"], export.body))
    assert told.partial_success.rejected_spans == 1
    assert told.partial_success.error_message
    wait_for("the good span is visible", lambda: len(observatory.spans(service_name=export.service)) == 1)


def test_grpc_refuses_what_it_cannot_read(channel: grpc.Channel) -> None:
    refused = _refusal(channel, _METHODS["traces"], b"\xff\xff\xff")
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.details()


def test_grpc_refuses_a_method_it_does_not_have(channel: grpc.Channel) -> None:
    service = "/opentelemetry.proto.collector.trace.v1.TraceService/Import"
    assert _refusal(channel, service, b"").code() == grpc.StatusCode.UNIMPLEMENTED


def test_grpc_takes_10_mebibytes_and_refuses_65(observatory: Observatory, channel: grpc.Channel) -> None:
    export = Export()
    export.span(model_call(gen_ai__output__messages="x" * (10 << 20)))
    assert _call(channel, _METHODS["traces"], export.body) == b""
    # Without a retry hint: the client must not send it again.
    refused = _refusal(channel, _METHODS["traces"], bytes(65 << 20))
    assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers = dict(refused.trailing_metadata() or ())
    assert "google.rpc.retryinfo-bin" not in trailers
    assert _call(channel, _METHODS["traces"], b"") == b"", "the next call suffers"


def test_grpc_health_is_serving(channel: grpc.Channel) -> None:
    assert _call(channel, "/grpc.health.v1.Health/Check", b"") == b"\x08\x01"  # status: SERVING


def _multi_member_gzip(body: bytes) -> bytes:
    half = len(body) // 2
    return gzip.compress(body[:half]) + gzip.compress(body[half:])


def _zstd_of_two_frames(body: bytes) -> bytes:
    half, packer = len(body) // 2, zstandard.ZstdCompressor()
    return packer.compress(body[:half]) + packer.compress(body[half:])


def _zstd_without_size(body: bytes) -> bytes:
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return packer.compress(body) + packer.flush()


_CODINGS = {
    "gzip": ("gzip", gzip.compress),
    "gzip_of_two_members": ("gzip", _multi_member_gzip),
    "deflate": ("deflate", zlib.compress),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd_of_two_frames": ("zstd", _zstd_of_two_frames),
    "zstd_without_size": ("zstd", _zstd_without_size),
    "named_in_capitals": ("GZIP", gzip.compress),
}


@pytest.mark.parametrize("coding", _CODINGS)
def test_every_usual_compression_is_understood(observatory: Observatory, coding: str) -> None:
    name, compress = _CODINGS[coding]
    export = Export()
    export.span()
    assert observatory.send("traces", compress(export.body), content_encoding=name).status == 200
    wait_for("the span is visible", lambda: observatory.spans(service_name=export.service))


def test_a_body_without_a_length_is_read_to_its_end(observatory: Observatory) -> None:
    export = Export()
    export.span()
    connection = http.client.HTTPConnection(observatory.otlp_http.removeprefix("http://"), timeout=20)
    pieces = [export.body[start : start + 7] for start in range(0, len(export.body), 7)]
    for _ in range(2):  # the second time on the same connection
        connection.request("POST", "/v1/traces", iter(pieces), {"content-type": _PROTOBUF}, encode_chunked=True)
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (200, b"")
    connection.close()
    wait_for("the span is visible", lambda: len(observatory.spans(service_name=export.service)) == 1)


_EXTREMES = {
    "largest": {"intValue": str(2**63 - 1)},
    "smallest": {"intValue": str(-(2**63))},
    "above_the_doubles": {"intValue": str(2**53 + 1)},
    "double": {"doubleValue": 0.1},
    "no_number": {"doubleValue": "NaN"},
    "endless": {"doubleValue": "-Infinity"},
    "bytes": {"bytesValue": base64.b64encode(b"\x00\xff\x10").decode()},
    "list": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}, {"boolValue": True}]}},
    "map": {"kvlistValue": {"values": [{"key": "k", "value": {"kvlistValue": {"values": []}}}]}},
    "empty": {},
    "umlaut": {"stringValue": "Grüße, 世界 \u0001"},
}


def _twin_exports(service: str) -> tuple[bytes, bytes]:
    """The same span as protobuf and as JSON, under different ids."""
    from google.protobuf.json_format import MessageToDict, ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    now = time.time_ns()
    attributes = [{"key": key, "value": value} for key, value in _EXTREMES.items()]
    span = {
        "name": "twin",
        "kind": 3,
        "startTimeUnixNano": str(now - SECOND),
        "endTimeUnixNano": str(now),
        "attributes": attributes,
        "events": [{"name": "e", "timeUnixNano": str(now - 1), "attributes": attributes[:2]}],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}

    def export(trace: str, own: str) -> dict:
        shown = span | {"traceId": trace, "spanId": own}
        return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [shown]}]}]}

    as_json = json.dumps(export(secrets.token_hex(16), secrets.token_hex(8))).encode()
    ids = [base64.b64encode(secrets.token_bytes(size)).decode() for size in (16, 8)]
    request = ParseDict(export(*ids), ExportTraceServiceRequest())
    assert MessageToDict(request), "the official library reads it too"
    return request.SerializeToString(), as_json


def test_protobuf_and_json_are_the_same_to_us(observatory: Observatory) -> None:
    service = f"twins-{secrets.token_hex(4)}"
    as_protobuf, as_json = _twin_exports(service)
    assert observatory.send("traces", as_protobuf).body == b""
    assert observatory.send("traces", as_json, _JSON).body == b"{}"
    rows = wait_for("both are visible", lambda: len(r := observatory.spans(service_name=service)) == 2 and r)
    ours = [{key: value for key, value in row.items() if key not in ("trace_id", "span_id")} for row in rows]
    # As text: a NaN does not equal itself.
    assert json.dumps(ours[0], sort_keys=True) == json.dumps(ours[1], sort_keys=True)
    assert str(ours[0]["attributes"]["largest"]) == str(2**63 - 1)
    assert set(_EXTREMES) <= set(ours[0]["attributes"])


def test_a_child_that_comes_before_its_parent_makes_one_tree(observatory: Observatory) -> None:
    trace, root, child = secrets.token_bytes(16), secrets.token_bytes(8), secrets.token_bytes(8)
    first, second = Export("tree"), Export("tree")
    first.span(trace_id=trace, span_id=child, parent_span_id=root, name="child")
    second.span({}, trace_id=trace, span_id=root, name="root")
    assert observatory.send("traces", first.body).status == 200
    assert observatory.send("traces", second.body).status == 200

    def tree() -> object:
        answer = observatory.get(f"/api/v1/traces/{trace.hex()}", include="children")
        spans = answer.json["data"]["spans"] if answer.status == 200 else []
        return len(spans) == 1 and spans[0].get("children") and spans[0]

    shown = wait_for("both are one tree", tree)
    assert (shown["span_name"], shown["children"][0]["span_name"]) == ("root", "child")


def test_logs_and_metrics_of_every_kind_are_accepted(observatory: Observatory) -> None:
    now = time.time_ns()
    logs = ExportLogsServiceRequest()
    record = logs.resource_logs.add().scope_logs.add().log_records.add(observed_time_unix_nano=now, severity_number=9)
    record.body.string_value = "answered"
    assert observatory.send("logs", logs.SerializeToString()).body == b""

    metrics = ExportMetricsServiceRequest()
    scope = metrics.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="gauge").gauge.data_points.add(time_unix_nano=now, as_double=1.5)
    total = scope.metrics.add(name="sum").sum
    total.aggregation_temporality, total.is_monotonic = 1, True
    total.data_points.add(time_unix_nano=now, as_int=3)
    histogram = scope.metrics.add(name="histogram").histogram
    histogram.aggregation_temporality = 2
    histogram.data_points.add(time_unix_nano=now, count=3, sum=2.5, explicit_bounds=[1.0, 2.0], bucket_counts=[1, 1, 1])
    exponential = scope.metrics.add(name="exponential").exponential_histogram
    exponential.aggregation_temporality = 1
    point = exponential.data_points.add(time_unix_nano=now, count=2, scale=-2, zero_count=1)
    point.positive.offset = -3
    point.positive.bucket_counts.append(1)
    quantiles = scope.metrics.add(name="summary").summary.data_points.add(time_unix_nano=now, count=1, sum=1.0)
    quantiles.quantile_values.add(quantile=0.5, value=1.0)
    assert observatory.send("metrics", metrics.SerializeToString()).body == b""
