"""Takes out of a recording what tells about the machine that made it, and moves recordings in time.

Protobuf is decoded, changed and encoded again with the official library, which keeps fields that it does not know.
"""

from __future__ import annotations

import json
import re

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

MESSAGES = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
# Attributes that name a machine, a process or a person's folders.
_PRIVATE = re.compile(
    r"^(host\.|process\.|os\.|container\.|k8s\.|device\.|thread\.|code\.|exception\.stacktrace$|service\.instance\.id$"
    r"|langsmith\.metadata\.(revision_id|LANGSMITH.*|LANGCHAIN.*|host|platform|runtime.*|library.*)|logfire\.code)"
)
_PATH = re.compile(r"/(?:work|root|home|tmp|var|usr|opt|Users)/[\w./@+~-]*")
_STUB = re.compile(r"127\.0\.0\.1:\d+")
# Fixed-width times of the three signals, as OTLP/JSON spells them.
_JSON_TIME = re.compile(r'("[A-Za-z]*[tT]imeUnixNano":\s*)("?)(\d+)("?)')


def _clean_text(text: str) -> str:
    return _STUB.sub("127.0.0.1:8000", _PATH.sub("/scrubbed", text))


def _clean_value(value: AnyValue) -> None:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        value.string_value = _clean_text(value.string_value)
    elif kind == "array_value":
        for item in value.array_value.values:
            _clean_value(item)
    elif kind == "kvlist_value":
        for pair in value.kvlist_value.values:
            _clean_pair(pair)


def _clean_pair(pair: KeyValue) -> None:
    if _PRIVATE.match(pair.key):
        pair.value.CopyFrom(AnyValue(string_value="scrubbed"))
    elif pair.key in ("server.port", "net.peer.port") and pair.value.WhichOneof("value") == "int_value":
        pair.value.int_value = 8000
    else:
        _clean_value(pair.value)


def _walk(message, visit) -> None:
    """Calls visit(message) for every message inside, the outer ones first."""
    visit(message)
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for item in [value] if hasattr(value, "ListFields") else value:
            if hasattr(item, "ListFields"):
                _walk(item, visit)


def _scrub_protobuf(signal: str, body: bytes) -> bytes:
    request = MESSAGES[signal].FromString(body)

    def clean(message) -> None:
        for pair in getattr(message, "attributes", ()):
            _clean_pair(pair)
        if message.DESCRIPTOR.name == "LogRecord":
            _clean_value(message.body)
        if message.DESCRIPTOR.name == "Status":
            message.message = _clean_text(message.message)

    _walk(request, clean)
    return request.SerializeToString()


def _scrub_json(body: bytes) -> bytes:
    def clean(value):
        if isinstance(value, dict):
            if _PRIVATE.match(str(value.get("key", ""))):
                return {"key": value["key"], "value": {"stringValue": "scrubbed"}}
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item) for item in value]
        return _clean_text(value) if isinstance(value, str) else value

    return json.dumps(clean(json.loads(body)), separators=(",", ":"), ensure_ascii=False).encode()


def scrub(signal: str, encoding: str, body: bytes) -> bytes:
    return _scrub_json(body) if encoding == "json" else _scrub_protobuf(signal, body)


def _times(message):
    """The names of the fields of this message that hold a time."""
    return [f.name for f, _ in message.ListFields() if f.name.endswith("time_unix_nano")]


def newest_time(signal: str, encoding: str, body: bytes) -> int:
    if encoding == "json":
        return max((int(found[2]) for found in _JSON_TIME.findall(body.decode())), default=0)
    found = [0]
    _walk(MESSAGES[signal].FromString(body), lambda m: found.extend(getattr(m, name) for name in _times(m)))
    return max(found)


def shift(signal: str, encoding: str, body: bytes, nanos: int) -> bytes:
    """The same recording, `nanos` later: a receiver refuses what is older than it keeps."""
    if encoding == "json":

        def later(match: re.Match) -> str:
            moved = int(match[3]) + nanos if int(match[3]) else 0
            return f"{match[1]}{match[2]}{moved}{match[4]}"

        return _JSON_TIME.sub(later, body.decode()).encode()
    request = MESSAGES[signal].FromString(body)

    def move(message) -> None:
        for name in _times(message):
            setattr(message, name, getattr(message, name) + nanos)

    _walk(request, move)
    return request.SerializeToString()


def trace_ids(encoding: str, body: bytes) -> set[str]:
    """The traces that an export of spans is about, as hex text."""
    if encoding == "json":
        return {found.lower() for found in re.findall(r'"traceId":\s*"([0-9a-fA-F]{32})"', body.decode())}
    found: set[str] = set()
    for resource in MESSAGES["traces"].FromString(body).resource_spans:
        for scope in resource.scope_spans:
            found |= {span.trace_id.hex() for span in scope.spans}
    return found
