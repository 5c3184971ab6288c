"""The SDKs' own exporters, telemetrygen and a collector: every language, both transports, compressed and not."""

from __future__ import annotations

from matrix import Case, call, priced

_SENT = call("openai", "gpt-4o", "openai.chat", "reasoning_tokens", span_name="chat gpt-4o")
_SENT |= {"operation_type": "chat"} | priced("gpt-4o", "openai.chat")
_TRANSPORTS = (("grpc", "grpc"), ("http", "http/protobuf"))
_COMPRESSIONS = ("none", "gzip")
_SIGNALS = ("traces", "logs", "metrics")


def _compressed(compression: str) -> dict[str, str]:
    # Not every SDK knows the word "none".
    return {} if compression == "none" else {"OTEL_EXPORTER_OTLP_COMPRESSION": compression}


def _case(client: str, name: str, runtime: str, command: tuple[str, ...], **more) -> Case:
    recorded = not name.endswith(("-gzip", "-zstd", "-deflate"))
    sent = {"expect": (_SENT,), "signals": _SIGNALS, "recorded": recorded} | more
    return Case("otel-sdk", client, name, command, runtime=runtime, **sent)


def _both_ways(
    client: str, runtime: str, command: tuple[str, ...], compressions: tuple[str, ...] = _COMPRESSIONS, **more
) -> list[Case]:
    """gRPC and HTTP, compressed and not; `{transport}` in the command becomes grpc or http."""
    return [
        _case(
            client,
            f"{transport}-{compression}",
            runtime,
            tuple(word.format(transport=transport) for word in command),
            protocol=protocol,
            env=_compressed(compression),
            **more,
        )
        for transport, protocol in _TRANSPORTS
        for compression in compressions
    ]


def _node_json(compression: str) -> Case:
    return _case(
        "@opentelemetry/exporter-trace-otlp-http",
        f"json-{compression}",
        "node",
        ("../system/node/exporter.mjs", "json"),
        venv="system-node",
        env=_compressed(compression),
    )


def _node() -> list[Case]:
    grpc = "@opentelemetry/exporter-trace-otlp-grpc"
    proto = "@opentelemetry/exporter-trace-otlp-proto"
    program = "../system/node/exporter.mjs"
    return [
        case
        for compression in _COMPRESSIONS
        for case in (
            _case(
                grpc, f"grpc-{compression}", "node", (program, "grpc"), venv="system-node", protocol="grpc",
                env=_compressed(compression),
            ),
            _case(
                proto, f"http-{compression}", "node", (program, "proto"), venv="system-node",
                env=_compressed(compression),
            ),
            _node_json(compression),
        )
    ]  # fmt: skip


def _python() -> list[Case]:
    cases = _both_ways("opentelemetry-sdk", "python", ("clients/python/exporter.py",), venv="otel-genai")
    return cases + [
        _case(
            "opentelemetry-sdk", "http-deflate", "python", ("clients/python/exporter.py",), venv="otel-genai",
            env=_compressed("deflate"),
        ),
    ]  # fmt: skip


def _telemetrygen() -> list[Case]:
    """It makes traces of two spans of its own; they are ordinary spans, not model calls."""
    made = ({"span_name": "lets-go", "kind": "other"}, {"span_name": "okey-dokey-0", "kind": "other"})
    return [
        _case(
            "telemetrygen", transport if signal == "traces" else f"{transport}-{signal}", "telemetrygen", (signal,),
            protocol=protocol, expect=made if signal == "traces" else (), signals=(signal,),
            recorded=signal == "traces",
        )
        for transport, protocol in _TRANSPORTS
        for signal in _SIGNALS
    ]  # fmt: skip


def _collector() -> list[Case]:
    """The Python exporter sends to a collector, which forwards to us."""
    return [
        _case(
            "otelcol", f"{transport}-{compression}", "collector", (f"otlp_{transport}", compression),
            venv="otel-genai",
        )
        for transport in ("grpc", "http")
        for compression in ("none", "gzip", "zstd")
    ]  # fmt: skip


EXPORTERS = [
    *_python(),
    *_node(),
    *_both_ways("go-sdk", "go", ("{transport}",)),
    *_both_ways("rust-sdk", "rust", ("{transport}",), (*_COMPRESSIONS, "zstd")),
    *_both_ways("java-sdk", "java", ()),
    *_telemetrygen(),
    *_collector(),
]
