"""Builds OTLP requests, also such as no SDK would send."""

from __future__ import annotations

import secrets
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

SECOND = 10**9
DAY = 86_400 * SECOND


def value_of(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=str(value))


def model_call(**attributes: object) -> dict[str, object]:
    """The attributes of a model call; further ones with `__` for each dot."""
    known: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 300,
        "gen_ai.usage.output_tokens": 80,
    }
    return known | {name.replace("__", "."): value for name, value in attributes.items()}


class Export:
    """An export request that grows span by span."""

    def __init__(self, service: str = "") -> None:
        self.service = service or f"test-{secrets.token_hex(6)}"
        self.request = ExportTraceServiceRequest()
        resource = self.request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = self.service
        self._scope = resource.scope_spans.add()

    def span(self, attributes: dict[str, object] | None = None, **fields: object):
        """Adds a span of one second that ended just now; the fields of the protocol override what it is made of."""
        now = time.time_ns()
        made = {
            "trace_id": secrets.token_bytes(16),
            "span_id": secrets.token_bytes(8),
            "name": "chat gpt-4o",
            "kind": 3,
            "start_time_unix_nano": now - SECOND,
            "end_time_unix_nano": now,
        }
        span = self._scope.spans.add(**(made | fields))
        for name, value in (model_call() if attributes is None else attributes).items():
            span.attributes.add(key=name).value.CopyFrom(value_of(value))
        return span

    @property
    def body(self) -> bytes:
        return self.request.SerializeToString()


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, head = len(payload), bytearray([number << 3 | 2])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(head) + bytes([length]) + payload


def nested_value(depth: int) -> bytes:
    """An AnyValue that is a list in a list in a list ..., encoded by hand: the official library refuses to."""
    value = _field(1, b"deep")  # string_value
    for _ in range(depth):
        value = _field(5, _field(1, value))  # array_value { values }
    return value


def with_attribute(body: bytes, placeholder: str, encoded_value: bytes) -> bytes:
    """The request with an attribute more on its only span: the one whose name is the placeholder gets this value."""
    request = ExportTraceServiceRequest.FromString(body)
    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    (span,) = scope.spans
    pair = _field(1, placeholder.encode()) + _field(2, encoded_value)
    spans = _field(2, span.SerializeToString() + _field(9, pair))
    resource_spans = _field(1, resource.resource.SerializeToString()) + _field(2, spans)
    return _field(1, resource_spans)
