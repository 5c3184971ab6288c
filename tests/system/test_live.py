"""Events as they happen: WebSockets and server-sent events, with clients that others wrote."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness import Observatory, request, wait_for
from otlp import Export, model_call
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20.0

# As the README has it.
SNIPPET = """
// Connect to WebSocket for real-time trace events
const ws = new WebSocket('ws://localhost:8080/ws?token=your_jwt');

ws.onmessage = (event) => {
  const trace = JSON.parse(event.data);
  console.log('New trace:', trace);
};
"""


def _address(server: Observatory, path: str = "/ws") -> str:
    return f"ws://{urlsplit(server.api).netloc}{path}"


def _connect(server: Observatory, token: str = "", path: str = "/ws", **options: object) -> ClientConnection:
    headers = {"authorization": f"Bearer {token or server.token}"}
    return connect(_address(server, path), additional_headers=headers, **options)


def _send(server: Observatory, name: str = "", count: int = 1, **attributes: object) -> str:
    """Traces of one model call each; returns their service."""
    export = Export()
    for _ in range(count):
        export.span(model_call(**attributes), **({"name": name} if name else {}))
    assert server.send("traces", export.body).status == 200
    return export.service


def _next(client: ClientConnection, service: str = "") -> dict:
    """The next message; with a service, the next event about it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        message = json.loads(client.recv(timeout=max(0.1, deadline - time.monotonic())))
        if not service or message.get("data", {}).get("service_name") == service:
            return message


def _say(client: ClientConnection, **message: object) -> dict:
    client.send(json.dumps(message))
    return _next(client)


def _closed(client: ClientConnection) -> tuple[int, list[dict]]:
    """The close code, and what came before it."""
    messages = []
    try:
        while True:
            messages.append(json.loads(client.recv(timeout=PATIENCE)))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, "the connection was lost without a farewell"
        return closed.rcvd.code, messages


def _metric(server: Observatory, name: str) -> float:
    text = request("GET", server.api + "/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)


def _token(server: Observatory, *arguments: str) -> str:
    return server.command("token", "--data", str(server.data), *arguments).strip().splitlines()[-1]


def _listens(server: Observatory, more_than: float = 0) -> None:
    wait_for("somebody listens", lambda: _metric(server, "live_listeners") > more_than)


# ---- WebSockets ----


def test_the_snippet_of_the_readme_logs_a_trace(observatory: Observatory) -> None:
    program = SNIPPET.replace("localhost:8080", urlsplit(observatory.api).netloc).replace("your_jwt", observatory.token)
    node = subprocess.Popen(
        ["node", "--experimental-websocket", "-e", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        _listens(observatory)
        service = _send(observatory)
        printed = ""
        watchdog = threading.Timer(PATIENCE, node.kill)
        watchdog.start()
        while "total_tokens" not in printed and (line := node.stdout.readline()):
            printed += line
        watchdog.cancel()
        assert "New trace: {" in printed
        assert f"service_name: '{service}'" in printed
        assert "model: 'gpt-4o'" in printed
    finally:
        node.kill()
        node.wait()


def test_a_trace_is_told_of_when_it_is_new_when_it_grows_and_when_it_settles(observatory: Observatory) -> None:
    with _connect(observatory) as client:
        answer = _say(client, type="subscribe", events=["trace_created", "trace_updated"])
        assert answer["type"] == "subscribed"
        assert answer["events"] == ["trace_created", "trace_updated"]
        assert answer["subscription_id"]
        trace, root = secrets.token_bytes(16), secrets.token_bytes(8)
        export = Export()
        export.span(trace_id=trace, parent_span_id=root)
        assert observatory.send("traces", export.body).status == 200
        created = _next(client, export.service)
        assert (created["type"], created["event_type"]) == ("event", "trace_created")
        assert created["data"]["trace_id"] == created["trace_id"] == trace.hex()
        assert created["data"]["span_count"] == 1
        rest = Export(export.service)
        rest.span({}, trace_id=trace, span_id=root, name="root")
        assert observatory.send("traces", rest.body).status == 200
        grown = _next(client, export.service)
        assert (grown["event_type"], grown["data"]["span_count"]) == ("trace_updated", 2)
        assert grown["data"]["span_name"] == "root"
        assert "trace_id" not in grown, "only trace_created repeats its fields"
        settled = _next(client, export.service)
        assert (settled["event_type"], settled["data"]["settled"]) == ("trace_updated", True)
        kept = wait_for("the span is stored", lambda: observatory.calls(service_name=export.service))
        assert settled["data"]["cost_usd"] == kept[0]["total_cost_usd"]


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({"filters": {"model": "gpt-4o"}}, True),
        ({"filters": {"model": ["o3", "gpt-4o"], "provider": "openai"}}, True),
        ({"filters": {"model": "o3"}}, False),
        ({"filters": {"min_cost": 0.000001, "min_duration_ms": 1000}}, True),
        ({"filters": {"min_cost": 1}}, False),
        ({"filters": {"user_id": "ann"}}, True),
        ({"filters": {"environment": "production"}}, False),
        (
            {
                "filters": {
                    "operator": "AND",
                    "conditions": [
                        {"field": "attributes.tier", "operator": "eq", "value": "gold"},
                        {"field": "prompt_tokens", "operator": "gte", "value": 300},
                    ],
                }
            },
            True,
        ),
        ({"filter": {"operator": "NOT", "filters": [{"field": "model", "operator": "regex", "value": "^gpt"}]}}, False),
    ],
)
def test_filters_decide(observatory: Observatory, filters: dict, passes: bool) -> None:
    with _connect(observatory) as client:
        assert _say(client, type="subscribe", events=["trace_created"], **filters)["type"] == "subscribed"
        with _connect(observatory) as witness:
            service = _send(observatory, user__id="ann", tier="gold")
            _next(witness, service)
            # The tick after it: what the first one had to say is said.
            _next(witness, _send(observatory, gen_ai__request__model="other", gen_ai__provider__name="other"))
        if passes:
            assert _next(client, service)["data"]["user_id"] == "ann"
        else:
            client.send('{"type":"ping"}')
            heard = []
            while (message := _next(client))["type"] != "pong":
                heard.append(message["data"].get("service_name"))
            assert service not in heard


def test_messages_are_answered_and_errors_leave_the_connection_open(observatory: Observatory) -> None:
    with _connect(observatory) as client:
        assert _say(client, type="ping") == {"type": "pong"}
        client.send("not JSON")
        assert _next(client)["code"] == "INVALID_REQUEST"
        assert _say(client, type="subscribe", events=["nonsense"])["code"] == "INVALID_FIELD_VALUE"
        assert _say(client, type="subscribe", events=["trace_created"], filters={"color": 1})["type"] == "error"
        assert _say(client, type="unsubscribe", events=["trace_created"]) == {
            "type": "unsubscribed",
            "events": ["trace_created"],
        }
        assert client.ping().wait(PATIENCE), "pings of the protocol are answered too"
        client.send(b"bytes")
        assert _closed(client)[0] == 1003


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws", {}, 401),
        ("/ws?token=nonsense", {}, 401),
        ("/ws", {"authorization": "Bearer nonsense"}, 401),
        ("/ws?project_id=", {"origin": "https://evil.example"}, 403),
        ("/nowhere", {}, 404),
    ],
)
def test_who_may_not_is_refused_before_the_upgrade(
    observatory: Observatory, path: str, headers: dict[str, str], status: int
) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(_address(observatory, path), additional_headers=headers),
    ):
        pass
    assert refused.value.response.status_code == status


def test_a_token_may_come_as_a_sub_protocol(observatory: Observatory) -> None:
    with connect(_address(observatory, "/api/v1/stream"), subprotocols=["bearer", observatory.token]) as client:
        assert client.subprotocol == "bearer"
        assert _say(client, type="ping")["type"] == "pong"


def test_each_event_takes_its_permission(observatory: Observatory) -> None:
    with _connect(observatory, _token(observatory, "--role", "billing")) as client:
        refused = _say(client, type="subscribe", events=["trace_created"])
        assert refused["code"] == "INSUFFICIENT_PERMISSIONS"
        assert _say(client, type="subscribe", events=["cost_threshold"])["type"] == "subscribed"


def test_nothing_of_another_project_is_heard(observatory: Observatory) -> None:
    foreign = _token(observatory, "--role", "developer", "--project", "default")
    with _connect(observatory, foreign) as client, _connect(observatory) as witness:
        key = observatory.command("key", "create", "--data", str(observatory.data), "--project", f"p{time.time_ns()}")
        key = next(word for word in key.split() if word.startswith("llmo_sk_"))
        export = Export()
        export.span()
        wait_for(
            "the key is known",
            lambda: observatory.send("traces", export.body, authorization=f"Bearer {key}").status == 200,
        )
        assert _next(witness, export.service)["data"]["project_id"] != "default"
        assert _say(client, type="ping")["type"] == "pong", "and no event before it"


def test_a_connection_ends_with_its_session(observatory: Observatory) -> None:
    code = observatory.login.split("code=")[1]
    body = json.dumps({"code": code}).encode()
    signed_in = request("POST", observatory.api + "/api/v1/auth/login", body, {"content-type": "application/json"})
    assert signed_in.status == 200, signed_in.body
    token = signed_in.json["access_token"]
    with _connect(observatory, token) as client:
        assert _say(client, type="ping")["type"] == "pong"
        out = request("POST", observatory.api + "/api/v1/auth/logout", b"", {"authorization": f"Bearer {token}"})
        assert out.status == 204
        code, messages = _closed(client)
        assert code == 4401
        assert messages[-1]["code"] == "INVALID_TOKEN"


def test_a_connection_ends_when_its_token_expires(observatory: Observatory) -> None:
    with _connect(observatory, _token(observatory, "--ttl", "2s")) as client:
        code, messages = _closed(client)
        assert code == 4401
        assert messages[-1]["code"] == "EXPIRED_TOKEN"


def test_a_slow_reader_is_cut_off_and_told_why(observatory: Observatory) -> None:
    before = _metric(observatory, "live_cut_off_total")
    host, port = urlsplit(observatory.api).netloc.split(":")
    with socket.socket() as slow, _connect(observatory, max_queue=None) as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE)
        slow.connect((host, int(port)))
        slow.sendall(
            f"GET /ws?token={observatory.token} HTTP/1.1\r\nHost: {host}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b"101 Switching" in slow.recv(12)[9:] + slow.recv(64)
        sent = 0
        while _metric(observatory, "live_cut_off_total") == before and sent < 60:
            _send(observatory, count=500)
            sent += 1
        assert _metric(observatory, "live_cut_off_total") == before + 1
        read = b""
        while piece := slow.recv(1 << 20):
            read = (read + piece)[-4096:]
        assert b'"type":"error","code":"LIMIT_EXCEEDED"' in read
        assert (4408).to_bytes(2, "big") in read
        last = _send(observatory)
        assert _next(quick, last), "others do not notice"


def test_a_user_has_so_many_connections(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data", ["--store", "memory", "--live-connections-per-user", "2"])
    server.start()
    try:
        with _connect(server), _connect(server):
            with pytest.raises(InvalidStatus) as refused, _connect(server):
                pass
            assert refused.value.response.status_code == 429
            with _connect(server, _token(server, "--role", "viewer", "--subject", "ann")):
                pass
        wait_for("there is room again", lambda: _metric(server, "live_connections") == 0)
        with _connect(server) as client:
            assert _say(client, type="ping")["type"] == "pong"
    finally:
        server.stop()


def test_a_stop_says_good_bye_and_logs_hold_no_token(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data", ["--store", "memory", "--log-level", "debug"])
    server.start()
    token = _token(server, "--role", "admin")
    with connect(_address(server, f"/ws?token={token}")) as client:
        stream = subprocess.Popen(
            ["curl", "--silent", "--no-buffer", f"{server.api}/api/v1/events?token={token}"], stdout=subprocess.PIPE
        )
        _listens(server, 1)
        calls = wait_for("the audit", lambda: server.get("/api/v1/audit", route="/ws").json["data"])
        assert token not in json.dumps(calls)
        server.stop()
        assert _closed(client)[0] == 1001
        assert stream.wait(PATIENCE) == 0
    assert token not in server.errors()


# ---- server-sent events ----


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_follows_the_events(observatory: Observatory, version: str) -> None:
    address = f"{observatory.api}/api/v1/events?events=trace_created,trace_updated&model=gpt-4o"
    listening = _metric(observatory, "live_listeners")
    curl = subprocess.Popen(
        ["curl", "--silent", "--no-buffer", version, "-H", f"Authorization: Bearer {observatory.token}", address],
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE, curl.kill)
    watchdog.start()
    try:
        _listens(observatory, listening)
        service = _send(observatory)
        lines = []
        while not lines or service not in lines[-1]:
            line = curl.stdout.readline()
            assert line, lines
            lines.append(line.rstrip("\n"))
        assert lines[-2] == "event: trace_created"
        assert json.loads(lines[-1].removeprefix("data: "))["data"]["model"] == "gpt-4o"
    finally:
        watchdog.cancel()
        curl.kill()
        curl.wait()
    wait_for("the server knows that it left", lambda: _metric(observatory, "live_listeners") == listening)


@pytest.mark.parametrize(
    ("query", "status"),
    [("events=nonsense", 400), ("filter=%7B", 400), ("project_id=none", 200), ("min_cost=much", 400)],
)
def test_a_stream_is_checked_before_it_begins(observatory: Observatory, query: str, status: int) -> None:
    ran = subprocess.run(
        ["curl", "--silent", "--max-time", "1", "-o", "/dev/null", "-w", "%{http_code}"]
        + ["-H", f"Authorization: Bearer {observatory.token}", f"{observatory.api}/api/v1/events?{query}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == str(status)


# ---- several instances ----


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen]]:
    if shutil.which("redis-server") is None:
        pytest.fail("redis-server is missing: tools/setup")
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "redis.sock"
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
    )
    wait_for("Redis listens", path.exists)
    yield path, server
    server.send_signal(signal.SIGCONT)
    server.kill()
    server.wait()


def test_instances_tell_each_other_and_go_on_alone(
    program: Path,
    redis_socket: tuple[Path, subprocess.Popen],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, redis = redis_socket
    monkeypatch.setenv("LLMOBS_JWT_SECRET", "a secret of the tests that is long enough")
    here, there = (
        Observatory(tmp_path / name, ["--store", "memory", "--redis", f"unix://{path}"]) for name in ("here", "there")
    )
    for server in (here, there):
        server.start()
    try:
        with _connect(here) as client:
            _say(client, type="subscribe", events=["trace_created"], filters={"user_id": "ann"})

            def arrives() -> bool:
                """The other instance learns within a moment that somebody listens here."""
                service = _send(there, user__id="ann")
                _send(there, user__id="bob")
                try:
                    message = json.loads(client.recv(timeout=0.5))
                except TimeoutError:
                    return False
                assert message["data"]["user_id"] == "ann"
                return message["data"]["service_name"] == service

            wait_for("an event of the other instance", arrives, PATIENCE)
            redis.send_signal(signal.SIGSTOP)
            wait_for("the health is degraded", lambda: request("GET", here.api + "/health").status == 503, PATIENCE)
            assert _next(client, _send(here, user__id="ann"))["event_type"] == "trace_created"
            redis.send_signal(signal.SIGCONT)
    finally:
        for server in (here, there):
            server.stop()
