"""Budgets: what is spent raises alerts, webhooks are told of them, and hard limits mark or refuse what comes after."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness import Answer, Observatory, request, wait_for
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp import Export, model_call

_CALL = 0.00155  # dollars: 300 tokens to gpt-4o, 80 back
_BUDGETS = "/api/v1/costs/budgets"
_ALERTS = "/api/v1/costs/alerts"


@dataclass
class Receiver:
    """Takes what is posted to it; refuses first as often as it was told."""

    refusals: int = 0
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(500 if len(receiver.heard) <= receiver.refusals else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook?team=a"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


_QUICK = ["--store", "memory", "--budget-interval", "200ms", "--webhook-targets", "all"]


@pytest.fixture
def server(program: Path, tmp_path: Path) -> Iterator[Observatory]:
    """Of one test alone: what others spend would be in the way."""
    server = Observatory(tmp_path / "data", _QUICK)
    server.start()
    yield server
    server.stop()


def _ask(server: Observatory, method: str, path: str, body: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"authorization": f"Bearer {server.token}", "content-type": "application/json"} | named
    return request(method, server.api + path, None if body is None else json.dumps(body).encode(), sent)


def _make(server: Observatory, **budget: object) -> dict:
    made = _ask(server, "POST", _BUDGETS, {"project_id": "default"} | budget)
    assert made.status == 201, made.body
    return made.json


def _spend(server: Observatory, calls: int = 1, **attributes: object) -> ExportTraceServiceResponse:
    export = Export()
    for _ in range(calls):
        export.span(model_call(**attributes))
    return _send(server, export)


def _send(server: Observatory, export: Export, **headers: str) -> ExportTraceServiceResponse:
    sent = server.send("traces", export.body, **headers)
    assert sent.status == 200, sent.body
    return ExportTraceServiceResponse.FromString(sent.body)


def _alerts(server: Observatory, **wanted: object) -> list[dict]:
    answer = server.get(_ALERTS, **wanted)
    assert answer.status == 200, answer.body
    return answer.json["alerts"]


def _status(server: Observatory, budget: dict) -> dict:
    return server.get(f"{_BUDGETS}/{budget['id']}").json.get("status", {})


def _signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    signed = headers["x-observatory-timestamp"].encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def test_an_alert_is_seen_everywhere_and_delivered_in_the_end(server: Observatory, receiver: Receiver) -> None:
    receiver.refusals = 1
    budget = _make(server, name="Team", amount=2.5 * _CALL, warning_threshold=30, webhook_url=receiver.url)
    secret = budget["webhook_secret"]
    _spend(server)
    (alert,) = wait_for("the alert", lambda: _alerts(server))
    assert alert["budget_id"] == budget["id"]
    assert alert["severity"] == "warning"
    assert alert["current_cost"] == pytest.approx(_CALL)
    assert alert["threshold_value"] == pytest.approx(0.75 * _CALL)
    assert alert["percentage_used"] == pytest.approx(40)
    wait_for("it was told and told again", lambda: len(receiver.heard) == 2)
    (refused, first), (taken, second) = receiver.heard
    assert first == second
    assert refused["x-observatory-delivery"] == taken["x-observatory-delivery"]
    for headers, body in receiver.heard:
        assert headers["content-type"] == "application/json"
        assert headers["x-observatory-event"] == "budget.alert"
        assert abs(int(headers["x-observatory-timestamp"]) - time.time()) < 60
        assert hmac.compare_digest(headers["x-observatory-signature"], _signature(secret, headers, body))
    told = json.loads(second)
    assert told["id"] == alert["id"]
    assert told["period"] == "monthly"
    assert told["current_value"] == pytest.approx(_CALL)

    def delivered() -> list[dict]:
        kept = server.get(f"{_BUDGETS}/{budget['id']}/deliveries").json["deliveries"]
        return kept if kept[0]["state"] == "delivered" else []

    (delivery,) = wait_for("the log says so", delivered)
    assert (delivery["attempts"], delivery["last_status"]) == (2, 204)
    assert secret not in server.get(f"{_BUDGETS}/{budget['id']}").body.decode()
    listed = server.get("/api/v1/analytics/costs").json["budget_alerts"]
    assert [one["id"] for one in listed] == [alert["id"]]
    _spend(server, calls=2)
    wait_for("the critical one", lambda: _alerts(server, severity="critical"))
    assert len(_alerts(server)) == 2
    history = server.get(f"{_BUDGETS}/{budget['id']}/history", periods=3).json["periods"]
    assert [round(period["spent"] / _CALL) for period in history] == [0, 0, 3]
    raised = _ask(server, "PUT", f"{_BUDGETS}/{budget['id']}", {"amount": 1})
    assert raised.status == 200, raised.body
    wait_for("they are resolved", lambda: not _alerts(server, open="true"))
    wait_for("and that is told", lambda: len(receiver.heard) == 5)
    assert [json.loads(body)["type"] for _, body in receiver.heard[-2:]] == ["budget.resolved"] * 2
    assert all("resolved_at" in one for one in _alerts(server))


def test_a_receiver_that_is_away_gets_it_later(server: Observatory, receiver: Receiver) -> None:
    budget = _make(server, name="Team", amount=_CALL, webhook_url="http://127.0.0.1:9/")
    _spend(server)

    def log() -> list[dict]:
        kept = server.get(f"{_BUDGETS}/{budget['id']}/deliveries").json["deliveries"]
        return kept if kept and all(one["attempts"] > 0 and "last_error" in one for one in kept) else []

    for delivery in wait_for("nobody listens there", log):
        assert delivery["state"] == "pending"
        assert "next_attempt_at" in delivery
        assert "last_status" not in delivery


def test_spans_over_a_hard_limit_are_kept_and_marked(server: Observatory) -> None:
    budget = _make(server, name="Team", amount=1, hard_limit=_CALL)
    assert not _spend(server).partial_success.error_message
    tag = ""

    def exceeded() -> Answer | None:
        answer = server.get("/api/v1/costs/limits")
        assert answer.status == 200
        return answer if answer.json["exceeded"] else None

    answer = wait_for("the limit is exceeded", exceeded)
    assert answer.json["code"] == "QUOTA_EXCEEDED"
    assert [limit["budget_id"] for limit in answer.json["limits"]] == [budget["id"]]
    tag = {name.lower(): value for name, value in answer.headers.items()}["etag"]
    assert _ask(server, "GET", "/api/v1/costs/limits", if_none_match=tag).status == 304
    export = Export()
    export.span()
    told = _send(server, export).partial_success
    assert told.rejected_spans == 0
    assert "QUOTA_EXCEEDED" in told.error_message
    (row,) = wait_for("the span is kept", lambda: server.spans(service_name=export.service))
    assert "over_budget" in row["flags"]
    metrics = request("GET", server.api + "/metrics").body.decode()
    assert "collector_spans_over_budget_total 1\n" in metrics
    assert "budgets_over_hard_limit 1\n" in metrics


def test_spans_over_a_limit_that_refuses_are_refused_one_by_one(server: Observatory) -> None:
    _make(
        server,
        name="Each",
        scope="user",
        amount=1,
        period="rolling",
        rolling_days=30,
        hard_limit=_CALL,
        on_hard_limit="refuse",
    )
    _spend(server, user__id="ann")
    wait_for("ann is over", lambda: server.get("/api/v1/costs/limits", user_id="ann").json["exceeded"])
    assert not server.get("/api/v1/costs/limits", user_id="bob").json["exceeded"]
    export = Export()
    for user in ["ann", "bob", "ann"]:
        export.span(model_call(user__id=user))
    told = _send(server, export).partial_success
    assert told.rejected_spans == 2
    assert "QUOTA_EXCEEDED: budget Each" in told.error_message
    (row,) = wait_for("the other span is kept", lambda: server.spans(service_name=export.service))
    assert row["user_id"] == "bob"
    assert 'collector_spans_dropped_total{reason="quota_exceeded"} 2\n' in (
        request("GET", server.api + "/metrics").body.decode()
    )


def test_a_key_has_a_budget_of_its_own(server: Observatory) -> None:
    keys = []
    for name in ["one", "other"]:
        made = _ask(server, "POST", "/api/v1/admin/keys", {"name": name, "scopes": ["ingest"], "projects": ["default"]})
        assert made.status == 201, made.body
        keys.append(made.json)
    budgets = [
        _make(server, name=key["details"]["id"], scope="key", scope_value=key["details"]["id"], amount=2 * _CALL)
        for key in keys
    ]
    for key, calls in zip(keys, [1, 2], strict=True):
        export = Export()
        for _ in range(calls):
            export.span()
        wait_for(
            "the key is known",
            lambda key=key, body=export.body: (
                server.send("traces", body, authorization=f"Bearer {key['key']}").status == 200
            ),
        )
    wait_for("the second one is spent", lambda: _status(server, budgets[1]).get("level") == "critical")
    assert _status(server, budgets[0])["spent"] == pytest.approx(_CALL)


def test_webhooks_may_not_go_inside_unless_that_is_set(observatory: Observatory) -> None:
    for url in ["http://127.0.0.1:9/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest"]:
        body = {"name": "x", "amount": 1, "project_id": "default", "webhook_url": url}
        refused = _ask(observatory, "POST", _BUDGETS, body)
        assert (refused.status, refused.json["error"]["field"]) == (400, "webhook_url")


def test_two_servers_tell_once(program: Path, address: str, tmp_path: Path, receiver: Receiver) -> None:
    servers = [Observatory(tmp_path / name, [*_QUICK, "--catalog", address]) for name in ["one", "other"]]
    one, other = servers
    try:
        for server in servers:
            server.start()
        budget = _make(one, name="Team", amount=_CALL, critical_threshold=1000, webhook_url=receiver.url)
        for server in servers:
            _spend(server)
        for server in servers:
            level = wait_for("both noticed", lambda server=server: _status(server, budget).get("level", "ok") != "ok")
            assert level
        (alert,) = wait_for("the alert", lambda: _alerts(one))
        assert _alerts(other) == [alert]
        wait_for("it was told", lambda: receiver.heard)
        looks = [_looks(server) for server in servers]
        wait_for("both have looked again", lambda: all(_looks(s) > n + 2 for s, n in zip(servers, looks, strict=True)))
        assert len(receiver.heard) == 1
        assert [one["attempts"] for one in other.get(f"{_BUDGETS}/{budget['id']}/deliveries").json["deliveries"]] == [1]
    finally:
        for server in servers:
            server.stop()


def _looks(server: Observatory) -> int:
    text = request("GET", server.api + "/metrics").body.decode()
    return int(next(line for line in text.splitlines() if line.startswith("budget_looks_total ")).split()[1])
