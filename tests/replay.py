"""Sends a capture to a running server as if it had just happened."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import Observatory
from scrub import newest_time, shift, trace_ids

CAPTURES = Path(__file__).resolve().parent / "captures"


@dataclass(frozen=True)
class Recorded:
    """One request of a capture."""

    signal: str
    encoding: str
    body: bytes

    @property
    def content_type(self) -> str:
        return "application/json" if self.encoding == "json" else "application/x-protobuf"


def recorded(sidecar: Path) -> list[Recorded]:
    listed = json.loads(sidecar.read_text())["requests"]
    return [Recorded(r["signal"], r["encoding"], (sidecar.parent / r["file"]).read_bytes()) for r in listed]


def as_of_now(requests: Iterable[Recorded]) -> list[Recorded]:
    """The same requests, moved in time together so that the newest event of them happens now."""
    requests = list(requests)
    later = time.time_ns() - max(newest_time(r.signal, r.encoding, r.body) for r in requests)
    return [Recorded(r.signal, r.encoding, shift(r.signal, r.encoding, r.body, later)) for r in requests]


def traces_of(requests: Iterable[Recorded]) -> set[str]:
    return {trace for r in requests if r.signal == "traces" for trace in trace_ids(r.encoding, r.body)}


def with_other_trace_ids(requests: Iterable[Recorded]) -> list[Recorded]:
    """The same requests about new traces, so that a capture can be sent twice."""
    requests = list(requests)
    renamed = requests
    for trace in traces_of(requests):
        other = secrets.token_hex(16)
        renamed = [
            Recorded(
                r.signal,
                r.encoding,
                r.body.replace(trace.encode(), other.encode()).replace(bytes.fromhex(trace), bytes.fromhex(other)),
            )
            for r in renamed
        ]
    return renamed


def deliver(observatory: Observatory, requests: Iterable[Recorded]) -> None:
    """Sends the requests; every item of them must be accepted."""
    for request in requests:
        answer = observatory.send(request.signal, request.body, request.content_type)
        assert answer.status == 200, answer.body
        assert answer.body in (b"", b"{}"), f"something was refused: {answer.body!r}"


def replay(observatory: Observatory, sidecar: Path) -> set[str]:
    """Sends every request of the capture as if it happened now; returns the ids of its traces."""
    requests = as_of_now(recorded(sidecar))
    deliver(observatory, requests)
    return traces_of(requests)
