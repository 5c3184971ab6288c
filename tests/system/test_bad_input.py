"""What must be refused is refused clearly, what is merely odd is kept and marked, and nothing else suffers."""

from __future__ import annotations

import gzip
import json
import math
import random
import secrets
import socket
import time
import zlib
from collections.abc import Iterable

import pytest
import zstandard
from google.rpc.status_pb2 import Status
from harness import Observatory, request, wait_for
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp import DAY, SECOND, Export, model_call, nested_value, with_attribute

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_MEBI = 1 << 20


def _valid() -> bytes:
    export = Export()
    export.span()
    return export.body


def _zeros_gzip(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(_MEBI)
    return b"".join(packer.compress(block) for _ in range(size // _MEBI)) + packer.flush()


def _zeros_zstd(size: int) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    block = bytes(_MEBI)
    return b"".join(packer.compress(block) for _ in range(size // _MEBI)) + packer.flush()


def _resident_bytes(observatory: Observatory) -> int:
    with open(f"/proc/{observatory.pid}/status") as status:
        (line,) = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


# What is asked, the body, its content type, further headers, the statuses that are right.
_REFUSED = {
    "truncated_protobuf": (lambda: _valid()[:-3], _PROTOBUF, {}, {400}),
    "random_bytes": (lambda: random.Random(7).randbytes(4096), _PROTOBUF, {}, {400}),
    "truncated_json": (lambda: b'{"resourceSpans":[{"scopeSpans":[{', _JSON, {}, {400}),
    "json_that_is_no_object": (lambda: b"[1,2,3]", _JSON, {}, {400}),
    "json_attributes_as_an_object": (
        lambda: b'{"resourceSpans":[{"resource":{"attributes":{"service.name":"x"}}}]}', _JSON, {}, {400},
    ),
    "html": (lambda: b"<html></html>", "text/html", {}, {415}),
    "no_content_type_we_know": (_valid, "application/octet-stream", {}, {415}),
    "unknown_content_encoding": (_valid, _PROTOBUF, {"content_encoding": "br"}, {400, 415}),
    "broken_gzip": (lambda: gzip.compress(_valid())[:-9], _PROTOBUF, {"content_encoding": "gzip"}, {400}),
    "gzip_that_is_none": (_valid, _PROTOBUF, {"content_encoding": "gzip"}, {400}),
    "broken_zstd": (
        lambda: zstandard.ZstdCompressor().compress(_valid())[:-4], _PROTOBUF, {"content_encoding": "zstd"}, {400},
    ),
    "gzip_bomb": (lambda: _zeros_gzip(1 << 30), _PROTOBUF, {"content_encoding": "gzip"}, {400, 413}),
    "zstd_bomb": (lambda: _zeros_zstd(1 << 30), _PROTOBUF, {"content_encoding": "zstd"}, {400, 413}),
    "more_than_64_mebibytes": (lambda: bytes(65 * _MEBI), _PROTOBUF, {}, {413}),
}  # fmt: skip


@pytest.mark.parametrize("what", _REFUSED)
def test_a_bad_request_is_refused_in_its_own_encoding(observatory: Observatory, what: str) -> None:
    make_body, content_type, headers, statuses = _REFUSED[what]
    body = make_body()
    before = _resident_bytes(observatory)
    answer = observatory.send("traces", body, content_type, **headers)
    assert answer.status in statuses, answer.body
    if content_type == _JSON:
        assert json.loads(answer.body)["message"]
    elif content_type == _PROTOBUF:
        assert Status.FromString(answer.body).message
    assert _resident_bytes(observatory) - before < 256 * _MEBI
    assert observatory.send("traces", _valid()).status == 200, "the next request suffers"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/traces", 405), ("POST", "/v1/nothing", 404), ("PUT", "/v1/logs", 405)]
)
def test_a_wrong_route_is_refused(observatory: Observatory, method: str, path: str, status: int) -> None:
    assert request(method, observatory.otlp_http + path, b"", {"content-type": _PROTOBUF}).status == status


def test_a_claimed_length_without_bytes_holds_nobody_up(observatory: Observatory) -> None:
    host, port = observatory.otlp_http.removeprefix("http://").split(":")
    head = f"POST /v1/traces HTTP/1.1\r\nhost: {host}\r\ncontent-type: {_PROTOBUF}\r\ncontent-length: 60000000\r\n\r\n"
    before = _resident_bytes(observatory)
    claims = [socket.create_connection((host, int(port)), timeout=10) for _ in range(16)]
    try:
        for claim in claims:
            claim.sendall(head.encode())
        assert observatory.send("traces", _valid()).status == 200
        # Memory is charged for bytes that came, not for bytes that were promised.
        assert _resident_bytes(observatory) - before < 64 * _MEBI
    finally:
        for claim in claims:
            claim.close()


def test_a_large_body_is_accepted(observatory: Observatory) -> None:
    export = Export()
    export.span(model_call(gen_ai__output__messages="x" * (10 * _MEBI)))
    assert observatory.send("traces", export.body).status == 200
    wait_for("the span is visible", lambda: observatory.spans(service_name=export.service))


def _rejected(answer) -> tuple[int, str]:
    assert answer.status == 200, answer.body
    told = ExportTraceServiceResponse.FromString(answer.body).partial_success
    return told.rejected_spans, told.error_message


_NOW = time.time_ns
_YEAR_2100 = 4_102_444_800 * SECOND
_BAD_SPANS = {
    "trace_id_of_zeros": lambda: {"trace_id": bytes(16)},
    "trace_id_of_15_bytes": lambda: {"trace_id": b"x" * 15},
    "no_trace_id": lambda: {"trace_id": b""},
    "span_id_of_zeros": lambda: {"span_id": bytes(8)},
    "span_id_of_9_bytes": lambda: {"span_id": b"x" * 9},
    "start_in_1970": lambda: {"start_time_unix_nano": 86_400, "end_time_unix_nano": 86_500},
    "start_in_2100": lambda: {"start_time_unix_nano": _YEAR_2100, "end_time_unix_nano": _YEAR_2100 + SECOND},
    "start_200_days_ago": lambda: {
        "start_time_unix_nano": _NOW() - 200 * DAY, "end_time_unix_nano": _NOW() - 200 * DAY + SECOND,
    },
}  # fmt: skip


@pytest.mark.parametrize("what", _BAD_SPANS)
def test_a_bad_span_is_refused_alone(observatory: Observatory, what: str) -> None:
    export = Export()
    export.span(name="before")
    export.span(name="bad", **_BAD_SPANS[what]())
    export.span(name="after")
    rejected, message = _rejected(observatory.send("traces", export.body))
    assert rejected == 1
    assert message
    wait_for("the good spans are visible", lambda: len(observatory.spans(service_name=export.service)) >= 2)
    assert sorted(row["span_name"] for row in observatory.spans(service_name=export.service)) == ["after", "before"]


def _only_span(observatory: Observatory, export: Export, body: bytes | None = None) -> dict:
    assert _rejected(observatory.send("traces", body if body is not None else export.body)) == (0, "")
    (row,) = wait_for("the span is visible", lambda: observatory.spans(service_name=export.service))
    return row


_ODD_USAGE = {
    "negative_tokens": ({"gen_ai__usage__input_tokens": -5}, {"prompt_tokens": None}),
    "absurd_tokens": ({"gen_ai__usage__input_tokens": 1 << 60}, {"prompt_tokens": None}),
    "tokens_as_text": ({"gen_ai__usage__input_tokens": "300"}, {"prompt_tokens": 300}),
    "tokens_that_are_no_number": ({"gen_ai__usage__input_tokens": "many"}, {"prompt_tokens": None}),
    "zero_tokens": ({"gen_ai__usage__input_tokens": 0}, {"prompt_tokens": 0}),
    "a_cost_that_is_no_number": ({"gen_ai__usage__cost": math.nan}, {"prompt_tokens": 300, "client_cost_usd": None}),
    "an_endless_cost": ({"gen_ai__usage__cost": math.inf}, {"prompt_tokens": 300, "client_cost_usd": None}),
}


@pytest.mark.parametrize("what", _ODD_USAGE)
def test_odd_usage_is_unknown_and_not_zero(observatory: Observatory, what: str) -> None:
    attributes, expected = _ODD_USAGE[what]
    export = Export()
    export.span(model_call(**attributes))
    row = _only_span(observatory, export)
    assert {name: row.get(name) for name in expected} == expected


def test_a_span_that_ends_before_it_starts_is_kept_with_its_negative_duration(observatory: Observatory) -> None:
    export, now = Export(), time.time_ns()
    export.span(start_time_unix_nano=now, end_time_unix_nano=now - 250_000_000)
    assert _only_span(observatory, export)["duration_ms"] == -250


def test_bytes_that_are_no_utf8_are_replaced(observatory: Observatory) -> None:
    export = Export()
    export.span(model_call(gen_ai__response__id="PLACEHOLDER"))
    row = _only_span(observatory, export, export.body.replace(b"PLACEHOLDER", b"caf\xc3\x28\xff....."))
    assert "\ufffd" in row["response_id"]


def test_a_deep_attribute_is_cut_and_the_span_kept(observatory: Observatory) -> None:
    export = Export()
    export.span()
    row = _only_span(observatory, export, with_attribute(export.body, "deep", nested_value(1000)))
    assert row["prompt_tokens"] == 300
    assert "deep" in row["attributes"]


def test_100k_attributes_are_cut_and_the_span_kept(observatory: Observatory) -> None:
    export = Export()
    export.span(model_call() | {f"key.{number}": number for number in range(100_000)})
    row = _only_span(observatory, export)
    assert row["prompt_tokens"] == 300
    assert len(row["attributes"]) <= 1024


def test_unknown_fields_are_ignored(observatory: Observatory) -> None:
    export = Export()
    export.span()
    unknown = b"\xfa\x7f\x03new"
    assert _only_span(observatory, export, export.body + unknown)["prompt_tokens"] == 300
    text = (
        '{"resourceSpans":[{"new":1,"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"x","nobody":{"knows":[]},'
        '"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}]}]}]}'
    )
    trace, now = secrets.token_hex(16), time.time_ns()
    body = text % (trace, secrets.token_hex(8), now - SECOND, now)
    assert observatory.send("traces", body.encode(), _JSON).body == b"{}"
    wait_for("the span is visible", lambda: observatory.spans(trace_id=trace))


def test_a_batch_over_200_days_keeps_what_is_young_enough(observatory: Observatory) -> None:
    export, now = Export(), time.time_ns()
    for day in range(200):
        export.span(
            name=f"day {day}", start_time_unix_nano=now - day * DAY, end_time_unix_nano=now - day * DAY + SECOND
        )
    rejected, message = _rejected(observatory.send("traces", export.body))
    assert 105 <= rejected <= 115, "rows are kept for 90 days"
    assert message
    shown = wait_for(
        "the young spans are visible",
        lambda: len(rows := observatory.spans(service_name=export.service)) == 200 - rejected and rows,
        30.0,
    )
    assert {row["span_name"] for row in shown} == {f"day {day}" for day in range(200 - rejected)}


def test_the_same_request_twice_is_stored_once(observatory: Observatory) -> None:
    export = Export()
    for number in range(10):
        export.span(name=f"span {number}")
    for _ in range(3):
        assert _rejected(observatory.send("traces", export.body)) == (0, "")
    _wait_until_later_data_is_visible(observatory)
    assert len(observatory.spans(service_name=export.service)) == 10


def _wait_until_later_data_is_visible(observatory: Observatory) -> None:
    """What was acknowledged before is visible when something that was sent after it is."""
    marker = Export()
    marker.span()
    assert observatory.send("traces", marker.body).status == 200
    wait_for("the marker is visible", lambda: observatory.spans(service_name=marker.service))


# Parameters of the list, and the field that the refusal must name.
_BAD_LISTS = {
    "limit_of_zero": ({"limit": 0}, "limit"),
    "limit_over_1000": ({"limit": 1001}, "limit"),
    "limit_that_is_no_number": ({"limit": "many"}, "limit"),
    "cursor_that_is_none": ({"cursor": "bm9uc2Vuc2U="}, "cursor"),
    "from_after_to": ({"from": "now", "to": "now-1h"}, "from"),
    "time_that_is_none": ({"from": "yesterdayish"}, "from"),
    "sort_by_nothing": ({"sort_by": "colour"}, "sort_by"),
    "negative_duration": ({"min_duration": "-1"}, "min_duration"),
    "status_that_is_none": ({"status": "MAYBE"}, "status"),
    "view_that_is_none": ({"view": "everything"}, "view"),
}


@pytest.mark.parametrize("what", _BAD_LISTS)
def test_a_bad_question_names_the_field(observatory: Observatory, what: str) -> None:
    parameters, field = _BAD_LISTS[what]
    answer = observatory.get("/api/v1/traces", **parameters)
    assert answer.status == 400, answer.body
    error = answer.json["error"]
    assert error["category"] == "VALIDATION"
    assert field in error.get("field", "")
    assert error["message"]


def _leaf(field: str, operator: str, value: object) -> dict:
    return {"operator": "AND", "conditions": [{"field": field, "operator": operator, "value": value}]}


def _nested(depth: int) -> dict:
    group = _leaf("model", "eq", "gpt-4o")
    for _ in range(depth):
        group = {"operator": "AND", "conditions": [group]}
    return group


_BAD_SEARCHES = {
    "unknown_field": (_leaf("colour", "eq", "red"), "colour"),
    "unknown_operator": (_leaf("model", "resembles", "gpt"), "operator"),
    "text_for_a_number": (_leaf("total_tokens", "gt", "many"), "total_tokens"),
    "in_without_a_list": (_leaf("model", "in", "gpt-4o"), "model"),
    "in_an_empty_list": (_leaf("model", "in", []), "model"),
    "regex_that_is_none": (_leaf("input_text", "regex", "("), "input_text"),
    "regex_of_600_characters": (_leaf("input_text", "regex", "a" * 600), "input_text"),
    "empty_group": ({"operator": "AND", "conditions": []}, "conditions"),
    "not_with_two": ({"operator": "NOT", "conditions": [_leaf("model", "eq", "a"), _leaf("model", "eq", "b")]}, "NOT"),
    "40_levels": (_nested(40), ""),
    "2000_leaves": (
        {"operator": "OR", "conditions": [_leaf("model", "eq", str(n))["conditions"][0] for n in range(2000)]}, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", _BAD_SEARCHES)
def test_a_bad_search_names_the_field(observatory: Observatory, what: str) -> None:
    filters, named = _BAD_SEARCHES[what]
    answer = observatory.post("/api/v1/traces/search", {"filters": filters})
    assert answer.status == 400, answer.body
    error = answer.json["error"]
    assert error["category"] == "VALIDATION"
    assert named in error.get("field", "") + error["message"]


def test_both_grammars_at_once_are_refused(observatory: Observatory) -> None:
    leaf = _leaf("model", "eq", "gpt-4o")
    assert observatory.post("/api/v1/traces/search", {"filters": leaf, "filter": leaf}).status == 400


def test_a_regex_that_would_explode_elsewhere_is_answered(observatory: Observatory) -> None:
    export = Export()
    export.span(
        model_call(gen_ai__input__messages='[{"role":"user","parts":[{"type":"text","content":"%s!"}]}]' % ("a" * 5000))
    )
    _only_span(observatory, export)
    began = time.monotonic()
    answer = observatory.post("/api/v1/traces/search", {"filters": _leaf("input_text", "regex", "(a+)+$")})
    assert answer.status == 200, answer.body
    assert time.monotonic() - began < 5


def test_a_cursor_of_another_question_is_refused(observatory: Observatory) -> None:
    export = Export()
    for _ in range(3):
        export.span()
    assert observatory.send("traces", export.body).status == 200
    wait_for("the spans are visible", lambda: len(observatory.spans(service_name=export.service)) == 3)
    page = observatory.get("/api/v1/traces", service_name=export.service, limit=1).json["pagination"]
    answer = observatory.get("/api/v1/traces", model="gpt-4o", limit=1, cursor=page["cursor"])
    assert answer.status == 400, answer.body
    assert answer.json["error"]["field"] == "cursor"


def _with_token(observatory: Observatory, headers: Iterable[tuple[str, str]]):
    return request("GET", f"{observatory.api}/api/v1/traces", headers=dict(headers))


def _unsigned(token: str) -> str:
    _, claims, _ = token.split(".")
    return f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."  # {"alg":"none","typ":"JWT"}


def _forged(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{signature[::-1]}"


_BAD_TOKENS = {
    "none": (lambda token: [], "MISSING_AUTHORIZATION"),
    "no_bearer": (lambda token: [("authorization", token)], "INVALID_AUTHORIZATION"),
    "no_jwt": (lambda token: [("authorization", "Bearer nonsense")], "INVALID_TOKEN"),
    "unsigned": (lambda token: [("authorization", f"Bearer {_unsigned(token)}")], "INVALID_TOKEN"),
    "forged": (lambda token: [("authorization", f"Bearer {_forged(token)}")], "INVALID_TOKEN"),
}


@pytest.mark.parametrize("what", _BAD_TOKENS)
def test_a_bad_token_is_refused(observatory: Observatory, what: str) -> None:
    headers, code = _BAD_TOKENS[what]
    answer = _with_token(observatory, headers(observatory.token))
    assert answer.status == 401, answer.body
    assert answer.json["error"]["code"] == code


def test_an_expired_token_is_refused(observatory: Observatory) -> None:
    token = observatory.command("token", "--data", str(observatory.data), "--role", "viewer", "--ttl", "1s").strip()
    headers = [("authorization", f"Bearer {token}")]
    answer = wait_for("the token expires", lambda: (a := _with_token(observatory, headers)).status == 401 and a)
    assert answer.json["error"]["code"] == "EXPIRED_TOKEN"


def test_what_was_refused_is_counted(observatory: Observatory) -> None:
    def counted() -> dict[str, float]:
        lines = observatory.get("/metrics").body.decode().splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, value in pairs}

    before = counted()
    export = Export()
    export.span(trace_id=bytes(16))
    assert _rejected(observatory.send("traces", export.body))[0] == 1
    assert observatory.send("traces", b"\xff\xff\xff").status == 400
    assert observatory.get("/api/v1/traces", limit=0).status == 400
    after = counted()
    grown = {name.split("{")[0] for name, value in after.items() if value > before.get(name, 0.0)}
    dropped = [
        name
        for name in after
        if name.startswith("collector_spans_dropped_total") and after[name] > before.get(name, 0.0)
    ]
    assert dropped, sorted(grown)
    refused = [name for name in after if name.startswith("http_requests_total") and 'status="400"' in name]
    assert any(after[name] > before.get(name, 0.0) for name in refused), sorted(grown)
