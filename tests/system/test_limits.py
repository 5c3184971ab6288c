"""How often one may ask, and what is used again: in one process, and in two that share a Redis."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import Answer, Observatory, request, wait_for
from otlp import Export


def _headers(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _ask(server: Observatory, token: str, path: str = "/api/v1/fields", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return request("GET", server.api + path, headers={"authorization": f"Bearer {token}"} | named)


def _token(server: Observatory, role: str) -> str:
    return server.command("token", "--data", str(server.data), "--role", role).strip().splitlines()[-1]


def _past(limit: int = 10) -> str:
    """A window that ended two hours ago: what is known of it does not change."""
    return f"/api/v1/traces?from=2020-01-01&to=now-2h&limit={limit}"


# ---- one process ----


def test_every_answer_tells_what_is_left(observatory: Observatory) -> None:
    for role, limit in [("admin", 100_000), ("developer", 10_000), ("viewer", 1_000), ("billing", 1_000)]:
        path = "/api/v1/models/unpriced" if role == "billing" else "/api/v1/fields"
        before = time.time()
        headers = _headers(_ask(observatory, _token(observatory, role), path))
        assert headers["x-ratelimit-limit"] == str(limit)
        assert 0 <= int(headers["x-ratelimit-remaining"]) <= limit
        assert before - 1 <= int(headers["x-ratelimit-reset"]) <= time.time() + 75


def test_answers_carry_their_tag_and_are_not_sent_twice(observatory: Observatory) -> None:
    first = _ask(observatory, observatory.token, _past(11))
    again = _ask(observatory, observatory.token, _past(11))
    assert (first.json["meta"]["cached"], again.json["meta"]["cached"]) == (False, True)
    for answer in (first, again):
        headers = _headers(answer)
        assert headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
        assert headers["cache-control"] == "private, max-age=300"
        assert headers["last-modified"].endswith(" GMT")
        unchanged = _ask(observatory, observatory.token, _past(11), if_none_match=f'"x", {headers["etag"]}')
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert _headers(unchanged)["etag"]
    since = _headers(again)["last-modified"]
    assert _ask(observatory, observatory.token, _past(11), if_modified_since=since).status == 304


def test_what_reaches_now_is_never_old(observatory: Observatory) -> None:
    """Asked again and again, a new span is seen as soon as the store shows it to another question."""
    export = Export()
    path = f"/api/v1/traces?view=spans&service_name={export.service}"
    assert _ask(observatory, observatory.token, path).json["data"] == []
    export.span()
    assert observatory.send("traces", export.body).status == 200
    wait_for("the span", lambda: observatory.spans(service_name=export.service, limit=7))
    assert len(_ask(observatory, observatory.token, path).json["data"]) == 1


def test_an_answer_is_not_shown_to_who_may_see_less(observatory: Observatory) -> None:
    export = Export()
    export.span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "input.value": "hush"})
    assert observatory.send("traces", export.body).status == 200
    wait_for("the span", lambda: observatory.spans(service_name=export.service))
    path = f"/api/v1/traces?view=spans&service_name={export.service}"
    for _ in range(2):
        assert b"hush" in _ask(observatory, _token(observatory, "developer"), path).body
        assert b"hush" not in _ask(observatory, _token(observatory, "viewer"), path).body


def test_who_asks_too_often_is_told_when_to_come_back(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data", ["--store", "memory", "--rate-limits", "viewer=60,admin=0"])
    server.start()
    try:
        token = _token(server, "viewer")
        answers = [_ask(server, token) for _ in range(90)]
        refused = [answer for answer in answers if answer.status == 429]
        # 72 at once, and one more for each second that the asking took.
        assert 10 <= len(refused) <= 18
        assert refused[0].json["error"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert int(_headers(refused[0])["retry-after"]) >= 1
        assert _headers(refused[0])["x-ratelimit-remaining"] == "0"
        assert _headers(refused[0])["x-ratelimit-limit"] == "60"
        assert _ask(server, server.token).status == 200
        metrics = request("GET", server.api + "/metrics").body.decode()
        assert f'rate_limit_exceeded_total{{role="viewer"}} {len(refused)}' in metrics
    finally:
        server.stop()


@pytest.mark.parametrize("limits", ["king=5", "viewer", "viewer=many"])
def test_limits_that_are_none_stop_the_start(program: Path, tmp_path: Path, limits: str) -> None:
    command = [program, "serve", "--data", tmp_path / "data", "--store", "memory", "--rate-limits", limits]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode != 0
    assert "--rate-limits" in ran.stderr


# ---- with Redis ----


@dataclass
class RedisServer:
    folder: Path

    def start(self) -> None:
        self.socket = self.folder / "redis.sock"
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self.folder],
            stdout=subprocess.DEVNULL,
        )
        wait_for("Redis listens", self.socket.exists)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def names(self) -> set[str]:
        ran = subprocess.run(
            ["redis-cli", "-s", self.socket, "--scan"], capture_output=True, text=True, timeout=10, check=True
        )
        return set(ran.stdout.split())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.fail("redis-server is missing: tools/setup")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pair(program: Path, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list]:
    """Two servers with one secret and one Redis; each with data of its own."""
    secret = "a secret of the tests that is long enough"
    servers = []
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LLMOBS_JWT_SECRET", secret)
        for name in ("a", "b"):
            server = Observatory(
                tmp_path_factory.mktemp(name) / "data",
                ["--store", "memory", "--redis", redis_server.url, "--rate-limits", "viewer=600"],
            )
            server.start()
            servers.append(server)
        yield servers
        for server in servers:
            server.stop()


def test_a_limit_holds_for_all_instances_together(pair: list[Observatory]) -> None:
    token = _token(pair[0], "viewer")
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: _ask(pair[n % 2], token), range(1000)))
    took = time.monotonic() - began
    counts = Counter(answer.status for answer in answers)
    # A bucket of 720, filled with ten a second.
    assert 720 <= counts[200] <= 720 + 10 * took + 2, counts
    assert counts[200] + counts[429] == 1000
    # Neither of them has a bucket of its own.
    for instance in (0, 1):
        assert 429 in {answer.status for answer in answers[instance::2]}


def test_answers_about_the_past_are_kept_in_redis(pair: list[Observatory], redis_server: RedisServer) -> None:
    assert _ask(pair[0], pair[0].token, _past(13)).json["meta"]["cached"] is False
    assert any(key.startswith("llmobs:answer:") for key in redis_server.names())
    assert _ask(pair[0], pair[0].token, _past(13)).json["meta"]["cached"] is True
    # The other one has other data.
    assert _ask(pair[1], pair[0].token, _past(13)).json["meta"]["cached"] is False


def _health(server: Observatory) -> tuple[int, str, str]:
    answer = request("GET", server.api + "/health")
    return answer.status, answer.json["status"], answer.json["redis"]


def test_without_redis_there_are_no_limits_and_no_outage(pair: list[Observatory], redis_server: RedisServer) -> None:
    server = pair[0]
    assert _health(server) == (200, "healthy", "healthy")
    token = _token(server, "viewer")
    while _ask(server, token).status != 429:
        pass
    # It is there and does not answer: worse than being gone.
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        assert wait_for("asking without a limit", lambda: _ask(server, token).status == 200)
        assert _health(server) == (503, "degraded", "unhealthy")
        assert request("GET", server.api + "/ready").status == 200
        waits = []
        for _ in range(100):
            began = time.monotonic()
            answer = _ask(server, token)
            waits.append(time.monotonic() - began)
            assert answer.status == 200
            assert "x-ratelimit-limit" not in _headers(answer)
        # Hardly anybody waits for it: a few milliseconds at most, half a second apart.
        assert sorted(waits)[len(waits) // 2] < 0.1
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
    wait_for("Redis is found again", lambda: _health(server) == (200, "healthy", "healthy"))
    wait_for("limits again", lambda: "x-ratelimit-limit" in _headers(_ask(server, token)))


def test_answers_come_while_redis_stops_and_starts(pair: list[Observatory], redis_server: RedisServer) -> None:
    server = pair[1]
    stop, statuses = threading.Event(), Counter()

    def ask() -> None:
        while not stop.is_set():
            statuses[_ask(server, server.token).status] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        redis_server.stop()
        wait_for("health tells", lambda: _health(server)[2] == "unhealthy")
        redis_server.start()
        # It has forgotten its scripts.
        wait_for("health tells", lambda: _health(server)[2] == "healthy")
        wait_for("limits again", lambda: "x-ratelimit-limit" in _headers(_ask(server, server.token)))
    finally:
        stop.set()
        thread.join()
    assert set(statuses) == {200}, statuses
