"""Sends a capture to a running server as if it had just happened."""

from __future__ import annotations

import json
import time
from pathlib import Path

from harness import Observatory
from scrub import newest_time, shift, trace_ids

CAPTURES = Path(__file__).resolve().parent / "captures"


def replay(observatory: Observatory, sidecar: Path) -> set[str]:
    """Sends every request of the capture as if it happened now; returns the ids of its traces."""
    listed = json.loads(sidecar.read_text())["requests"]
    bodies = [(sidecar.parent / request["file"]).read_bytes() for request in listed]
    newest = max(newest_time(r["signal"], r["encoding"], body) for r, body in zip(listed, bodies, strict=True))
    later = time.time_ns() - newest
    traces: set[str] = set()
    for request, body in zip(listed, bodies, strict=True):
        content_type = "application/json" if request["encoding"] == "json" else "application/x-protobuf"
        moved = shift(request["signal"], request["encoding"], body, later)
        answer = observatory.send(request["signal"], moved, content_type)
        assert answer.status == 200, answer.body
        assert answer.body in (b"", b"{}"), f"something was refused: {answer.body!r}"
        if request["signal"] == "traces":
            traces |= trace_ids(request["encoding"], body)
    return traces
