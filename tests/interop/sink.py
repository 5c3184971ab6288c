"""Accepts OTLP over HTTP and gRPC and keeps every request as the client sent it, only decompressed.

    with Sink() as sink:
        run_client(sink.environment("http/protobuf"))
    for request in sink.requests: ...

Nothing is decoded here, so a client's unknown fields, odd order or odd JSON stay as they are.
"""

from __future__ import annotations

import gzip
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import zstandard

SIGNALS = ("traces", "logs", "metrics")
_SERVICES = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
}


@dataclass(frozen=True)
class OtlpRequest:
    signal: str  # traces, logs or metrics
    transport: str  # grpc or http
    encoding: str  # protobuf or json
    compression: str  # as the client sent it: identity, gzip, deflate, zstd
    body: bytes  # decompressed
    headers: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def content_type(self) -> str:
        return "application/json" if self.encoding == "json" else "application/x-protobuf"


def decompressed(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()
    raise ValueError(f"a client used the content encoding {encoding!r}")


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_POST(self) -> None:
        body = self._body()
        signal = self.path.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
        if signal not in SIGNALS:
            return self._answer(404, b"")
        compression = self.headers.get("content-encoding", "identity").lower()
        is_json = "json" in self.headers.get("content-type", "")
        self.server.sink.keep(
            OtlpRequest(
                signal=signal,
                transport="http",
                encoding="json" if is_json else "protobuf",
                compression=compression,
                body=decompressed(body, compression),
                headers={name.lower(): value for name, value in self.headers.items()},
            )
        )
        return self._answer(200, b"{}" if is_json else b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", self.headers.get("content-type", "application/x-protobuf"))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        pass


class _GrpcHandler(grpc.GenericRpcHandler):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def service(self, call: grpc.HandlerCallDetails):
        signal = _SERVICES.get(call.method)
        if signal is None:
            return None
        headers = {name: str(value) for name, value in call.invocation_metadata}

        def export(body: bytes, _context: grpc.ServicerContext) -> bytes:
            # gRPC has taken the compression off before we see the message.
            self._sink.keep(OtlpRequest(signal, "grpc", "protobuf", "identity", body, headers))
            return b""

        return grpc.unary_unary_rpc_method_handler(export)  # raw bytes: no (de)serialiser


class Sink:
    """Serves on free loopback ports from entering until leaving the `with` block. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[OtlpRequest] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _HttpHandler)
        self._http.daemon_threads = True
        self._http.sink = self
        options = [("grpc.max_receive_message_length", 64 << 20)]
        self._grpc = grpc.server(ThreadPoolExecutor(4), handlers=[_GrpcHandler(self)], options=options)
        self._grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self._grpc_port}"

    @property
    def requests(self) -> list[OtlpRequest]:
        with self._lock:
            return list(self._requests)

    def keep(self, request: OtlpRequest) -> None:
        with self._lock:
            self._requests.append(request)

    def __enter__(self) -> Sink:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._grpc.start()
        return self

    def __exit__(self, *_) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(grace=None).wait()
