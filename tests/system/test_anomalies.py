"""A spike is noticed within a minute of its beginning, a steady stream never; what was noticed survives a restart."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Observatory, wait_for
from otlp import SECOND, Export, model_call

MINUTE = 60 * SECOND
HOURS, A_MINUTE = 6, 40
SPIKE = 5
NOTICED_WITHIN = 60.0


def _call(export: Export, start: int, model: str) -> None:
    export.span(
        model_call(gen_ai__request__model=model, gen_ai__response__model=model),
        start_time_unix_nano=start,
        end_time_unix_nano=start + SECOND,
        trace_id=secrets.token_bytes(16),
    )


def _send(server: Observatory, service: str, model: str, start: int, end: int, count: int) -> None:
    """So many calls, evenly from start to end."""
    export = Export(service)
    for number in range(count):
        _call(export, start + (end - start) * number // count, model)
    assert server.send("traces", export.body).status == 200


class _Stream:
    """Calls as they come, so many a minute, until it is told otherwise."""

    def __init__(self, server: Observatory, service: str, model: str) -> None:
        self.rate = A_MINUTE
        self._send = lambda start, end, count: _send(server, service, model, start, end, count)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        sent = time.time_ns()
        while not self._stopped.wait(3.0):
            now = time.time_ns()
            self._send(sent, now, max(1, self.rate * (now - sent) // MINUTE))
            sent = now

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


@pytest.fixture
def server(program: Path, tmp_path: Path) -> Iterator[Observatory]:
    running = Observatory(tmp_path / "data")
    running.start()
    yield running
    running.stop()


def _anomalies(server: Observatory, **asked: object) -> list[dict]:
    answer = server.get("/api/v1/anomalies", **asked)
    assert answer.status == 200, answer.body
    return answer.json["anomalies"]


def _looks(server: Observatory) -> int:
    text = server.get("/metrics").body.decode()
    return int(float(next(row for row in text.splitlines() if row.startswith("anomaly_looks_total")).split()[-1]))


def test_a_spike_is_listed_within_a_minute_and_a_steady_stream_is_not(server: Observatory) -> None:
    now = time.time_ns()
    for hour in range(HOURS, 0, -1):
        start = now - hour * 60 * MINUTE
        for service, model in (("steady", "gpt-4o-mini"), ("shop", "gpt-4o")):
            _send(server, service, model, start, start + 60 * MINUTE, 60 * A_MINUTE)
    steady, shop = _Stream(server, "steady", "gpt-4o-mini"), _Stream(server, "shop", "gpt-4o")
    try:
        looked = _looks(server)
        wait_for("two looks at it", lambda: _looks(server) >= looked + 2, 90)
        assert _anomalies(server) == []

        shop.rate = SPIKE * A_MINUTE
        found = wait_for("the spike is listed", lambda: _anomalies(server, metric="cost", dimension="model"),
                         NOTICED_WITHIN)  # fmt: skip
        (spike,) = found
        assert (spike["dimension"], spike["value"], spike["status"]) == ("model", "gpt-4o", "open")
        assert spike["measured"] > 2 * spike["expected"] > 0
        assert spike["severity"] in ("medium", "high", "critical")

        costs = server.get("/api/v1/analytics/costs", **{"from": "now-1h"}).json["anomalies"]
        assert {"model", "service"} <= {each["dimension"] for each in costs}
        assert not any(each["value"] in ("gpt-4o-mini", "steady") for each in costs)
        # One for as long as it lasts.
        looked = _looks(server)
        wait_for("two more looks", lambda: _looks(server) >= looked + 2, 90)
        again = _anomalies(server, metric="cost", dimension="model")
        assert [each["id"] for each in again] == [spike["id"]]
    finally:
        steady.stop()
        shop.stop()

    server.stop()
    server.start()
    assert spike["id"] in {each["id"] for each in _anomalies(server)}
