"""What a page needs beside lists: facets, histograms, sessions, the inside of a trace, costs explained, saved views,
and settings of projects that act."""

from __future__ import annotations

import json
import secrets
import time
from decimal import Decimal
from pathlib import Path

import pytest
from harness import SETTLE_SECONDS, Answer, Observatory, request, wait_for
from otlp import DAY, SECOND, Export, model_call


def _ask(server: Observatory, method: str, path: str, body: object = None, token: str = "") -> Answer:
    headers = {"authorization": f"Bearer {token or server.token}", "content-type": "application/json"}
    return request(method, server.api + path, None if body is None else json.dumps(body).encode(), headers)


def _token(server: Observatory, role: str) -> str:
    return server.command("token", "--data", str(server.data), "--role", role).strip().splitlines()[-1]


def _data(server: Observatory, path: str, **parameters: object):
    answer = server.get(path, **parameters)
    assert answer.status == 200, answer.body
    return answer.json["data"]


class Chat:
    """A session of two turns: an agent whose two calls are priced, then a call of a model without a price."""

    def __init__(self) -> None:
        self.session, self.user = f"s-{secrets.token_hex(4)}", f"u-{secrets.token_hex(4)}"
        self.export = Export()
        self.now = time.time_ns()
        self.trace, self.root = secrets.token_bytes(16), secrets.token_bytes(8)
        first = self.now - 60 * SECOND
        self._span(first, 9, "agent", {"gen_ai.operation.name": "invoke_agent"}, span_id=self.root)
        self.calls = [
            self._span(
                first + n * SECOND, 1, "chat",
                model_call(gen_ai__usage__input_tokens=1000 + n, gen_ai__usage__cache_read__input_tokens=500,
                           gen_ai__input__messages=json.dumps([{"role": "user", "parts": [
                               {"type": "text", "content": f"question {n}"}]}])),
                parent_span_id=self.root,
            )
            for n in (1, 2)
        ]  # fmt: skip
        self.second = secrets.token_bytes(16)
        self._span(self.now - 20 * SECOND, 2, "chat nobody",
                   model_call(gen_ai__provider__name="nobody", gen_ai__request__model=f"m-{self.user}"),
                   trace_id=self.second)  # fmt: skip

    def _span(self, start: int, seconds: int, name: str, attributes: dict, **fields: object):
        who = {"session.id": self.session, "user.id": self.user, "tier": "gold"}
        times = {"start_time_unix_nano": start, "end_time_unix_nano": start + seconds * SECOND}
        return self.export.span(attributes | who, name=name, **({"trace_id": self.trace} | times | fields))


@pytest.fixture(scope="module")
def chat(observatory: Observatory) -> Chat:
    made = Chat()
    assert observatory.send("traces", made.export.body).status == 200
    path = f"/api/v1/sessions/{made.session}"

    def spans() -> int:
        answer = observatory.get(path)
        return answer.json["data"]["spans"] if answer.status == 200 else 0

    wait_for("everything is stored", lambda: spans() == 4)
    wait_for("costs stand where they belong", lambda: _data(observatory, path)["calls"] == 3, SETTLE_SECONDS)
    return made


def test_facets_and_the_histogram_are_of_the_list(observatory: Observatory, chat: Chat) -> None:
    mine = {"user_id": chat.user, "from": "now-1h"}
    model, user, tier = _data(observatory, "/api/v1/traces/facets", facets="model,user_id,attributes.tier", **mine)
    assert {value["value"]: value["count"] for value in model["values"]} == {"gpt-4o": 2, f"m-{chat.user}": 1}
    assert {"value": chat.user, "count": 3} in user["values"], "its own condition does not count"
    assert tier["values"] == [{"value": "gold", "count": 3}]
    (found,) = _data(observatory, "/api/v1/traces/facets", facets="user_id", prefix=chat.user[:6].upper())
    assert chat.user in {value["value"] for value in found["values"]}
    tree = {"filters": {"field": "session_id", "operator": "eq", "value": chat.session}, "view": "spans"}
    answer = observatory.post("/api/v1/traces/facets?facets=kind,attributes", tree)
    assert {value["value"]: value["count"] for value in answer.json["data"][0]["values"]} == {"agent": 1, "llm": 3}
    bars = _data(observatory, "/api/v1/traces/histogram", buckets=30, **mine)
    assert bars["count"] == sum(bar["count"] for bar in bars["buckets"]) == 3
    assert observatory.post("/api/v1/traces/histogram", tree).json["data"]["count"] == 4


def test_a_session_is_a_thread_of_turns(observatory: Observatory, chat: Chat) -> None:
    one = _data(observatory, f"/api/v1/sessions/{chat.session}")
    assert (one["traces"], one["calls"], one["errors"], one["users"]) == (2, 3, 0, [chat.user])
    assert one["session_id"] in {row["session_id"] for row in _data(observatory, "/api/v1/sessions", limit=200)}
    assert [row["session_id"] for row in _data(observatory, f"/api/v1/users/{chat.user}/sessions")] == [chat.session]
    turns = _data(observatory, f"/api/v1/sessions/{chat.session}/turns")
    assert [turn["trace_id"] for turn in turns] == [chat.trace.hex(), chat.second.hex()]
    assert turns[0]["input"].startswith("question")
    hidden = _ask(observatory, "GET", f"/api/v1/sessions/{chat.session}/turns", token=_token(observatory, "viewer"))
    assert hidden.status == 200 and b"question" not in hidden.body


def test_a_trace_is_shown_without_payloads_and_its_spans_with_them(observatory: Observatory, chat: Chat) -> None:
    path = f"/api/v1/traces/{chat.trace.hex()}"
    skeleton = observatory.get(path + "/skeleton")
    assert b"question" not in skeleton.body
    bones = skeleton.json["data"]["spans"]
    assert [(bone["depth"], bone["span_name"]) for bone in bones] == [(0, "agent"), (1, "chat"), (1, "chat")]
    ids = [bone["span_id"] for bone in bones]
    spans = _data(observatory, path + "/spans", span_ids=",".join(ids))
    assert [span["span_id"] for span in spans] == ids
    one = _data(observatory, f"{path}/spans/{ids[1]}")
    assert one["input_text"] == "question 1"
    hidden = _ask(observatory, "GET", f"{path}/spans/{ids[1]}", token=_token(observatory, "viewer"))
    assert hidden.status == 200 and b"question" not in hidden.body
    assert observatory.get(f"{path}/spans/{secrets.token_hex(8)}").status == 404


def test_the_pieces_of_a_cost_are_the_cost(observatory: Observatory, chat: Chat) -> None:
    path = f"/api/v1/traces/{chat.trace.hex()}"
    answer = observatory.get(path + "/cost")
    ledger = json.loads(answer.body, parse_float=Decimal, parse_int=Decimal)["data"]
    parts = sum(part["amount_usd"] for part in ledger["parts"])
    assert parts + ledger["rounding_usd"] + ledger["unexplained_usd"] == ledger["cost_usd"]
    assert (ledger["counted_spans"], ledger["unexplained_usd"]) == (2, 0)
    listed = json.loads(observatory.get(path + "/skeleton").body, parse_float=Decimal)["data"]
    assert ledger["cost_usd"] == listed["trace_cost_usd"]
    for call in chat.calls:
        one = observatory.get(f"{path}/spans/{call.span_id.hex()}/cost")
        span = json.loads(one.body, parse_float=Decimal, parse_int=Decimal)["data"]
        assert span["explained"] is True and span["standing"] == "counted", span
        assert {line["part"] for line in span["lines"]} == {"input", "cached_input", "output"}
        for line in span["lines"]:
            assert line["tokens"] * line["rate_usd_per_million"] / 1_000_000 == line["amount_usd"], line
        assert sum(line["amount_usd"] for line in span["lines"]) + span["rounding_usd"] == span["cost_usd"]


def test_models_without_a_price_are_found_in_what_is_stored(observatory: Observatory, chat: Chat) -> None:
    def mine() -> list[dict]:
        models = observatory.get("/api/v1/models/unpriced", _=time.monotonic()).json["models"]
        return [model for model in models if model["model"] == f"m-{chat.user}"]

    (model,) = mine()
    assert (model["provider"], model["span_count"], model["tokens"]) == ("nobody", 1, 380)
    observatory.stop()
    observatory.start()
    assert mine() == [model], "also after a restart"


def test_views_are_saved(observatory: Observatory) -> None:
    question = {"filters": {"field": "model", "operator": "eq", "value": "gpt-4o"}, "sort_by": "duration_ms"}
    body = {"name": "slow ones", "project_id": "default", "shared": True, "question": question}
    made = _ask(observatory, "POST", "/api/v1/views", body)
    assert made.status == 201, made.body
    path = f"/api/v1/views/{made.json['id']}"
    viewer = _token(observatory, "viewer")
    assert _ask(observatory, "GET", path, token=viewer).json["question"] == question
    assert observatory.post("/api/v1/traces/search", question).status == 200, "it is a question as it is"
    assert _ask(observatory, "DELETE", path, token=viewer).status == 403
    assert _ask(observatory, "PATCH", path, {"shared": False}).status == 200
    assert _ask(observatory, "GET", path, token=viewer).status == 404
    assert _ask(observatory, "DELETE", path).status == 204


@pytest.fixture
def alone(program: Path, tmp_path: Path):
    """A server whose project may be given settings of its own."""
    server = Observatory(tmp_path / "data")
    server.start()
    yield server
    server.stop()


def _settings(server: Observatory, **changed: object) -> Answer:
    return _ask(server, "PATCH", "/api/v1/admin/projects/default/settings", changed)


def test_days_are_those_of_the_project(alone: Observatory) -> None:
    assert alone.get("/api/v1/analytics/costs").json["metadata"]["timezone"] == "UTC"
    assert _settings(alone, time_zone="Asia/Kolkata").status == 200
    body = alone.get("/api/v1/analytics/costs").json
    assert body["metadata"]["timezone"] == "Asia/Kolkata", "at once, also in an answer that was kept"
    assert all(point["timestamp"].endswith("18:30:00Z") for point in body["time_series"])
    assert alone.get("/api/v1/analytics/costs", timezone="UTC").json["metadata"]["timezone"] == "UTC"


def test_a_project_has_a_quota(alone: Observatory) -> None:
    assert _settings(alone, requests_per_second=1).status == 200

    def sent() -> int:
        export = Export()
        export.span()
        return alone.send("traces", export.body).status

    wait_for("the quota is known", lambda: sent() == 429)
    assert _settings(alone, requests_per_second=None).status == 200
    wait_for("it is taken back", lambda: [sent() for _ in range(5)] == [200] * 5)


def test_a_project_keeps_rows_and_texts_for_its_own_time(alone: Observatory) -> None:
    ages = {days: f"chat {days}" for days in (1, 4, 9)}
    export = Export()
    message = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a prompt"}]}])
    for days, name in ages.items():
        start = time.time_ns() - days * DAY
        export.span(model_call(gen_ai__input__messages=message), name=name,
                    start_time_unix_nano=start, end_time_unix_nano=start + SECOND)  # fmt: skip
    assert alone.send("traces", export.body).status == 200
    wait_for("everything is stored", lambda: len(alone.spans()) == 3)
    assert _settings(alone, keep_rows_days=6, keep_payload_days=2).status == 200
    too_long = _settings(alone, keep_rows_days=36500)
    assert too_long.status == 400 and too_long.json["error"]["field"] == "keep_rows_days"
    alone.stop()
    alone.start()  # it looks after a start, then once an hour

    def left() -> dict[str, str]:
        return {span["span_name"]: span.get("input_text", "") for span in alone.spans()}

    wait_for("what is too old is gone", lambda: left() == {"chat 1": "a prompt", "chat 4": ""}, 30)
