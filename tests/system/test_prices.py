"""Prices that are set while the program runs: for calls to come at once, for stored ones by a job, to the same totals
on every way that they can be asked."""

from __future__ import annotations

import json
import os
import secrets
import time
from decimal import Decimal
from pathlib import Path

import pytest
from harness import Answer, Observatory, request, wait_for
from otlp import DAY, SECOND, Export, model_call

INPUT, OUTPUT = 300, 80
PRICE = {"input": 1.25, "output": 5}
# Of a call: 300 tokens at 1.25 and 80 at 5 dollars a million.
COST = Decimal("0.000775")


def _ask(server: Observatory, method: str, path: str, body: object = None) -> Answer:
    headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}
    return request(method, server.api + path, None if body is None else json.dumps(body).encode(), headers)


class House:
    """Ten calls of a model that nobody knows, over two days; one of them has a wrapper that repeats its usage."""

    def __init__(self, server: Observatory) -> None:
        self.model = f"house-{secrets.token_hex(4)}"
        export = self.export = Export()
        self.trace = secrets.token_bytes(16)
        start = time.time_ns() - 3 * DAY
        wrapper = self._call(start, trace_id=self.trace)
        self._call(start + SECOND, trace_id=self.trace, parent_span_id=wrapper.span_id)
        for number in range(9):
            self._call(start + number * DAY // 5)
        assert server.send("traces", export.body).status == 200
        wait_for("ten calls", lambda: len(self.calls(server)) == 10, 30)

    def _call(self, start: int, **fields: object):
        attributes = model_call(gen_ai__provider__name="acme", gen_ai__request__model=self.model)
        times = {"start_time_unix_nano": start, "end_time_unix_nano": start + 2 * SECOND}
        return self.export.span(attributes, **(times | fields))

    def calls(self, server: Observatory) -> list[dict]:
        return server.calls(model=self.model, **{"from": "now-10d"})

    def by_rows(self, server: Observatory) -> Decimal:
        return sum((Decimal(str(call.get("total_cost_usd", 0))) for call in self.calls(server)), Decimal())

    def by_figures(self, server: Observatory) -> tuple[Decimal, str]:
        """Over whole days, so that rollups can answer; and what it was answered from."""
        answer = server.get(
            "/api/v1/metrics", metrics="total_cost", interval="1d", model=self.model, **{"from": "now-10d", "to": "now"}
        )
        assert answer.status == 200, answer.body
        total = sum((Decimal(str(point.get("total_cost", 0))) for point in answer.json["data"]), Decimal())
        return total, answer.json["metadata"]["data_source"]

    def by_trace(self, server: Observatory) -> Decimal:
        answer = server.get(f"/api/v1/traces/{self.trace.hex()}/cost")
        assert answer.status == 200, answer.body
        return Decimal(str(answer.json["data"]["cost_usd"]))


def _reprice(server: Observatory, model: str, **body: object) -> Answer:
    return server.post("/api/v1/prices/reprice", {"from": "now-10d", "model": model} | body)


def _ended(server: Observatory, job_id: str) -> dict:
    def over() -> dict | None:
        job = _ask(server, "GET", f"/api/v1/prices/reprice/{job_id}").json
        return job if job["status"] not in ("pending", "processing") else None

    return wait_for(f"the end of job {job_id}", over, 60)


def test_a_price_counts_at_once_and_for_history_when_it_is_asked_for(observatory: Observatory) -> None:
    house = House(observatory)
    assert house.by_rows(observatory) == 0
    unpriced = observatory.get("/api/v1/models/unpriced", **{"from": "now-10d"}).json["models"]
    assert house.model in [model["model"] for model in unpriced]
    assert _ask(observatory, "GET", f"/api/v1/prices/lookup?model={house.model}").json["priced"] is False

    made = observatory.post("/api/v1/prices", {"model": house.model, "provider": "acme"} | PRICE)
    assert made.status == 201, made.body
    later = Export()
    later.span(model_call(gen_ai__provider__name="acme", gen_ai__request__model=house.model))
    assert observatory.send("traces", later.body).status == 200
    wait_for("the new call", lambda: len(house.calls(observatory)) == 11)
    new = next(call for call in house.calls(observatory) if "total_cost_usd" in call)
    assert Decimal(str(new["total_cost_usd"])) == COST
    assert new["price_rule"] == f"{made.json['rule_prefix']}acme/{house.model}"

    planned = _reprice(observatory, house.model, dry_run=True)
    assert planned.status == 200, planned.body
    diff = planned.json["planned"]
    assert (diff["calls"], diff["changed"], diff["unpriced_before"], diff["unpriced_after"]) == (11, 10, 10, 0)
    assert Decimal(str(diff["cost_before_usd"])) == COST
    assert Decimal(str(diff["cost_after_usd"])) == 11 * COST
    assert sum(part["calls"] for part in diff["parts"]) == 11 and len(diff["parts"]) >= 3
    assert house.by_rows(observatory) == COST

    started = _reprice(observatory, house.model)
    assert started.status == 202, started.body
    job = _ended(observatory, started.json["job_id"])
    assert job["status"] == "completed", job
    assert job["planned"] == diff
    assert job["stored"]["changed"] == 0
    assert Decimal(str(job["stored"]["cost_before_usd"])) == 11 * COST
    assert house.by_rows(observatory) == 11 * COST
    assert house.by_figures(observatory)[0] == 11 * COST
    # The wrapper repeats what is counted below it.
    assert house.by_trace(observatory) == COST
    unpriced = observatory.get("/api/v1/models/unpriced", **{"from": "now-10d"}).json["models"]
    assert house.model not in [model["model"] for model in unpriced]

    assert _ask(observatory, "DELETE", f"/api/v1/prices/{made.json['id']}").status == 204
    assert house.by_rows(observatory) == 11 * COST, "what was priced stays so until it is asked for"


@pytest.mark.parametrize("where", ["reprice_planned", "reprice_changed"])
def test_a_killed_program_goes_on_to_the_same_totals(program: Path, tmp_path: Path, where: str) -> None:
    first = Observatory(tmp_path / "data")
    os.environ["LLMOBS_FAILPOINT"] = where
    try:
        first.start()
    finally:
        del os.environ["LLMOBS_FAILPOINT"]
    house = House(first)
    assert first.post("/api/v1/prices", {"model": "house-*"} | PRICE).status == 201
    job_id = _reprice(first, house.model).json["job_id"]
    wait_for("the program is gone", lambda: first._process.poll() is not None, 30)
    first._errors.close()

    second = Observatory(tmp_path / "data")
    second.start()
    job = _ended(second, job_id)
    assert job["status"] == "completed", job
    assert job["planned"]["changed"] == 10, "what was planned before the first row was changed"
    assert job["stored"]["changed"] == 0
    assert house.by_rows(second) == house.by_figures(second)[0] == 10 * COST
    assert house.by_trace(second) == COST
    second.stop()

    # What a start finds to be stale is rolled up at once.
    third = Observatory(tmp_path / "data")
    third.start()
    wait_for("rollups answer", lambda: house.by_figures(third)[1] != "raw", 60)
    assert house.by_figures(third)[0] == house.by_rows(third) == 10 * COST
    assert _ask(third, "GET", f"/api/v1/prices/lookup?model={house.model}").json["priced"] is True
    third.stop()


def test_a_price_takes_the_place_of_the_one_before(observatory: Observatory) -> None:
    model = f"house-{secrets.token_hex(4)}"
    assert observatory.post("/api/v1/prices", {"model": model} | PRICE).status == 201
    again = observatory.post("/api/v1/prices", {"model": model, "input": 2, "output": 0})
    assert again.status == 201
    listed = _ask(observatory, "GET", "/api/v1/prices?retired=true&limit=1000").json["prices"]
    own = [price for price in listed if price["price"]["model"] == model]
    assert len(own) == 2 and "retired_at" in own[1] and "retired_at" not in own[0]
    found = _ask(observatory, "GET", f"/api/v1/prices/lookup?model={model}").json
    assert found["rates"]["input"] == 2 and found["rule"].startswith(own[0]["rule_prefix"])
