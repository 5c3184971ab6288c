"""Random questions about costs, performance and metrics, asked of a running program and of our own records.

    OBS_ANALYTICS_QUESTIONS=5000 pytest analytics    more than the daily ones
    OBS_ANALYTICS_SEED=7                             others than those of every day

What was sent lies in rolled-up hours and minutes, in minutes that changed afterwards, and in the last seconds: the
answers must be the same. Everything is exact but percentiles from sketches, which are within 1 %.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import texts
from harness import Observatory, request, wait_for
from reference import (
    DAY,
    DIMENSIONS,
    HOUR,
    MINUTE,
    NANO,
    PRICE_FILE,
    Call,
    Corpus,
    day_start,
    dollars,
    edges,
    exports,
    grouped,
    known,
    line,
    moment,
    next_day,
    quantile,
    rfc3339,
    total,
)

QUESTIONS = int(os.environ.get("OBS_ANALYTICS_QUESTIONS", "240"))
SEED = int(os.environ.get("OBS_ANALYTICS_SEED", "1"))
OLD_CALLS, LATE_CALLS, NEW_CALLS, SCORES = 6000, 300, 400, 150


def _metrics(server: Observatory) -> dict[str, float]:
    found = {}
    for row in server.get("/metrics").body.decode().splitlines():
        name, _, value = row.rpartition(" ")
        if name and not row.startswith("#"):
            found[name] = float(value)
    return found


def _send(server: Observatory, calls: list[Call], pick: random.Random) -> None:
    before = _metrics(server).get("storage_items_written_total", 0)
    wrappers = 0
    for body, around in exports(calls, pick):
        answer = server.send("traces", body)
        assert answer.status == 200, answer.body
        wrappers += around
    wanted = before + len(calls) + wrappers
    wait_for("everything is stored", lambda: _metrics(server)["storage_items_written_total"] >= wanted, 20)
    # Until a trace settles, a wrapper of a call passes for a call.
    wait_for("every trace is settled", lambda: _metrics(server)["open_traces"] == 0, 40)


@dataclass
class Score:
    ts: int
    name: str
    target: str
    value: float


def _score(server: Observatory, pick: random.Random, now: int) -> list[Score]:
    """Opinions about traces, some of which replace others."""
    scores: dict[str, Score] = {}
    for _ in range(SCORES):
        ts = now - pick.randrange(5 * DAY) // 10**6 * 10**6
        name = pick.choice(["relevance", "toxicity", "feedback", "resolved"])
        score = Score(ts, name, f"{pick.randrange(40):032x}", 0.0)
        name_of_kind = {} if name == "feedback" else {"name": name, "source": "CODE"}
        body: dict[str, object] = {"id": f"id-{pick.randrange(SCORES)}", "timestamp": rfc3339(ts), **name_of_kind}
        if name == "resolved":
            score.value = pick.randrange(2)
            body["passed"] = bool(score.value)
        else:
            score.value = pick.randrange(11) / 10
            body["rating" if name == "feedback" else "score"] = score.value
        body |= {"trace_id": f"{int(score.target, 16) + 1:032x}", "project_id": "default"}
        kind = "feedback" if name == "feedback" else "evaluations"
        assert server.post(f"/api/v1/{kind}", body).status == 201
        scores[str(body["id"])] = score
    count = len(scores)
    wait_for("scores", lambda: len(server.get("/api/v1/scores", limit=1000).json["data"]) == count, 20)
    return list(scores.values())


class World:
    """The server, and what it was sent."""

    def __init__(self, server: Observatory, corpus: Corpus, scores: list[Score], end: int) -> None:
        self.server, self.corpus, self.scores, self.end = server, corpus, scores, end

    def get(self, path: str, **parameters: object) -> dict:
        answer = self.server.get(path, **parameters)
        assert answer.status == 200, f"{path}?{urlencode(parameters)}: {answer.status} {answer.body[:500]!r}"
        return answer.json

    def between(self, start: int, end: int) -> list[Call]:
        return [call for call in self.corpus.calls if start <= call.ts < end]


@pytest.fixture(scope="module")
def world(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("analytics")
    prices = folder / "prices.yaml"
    prices.write_text(PRICE_FILE)
    server = Observatory(
        folder / "data", ["--prices", str(prices), "--settle-after", "3s", "--settle-after-root", "1s"]
    )
    pick = random.Random(SEED)
    corpus = Corpus(SEED)
    now = time.time_ns() // NANO * NANO
    server.start()
    try:
        _send(server, corpus.make(now - 5 * DAY, now - 2 * HOUR, OLD_CALLS), pick)
        # What the store finds at a start is rolled up at once; what comes later waits a while.
        server.stop()
        server.start()
        whole = {"from": rfc3339((now - DAY) // HOUR * HOUR), "to": rfc3339((now - 3 * HOUR) // HOUR * HOUR)}

        def source() -> str:
            answer = server.get("/api/v1/metrics", metrics="request_count", _=time.monotonic(), **whole)
            return answer.json["metadata"]["data_source"]

        wait_for("hours are rolled up", lambda: source() == "aggregate", 120)
        _send(server, corpus.make(now - 4 * DAY, now - 2 * HOUR, LATE_CALLS), pick)
        _send(server, corpus.make(now - 10 * MINUTE, now, NEW_CALLS), pick)
        yield World(server, corpus, _score(server, pick, now), now)
    finally:
        server.stop()


# ----- questions


class Asked:
    """A window, filters and a zone, as parameters and as the calls they mean."""

    def __init__(self, world: World, pick: random.Random, longest: int = 5 * DAY) -> None:
        length = int(math.exp(pick.uniform(math.log(20 * MINUTE), math.log(longest))))
        self.end = pick.choice([world.end, world.end - pick.randrange(0, 2 * DAY)])
        self.start = self.end - length
        grid = pick.choice([1000, NANO, MINUTE, HOUR, DAY])
        self.start = self.start // grid * grid
        self.end = max(self.end // grid * grid, self.start + grid)
        self.zone = pick.choice(["UTC", "UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])
        self.parameters: dict[str, object] = {
            "from": rfc3339(self.start), "to": rfc3339(self.end), "timezone": self.zone
        }  # fmt: skip
        self.calls = world.between(self.start, self.end)
        for name, values, of in [
            ("provider", ["ref-lab", "other-lab", "third-lab"], lambda c: {c.provider}),
            ("model", ["ref-large", "ref-fast", "ref-mystery"], lambda c: {c.model, c.request_model}),
            ("environment", ["prod", "staging"], lambda c: {c.environment}),
            ("service_name", ["shop", "desk"], lambda c: {c.service}),
            ("user_id", ["user-1", "user-7"], lambda c: {c.user}),
        ]:
            if pick.random() > 0.15:
                continue
            wanted = [pick.choice(values)]
            if name in ("provider", "model", "environment") and pick.random() < 0.3:
                wanted = sorted({*wanted, pick.choice(values)})
            self.parameters[name] = ",".join(wanted)
            self.calls = [call for call in self.calls if of(call) & set(wanted)]

    def step(self, pick: random.Random) -> tuple[str, int]:
        choices = [("1d", DAY), ("1h", HOUR)] + ([("5min", 5 * MINUTE)] if self.end - self.start < DAY else [])
        return pick.choice(choices)

    def edges(self, step: int) -> list[int]:
        return edges(self.start, self.end, step, self.zone)


def same(given: object, expected: float | None, what: str) -> None:
    """Equal, as far as a double says it; None is a member that is not there."""
    if expected is None:
        assert given is None, f"{what}: {given} but nothing is known"
        return
    assert given is not None, f"{what} is missing, expected {expected}"
    assert given == pytest.approx(expected, rel=1e-9, abs=1e-12), what


def same_money(given: object, nanos: int | None, what: str) -> None:
    """To the nano-dollar."""
    if nanos is None:
        assert given is None, f"{what}: {given} but nothing is known"
    else:
        assert given is not None, f"{what} is missing, expected {nanos} nano-dollars"
        assert round(given * NANO) == nanos, what


def same_quantile(given: float | None, values: list[int], level: float, exact: bool, what: str) -> None:
    expected = quantile(values, level)
    if expected is None:
        assert given is None, what
        return
    assert given == pytest.approx(expected / 1e6, rel=1e-9 if exact else 0.01), what


def per_request(calls: list[Call]) -> float | None:
    costs = known(calls, "total_cost")
    return sum(costs) / NANO / len(costs) if costs else None


def check_share(row: dict, calls: list[Call], what: str) -> None:
    same_money(row.get("cost"), total(calls, "total_cost"), f"{what} cost")
    assert row["requests"] == len(calls), what
    assert row["tokens"] == sum(known(calls, "total_tokens")), what
    same(row.get("avg_cost_per_request"), per_request(calls), what)
    assert row.get("unpriced_requests", 0) == len(calls) - len(known(calls, "total_cost")), what


def check_breakdown(rows: list[dict], calls: list[Call], names: list[str], limit: int, key: str | None = None) -> None:
    groups = grouped(calls, names)
    found = {tuple(row[key] if key else row[name] for name in names): row for row in rows}
    assert len(found) == len(rows) == min(len(groups), limit), names
    for name, row in found.items():
        check_share(row, groups[name], f"{names} {name}")


def ask_costs(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    group_by = pick.sample(list(DIMENSIONS), pick.choice([0, 1, 2, 2, 3]))
    if pick.random() < 0.1:
        group_by = ["tag"]
    word, step = asked.step(pick)
    limit = pick.choice([50, 1000])
    if group_by:
        asked.parameters["group_by"] = ",".join(group_by)
    body = world.get("/api/v1/analytics/costs", interval=word, limit=limit, **asked.parameters)
    calls = asked.calls
    overview = body["overview"]
    for name, column in (
        ("total_cost", "total_cost"),
        ("prompt_cost", "prompt_cost"),
        ("completion_cost", "completion_cost"),
    ):
        same_money(overview.get(name), total(calls, column), name)
        same_money(body.get(name), total(calls, column), name)
    assert overview["total_requests"] == body["request_count"] == len(calls)
    assert overview["total_tokens"] == sum(known(calls, "total_tokens"))
    same(overview.get("avg_cost_per_request"), per_request(calls), "avg_cost_per_request")
    check_breakdown(body["breakdown"], calls if group_by else [], group_by, limit)
    for key, name in (("by_model", "model"), ("by_provider", "provider"), ("by_user", "user"),
                      ("by_service", "service"), ("by_environment", "environment")):  # fmt: skip
        check_breakdown(body[key], calls, [name], limit, "name")
    sides = asked.edges(step)
    assert [moment(point["timestamp"]) for point in body["time_series"]] == sides[:-1]
    for point, begin, end in zip(body["time_series"], sides, sides[1:], strict=False):
        own = [call for call in calls if begin <= call.ts < end]
        same_money(point.get("total_cost"), total(own, "total_cost"), point["timestamp"])
        assert point["request_count"] == len(own), point["timestamp"]
    sides = asked.edges(DAY)
    daily = [[c for c in calls if begin <= c.ts < end] for begin, end in zip(sides, sides[1:], strict=False)]
    assert [day["requests"] for day in body["trends"]["daily"]] == [len(own) for own in daily]
    for day, own in zip(body["trends"]["daily"], daily, strict=True):
        same_money(day.get("cost"), total(own, "total_cost"), day["date"])
    if len(daily) > 1:
        slope = line([(total(own, "total_cost") or 0) / NANO for own in daily])[1]
        assert body["trends"]["growth_rate_daily"] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def check_performance(row: dict, calls: list[Call], seconds: float, exact: bool, what: str) -> None:
    durations = [call.duration for call in calls]
    assert row["request_count"] == len(calls), what
    same(row.get("avg_latency_ms"), sum(durations) / len(calls) / 1e6 if calls else None, what)
    same(row.get("min_latency_ms"), min(durations) / 1e6 if calls else None, what)
    same(row.get("max_latency_ms"), max(durations) / 1e6 if calls else None, what)
    for name, level in (("p50_latency_ms", 0.5), ("p95_latency_ms", 0.95), ("p99_latency_ms", 0.99)):
        same_quantile(row.get(name), durations, level, exact, f"{what} {name}")
    assert row["throughput_rps"] == pytest.approx(len(calls) / seconds, rel=1e-9), what
    errors = sum(call.status == "ERROR" for call in calls)
    same(row.get("error_rate"), errors / len(calls) if calls else None, what)
    assert row["total_tokens"] == sum(known(calls, "total_tokens")), what
    ttft = known(calls, "ttft")
    if "ttft" in row:
        assert row["error_count"] == errors
        assert row["ttft"]["count"] == len(ttft), what
        same_quantile(row["ttft"].get("p99_ms"), ttft, 0.99, exact, f"{what} ttft")
        completion = sum(known(calls, "completion"))
        same(row.get("tokens_per_second"), completion * NANO / sum(durations) if calls else None, what)
    else:
        same_quantile(row.get("ttft_p95_ms"), ttft, 0.95, exact, f"{what} ttft")


def ask_performance(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    word, step = asked.step(pick)
    group_by = pick.choice([[], ["model"], ["provider", "environment"], ["status_code"], ["user"], ["tag"]])
    if group_by:
        asked.parameters["group_by"] = ",".join(group_by)
    body = world.get("/api/v1/analytics/performance", interval=word, limit=1000, **asked.parameters)
    exact = body["metadata"]["percentiles"] == "exact"
    check_performance(body, asked.calls, (asked.end - asked.start) / NANO, exact, "in all")
    failed = [call for call in asked.calls if call.status == "ERROR"]
    by_type = {error["error_type"]: error["count"] for error in body["errors_by_type"]}
    assert by_type == {error: sum(c.error == error for c in failed) for error in {c.error for c in failed}}
    sides = asked.edges(step)
    assert [moment(point["timestamp"]) for point in body["time_series"]] == sides[:-1]
    for point, begin, end in zip(body["time_series"], sides, sides[1:], strict=False):
        own = [call for call in asked.calls if begin <= call.ts < end]
        seconds = (min(end, asked.end) - max(begin, asked.start)) / NANO
        check_performance(point, own, seconds, exact, point["timestamp"])
    if group_by:
        groups = grouped(asked.calls, group_by)
        assert len(body["groups"]) == len(groups)
        for row in body["groups"]:
            own = groups[tuple(row[name] for name in group_by)]
            check_performance(row, own, (asked.end - asked.start) / NANO, exact, f"{group_by} {row}")


_COLUMNS = {
    "duration": "duration", "time_to_first_token": "ttft", "total_cost": "total_cost", "prompt_cost": "prompt_cost",
    "completion_cost": "completion_cost", "total_tokens": "total_tokens", "prompt_tokens": "prompt",
    "completion_tokens": "completion",
}  # fmt: skip
_USUAL = {"duration": "avg", "time_to_first_token": "avg"}
_SCALE = {"duration": 1e6, "time_to_first_token": 1e6, "total_cost": NANO, "prompt_cost": NANO, "completion_cost": NANO}


def metric(name: str, how: str, calls: list[Call], seconds: float) -> float | None:
    errors = sum(call.status == "ERROR" for call in calls)
    if name not in _COLUMNS:
        return {
            "request_count": len(calls),
            "error_count": errors,
            "success_count": len(calls) - errors,
            "error_rate": errors / len(calls) if calls else None,
            "success_rate": 1 - errors / len(calls) if calls else None,
            "throughput": len(calls) / seconds,
            "unique_users": len({call.user for call in calls if call.user}),
            "unique_sessions": len({call.session for call in calls if call.session}),
        }[name]
    values = known(calls, _COLUMNS[name])
    how = how or _USUAL.get(name, "sum")
    if how == "count":
        return len(values)
    if not values:
        return 0 if how == "sum" and not calls else None
    made = {"avg": lambda: sum(values) / len(values), "sum": lambda: sum(values), "min": lambda: min(values),
            "max": lambda: max(values)}  # fmt: skip
    value = made[how]() if how in made else quantile(values, int(how[1:]) / 100)
    return value / _SCALE.get(name, 1)


def same_metric(given: object, name: str, how: str, calls: list[Call], seconds: float, exact: bool, what: str) -> None:
    expected = metric(name, how, calls, seconds)
    if expected is None or exact or how not in ("p50", "p90", "p95", "p99"):
        same(given, expected, f"{what} {name} {how}")
    else:
        assert given == pytest.approx(expected, rel=0.01), f"{what} {name} {how}"


_NAMES = [*_COLUMNS, "request_count", "error_count", "success_count", "error_rate", "success_rate", "throughput",
          "unique_users", "unique_sessions"]  # fmt: skip


def ask_metrics(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    word, step = asked.step(pick)
    names = pick.sample(_NAMES, pick.randrange(1, 6))
    how = pick.choice(["", "", "avg", "sum", "min", "max", "count", "p50", "p95"])
    group_by = pick.choice([[], [], ["model"], ["provider", "environment"], ["user"]])
    parameters = dict(asked.parameters, metrics=",".join(names), interval=word)
    if how:
        parameters["aggregation"] = how
    if group_by:
        parameters["group_by"] = ",".join(group_by)
    body = world.get("/api/v1/metrics", **parameters)
    exact = body["metadata"]["percentiles"] == "exact"
    sides = asked.edges(step)
    rows = {(row["timestamp"], *(row[name] for name in group_by)): row for row in body["data"]}
    wanted = 0
    for begin, end in zip(sides, sides[1:], strict=False):
        seconds = (min(end, asked.end) - max(begin, asked.start)) / NANO
        own = [call for call in asked.calls if begin <= call.ts < end]
        groups = grouped(own, group_by) if group_by else {(): own}
        wanted += len(groups)
        for group, calls in groups.items():
            row = rows[(rfc3339(begin), *group)]
            for name in names:
                same_metric(row.get(name), name, how if name in _COLUMNS else "", calls, seconds, exact,
                            f"{rfc3339(begin)} {group}")  # fmt: skip
    assert len(rows) == len(body["data"]) == body["metadata"]["total_points"] == wanted


def ask_metric_query(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    group_by = pick.choice([["model"], ["provider", "environment"], ["user"], ["service", "status_code"]])
    calls = world.between(asked.start, asked.end)
    filters = []
    if pick.random() < 0.5:
        values = pick.sample(["ref-large", "ref-small", "ref-fast", "ref-mystery"], 2)
        op = pick.choice(["in", "not_in", "eq", "ne"])
        filters = [{"dimension": "model", "operator": op, "value": values if op.endswith("in") else values[0]}]
        meant = set(values if op.endswith("in") else values[:1])
        calls = [call for call in calls if (call.model in meant) == (op in ("in", "eq"))]
    metrics = [{"metric": "request_count"}, {"metric": "total_cost", "alias": "spent"},
               {"metric": "duration", "aggregation": pick.choice(["avg", "max", "p95"])}]  # fmt: skip
    least = pick.choice([0, 5, 50])
    query = {
        "metrics": metrics, "start_time": rfc3339(asked.start), "end_time": rfc3339(asked.end), "group_by": group_by,
        "filters": filters, "having": [{"metric": "request_count", "operator": "gte", "value": least}],
        "sort_by": {"field": "request_count", "descending": True}, "limit": 10,
    }  # fmt: skip
    answer = world.server.post("/api/v1/metrics/query", query)
    assert answer.status == 200, answer.body
    body = answer.json
    groups = {name: own for name, own in grouped(calls, group_by).items() if len(own) >= least}
    assert body["metadata"]["total_rows"] == len(groups)
    assert len(body["data"]) == min(len(groups), 10)
    assert [row["request_count"] for row in body["data"]] == sorted(map(len, groups.values()), reverse=True)[:10]
    exact = body["metadata"]["percentiles"] == "exact"
    how = metrics[2]["aggregation"]
    for row in body["data"]:
        own = groups[tuple(row[name] for name in group_by)]
        same_money(row.get("spent"), total(own, "total_cost"), str(row))
        same_metric(row.get(f"duration_{how}"), "duration", how, own, 1, exact, str(row))


def ask_summary(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick, 2 * DAY)
    body = world.get("/api/v1/metrics/summary", **asked.parameters)
    length = asked.end - asked.start
    before = Asked.__new__(Asked)
    before.__dict__.update(asked.__dict__)
    exact = body["metadata"]["percentiles"] == "exact"
    current = body["current_period"]
    assert current["total_requests"] == len(asked.calls)
    same_money(current.get("total_cost_usd"), total(asked.calls, "total_cost"), "total_cost_usd")
    assert current["unique_users"] == metric("unique_users", "", asked.calls, 1)
    assert current["unique_sessions"] == metric("unique_sessions", "", asked.calls, 1)
    same_quantile(current.get("p95_duration_ms"), [c.duration for c in asked.calls], 0.95, exact, "p95")
    assert moment(body["previous_period"]["start_time"]) == asked.start - length
    for key, value in (("by_requests", len), ("by_cost", lambda calls: sum(known(calls, "total_cost")) / NANO)):
        groups = {name: value(own) for name, own in grouped(asked.calls, ["provider", "model"]).items() if value(own)}
        given = {(item["provider"], item["model"]): item["value"] for item in body["top_items"][key]}
        assert given == pytest.approx(groups, rel=1e-9), key


def ask_attribution(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    dimension = pick.choice(["user", "provider", "model", "environment", "service", "session", "tag"])
    body = world.get("/api/v1/costs/attribution", dimension=dimension, limit=1000, **asked.parameters)
    groups = grouped(asked.calls, [dimension])
    assert body["summary"]["unique_items"] == len(body["items"]) == len(groups)
    same_money(body["summary"].get("total_cost"), total(asked.calls, "total_cost"), "total_cost")
    for item in body["items"]:
        own = groups[(item["dimension_value"],)]
        same_money(item.get("total_cost"), total(own, "total_cost"), str(item))
        assert item["request_count"] == len(own)
        shares = {name: sum(known(calls, "total_cost")) / NANO for (name,), calls in grouped(own, ["model"]).items()
                  if known(calls, "total_cost")}  # fmt: skip
        assert item["by_model"] == pytest.approx(shares, rel=1e-9)
    if dimension != "tag":
        assert sum(round(item.get("total_cost", 0) * NANO) for item in body["items"]) == (
            total(asked.calls, "total_cost") or 0
        )


def ask_comparison(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    models = pick.sample(["ref-large", "ref-small", "ref-fast", "ref-odd", "ref-mystery", "ref-absent"], 3)
    asked.parameters.pop("model", None)
    asked.calls = world.between(asked.start, asked.end)
    parameters = {name: asked.parameters[name] for name in ("from", "to")}
    body = world.get("/api/v1/models/compare", models=",".join(models), **parameters)
    exact = body["metadata"]["percentiles"] == "exact"
    own = {m: [c for c in asked.calls if m in (c.model, c.request_model)] for m in models}
    for given in body["models"]:
        calls, figures = own[given["model"]], given["metrics"]
        assert figures["request_count"] == len(calls)
        same(figures.get("avg_cost_usd"), per_request(calls), "avg_cost_usd")
        same_money(figures.get("total_cost_usd"), total(calls, "total_cost"), "total_cost_usd")
        for name, level in (("p50_latency_ms", 0.5), ("p95_latency_ms", 0.95), ("p99_latency_ms", 0.99)):
            same_quantile(figures.get(name), [c.duration for c in calls], level, exact, f"{given['model']} {name}")
        same(figures.get("error_rate"), metric("error_rate", "", calls, 1), "error_rate")
    averages = {m: sum(c.duration for c in calls) / len(calls) for m, calls in own.items() if calls}
    assert body["summary"]["fastest_model"] == (min(averages, key=averages.__getitem__) if averages else "N/A")


_FACETS = {"provider": "provider", "model": "model", "service_name": "service", "environment": "environment",
           "user_id": "user", "status_code": "status_code", "attributes.tier": "attributes.tier"}  # fmt: skip


def ask_facets(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    asked.parameters.pop("timezone")
    wanted = pick.sample([*_FACETS, "tags"], 3)
    body = world.get("/api/v1/traces/facets", facets=",".join(wanted), limit=200, **asked.parameters)
    assert [facet["field"] for facet in body["data"]] == wanted
    for facet in body["data"]:
        if facet["sampled"]:
            assert facet["field"].startswith("attributes."), "so few rows are all looked at"
            continue
        calls = asked.calls
        if facet["field"] in asked.parameters:  # its own condition does not count
            window = {name: asked.parameters[name] for name in ("from", "to")}
            calls = world.between(moment(window["from"]), moment(window["to"]))
            for name, of in (("provider", lambda c: {c.provider}), ("model", lambda c: {c.model, c.request_model}),
                             ("environment", lambda c: {c.environment}), ("service_name", lambda c: {c.service}),
                             ("user_id", lambda c: {c.user})):  # fmt: skip
                if name in asked.parameters and name != facet["field"]:
                    calls = [call for call in calls if of(call) & set(str(asked.parameters[name]).split(","))]
        groups = grouped(calls, ["tag" if facet["field"] == "tags" else _FACETS[facet["field"]]])
        counts = {name: len(own) for (name,), own in groups.items()}
        assert facet["missing"] == counts.pop("", 0), facet
        assert {value["value"]: value["count"] for value in facet["values"]} == counts, facet


def ask_histogram(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    word, step = asked.step(pick)
    body = world.get("/api/v1/traces/histogram", interval=word, **asked.parameters)["data"]
    sides = asked.edges(step)
    assert [moment(bar["timestamp"]) for bar in body["buckets"]] == sides[:-1]
    for bar, begin, end in zip(body["buckets"], sides, sides[1:], strict=False):
        own = [call for call in asked.calls if begin <= call.ts < end]
        assert bar["count"] == len(own), bar
        assert bar["errors"] == sum(call.status == "ERROR" for call in own), bar
    assert body["count"] == len(asked.calls)


def ask_parties(world: World, pick: random.Random) -> None:
    """Sessions or users, walked page by page."""
    asked = Asked(world, pick)
    member, kind = pick.choice([("session", "sessions"), ("user", "users")])
    sort = pick.choice(["last_seen", "first_seen", "calls", "errors", "tokens", "cost"])
    groups = {name: own for (name,), own in grouped(asked.calls, [member]).items() if name}
    parameters = dict(asked.parameters, sort_by=sort, limit=pick.choice([20, 200]))
    rows: list[dict] = []
    while True:
        body = world.get(f"/api/v1/{kind}", **parameters)
        rows += body["data"]
        if not body["pagination"]["has_more"]:
            break
        parameters["cursor"] = body["pagination"]["cursor"]
    assert sorted(row[f"{member}_id"] for row in rows) == sorted(groups), "each once"
    for row in rows:
        own = groups[row[f"{member}_id"]]
        assert row["calls"] == row["spans"] == len(own), row
        assert row["errors"] == sum(call.status == "ERROR" for call in own), row
        assert row.get("tokens") == total(own, "total_tokens"), row
        same_money(row.get("cost_usd"), total(own, "total_cost"), str(row))
        assert moment(row["first_seen"]) == min(call.ts for call in own), row
        assert moment(row["last_seen"]) == max(call.ts for call in own), row
        assert row["models"] == sorted({call.model for call in own}), row
    column = {"cost": "cost_usd"}.get(sort, sort)
    order = [row[column] for row in rows if column in row]
    if not sort.endswith("_seen"):
        assert order == sorted(order, reverse=True), sort
    else:
        assert [moment(at) for at in order] == sorted(map(moment, order), reverse=True), sort


def ask_forecast(world: World, pick: random.Random) -> None:
    zone = pick.choice(["UTC", "Europe/Berlin", "Asia/Kolkata"])
    days = pick.choice([7, 14, 30])
    body = world.get("/api/v1/costs/forecast", historical_start=rfc3339(world.end - days * DAY - DAY),
                     historical_end=rfc3339(world.end), timezone=zone, forecast_period="custom", days=5)  # fmt: skip
    begin, last = day_start(world.end - days * DAY - DAY, zone), day_start(world.end, zone)
    costs: list[int] = []
    while begin < last:
        end = next_day(begin, zone)
        own = world.between(begin, end)
        if own or costs:
            costs.append(sum(known(own, "total_cost")))
        begin = end
    given = [round(day["cost"] * NANO) for day in body["historical"]]
    assert given == costs
    start, slope = line([cost / NANO for cost in costs])
    for at, day in enumerate(body["forecast"]):
        expected = max(0.0, start + slope * (len(costs) + at))
        assert day["forecasted_cost"] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert day["lower_bound"] <= day["forecasted_cost"] <= day["upper_bound"]
    assert len(body["forecast"]) == 5


def check_efficiency(given: dict, calls: list[Call]) -> None:
    tokens, cost = known(calls, "total_tokens"), sum(known(calls, "total_cost")) / NANO
    prompt, completion = sum(known(calls, "prompt")), sum(known(calls, "completion"))
    same(given.get("avg_tokens_per_request"), sum(tokens) / len(calls) if tokens else None, "tokens")
    same(given.get("completion_to_prompt_ratio"), completion / prompt if prompt else None, "ratio")
    same(given.get("tokens_per_dollar"), sum(tokens) / cost if cost else None, "tokens per dollar")
    same(given.get("cost_per_1k_tokens"), cost * 1000 / sum(tokens) if cost else None, "cost of tokens")


def check_texts(body: dict, calls: list[Call]) -> None:
    sides = {
        "input": [texts.mood(call.question) for call in calls],
        "output": [texts.mood(call.answer) for call in calls],
    }
    for side, all_moods in (*sides.items(), ("", sides["input"] + sides["output"])):
        given = body["sentiment"][side] if side else body["sentiment"]
        moods = [mood for mood in all_moods if mood is not None]
        share = {
            "positive": sum(mood >= 0.05 for mood in moods),
            "negative": sum(mood <= -0.05 for mood in moods),
            "neutral": sum(-0.05 < mood < 0.05 for mood in moods),
            "avg_score": sum(moods),
        }
        assert given["count"] == len(moods), side
        for name, value in share.items():
            same(given.get(name), value / len(moods) if moods else None, f"{side} {name}")
    rated = [value for call in calls if (value := texts.coherence(call.question, call.answer)) is not None]
    same(body["quality_scores"].get("coherence"), sum(rated) / len(rated) if rated else None, "coherence")


def check_scores(body: dict, scores: list[Score]) -> None:
    averages = {}
    for name in ("relevance", "toxicity"):
        values = [score.value for score in scores if score.name == name]
        if values:
            averages[name] = sum(values) / len(values)
        same(body["quality_scores"].get(name), averages.get(name), name)
    same(body["quality_scores"].get("overall"), sum(averages.values()) / len(averages) if averages else None, "overall")
    ratings = [score.value for score in scores if score.name == "feedback"]
    same(body.get("avg_feedback_score"), sum(ratings) / len(ratings) if ratings else None, "feedback")
    asked = {score.target for score in scores if score.name == "resolved"}
    solved = {score.target for score in scores if score.name == "resolved" and score.value == 1}
    same(body.get("resolution_rate"), len(solved) / len(asked) if asked else None, "resolution")


def ask_quality(world: World, pick: random.Random) -> None:
    asked = Asked(world, pick)
    body = world.get("/api/v1/analytics/quality", **asked.parameters)
    failed = sum(call.status == "ERROR" for call in asked.calls)
    assert (body["total_requests"], body["failed_requests"]) == (len(asked.calls), failed)
    cut = sum(call.stop == "length" for call in asked.calls)
    same(body["token_efficiency"].get("truncated_rate"), cut / len(asked.calls) if asked.calls else None, "truncated")
    check_efficiency(body["token_efficiency"], asked.calls)
    check_texts(body, [call for call in asked.calls if call.question])
    check_scores(body, [score for score in world.scores if asked.start <= score.ts < asked.end])
    groups = grouped(asked.calls, ["provider", "model"])
    assert len(body["model_comparison"]) == len(groups)
    for row in body["model_comparison"]:
        own = groups[row["provider"], row["model"]]
        same(row.get("success_rate"), metric("success_rate", "", own, 1), str(row))
        same(row.get("avg_cost_usd"), per_request(own), str(row))


_KINDS = [ask_costs, ask_costs, ask_performance, ask_performance, ask_metrics, ask_metrics, ask_metric_query,
          ask_summary, ask_attribution, ask_comparison, ask_forecast, ask_quality, ask_facets, ask_histogram,
          ask_parties]  # fmt: skip


@pytest.mark.parametrize("kind", dict.fromkeys(_KINDS), ids=lambda kind: kind.__name__)
def test_answers_are_those_of_our_own_records(world: World, kind) -> None:
    rounds = max(1, QUESTIONS * _KINDS.count(kind) // len(_KINDS))
    for number in range(rounds):
        seed = f"{SEED} {kind.__name__} {number}"
        try:
            kind(world, random.Random(seed))
        except AssertionError as wrong:
            raise AssertionError(f"question {seed}: {wrong}") from wrong


def test_the_questions_met_rollups_and_spans(world: World) -> None:
    sources = {
        world.get("/api/v1/metrics", metrics="request_count", **{"from": start, "to": end})["metadata"]["data_source"]
        for start, end in (
            (rfc3339((world.end - 20 * MINUTE) // MINUTE * MINUTE), rfc3339(world.end)),
            (rfc3339(world.end - 4 * DAY), rfc3339(world.end)),
        )
    }
    assert sources & {"mixed", "aggregate"}, sources


def test_attribution_is_csv_when_asked(world: World) -> None:
    answer = request("GET", f"{world.server.api}/api/v1/costs/attribution?dimension=model",
                     headers={"authorization": f"Bearer {world.server.token}", "accept": "text/csv"})  # fmt: skip
    assert answer.status == 200
    assert answer.body.decode().splitlines()[0].startswith("dimension_value,total_cost,")
    assert json.loads(world.server.get("/api/v1/costs/attribution", dimension="model").body)["items"]
    assert dollars(NANO) == 1
