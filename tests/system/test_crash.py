"""Killed at the worst moments and started again: what was acknowledged is there, once (decision 40).

30 rounds; OBS_CRASH_ROUNDS sets another number, OBS_CRASH_SEED repeats a run.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import os
import random
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from harness import PROGRAM, Observatory, request, wait_for
from otlp import DAY, SECOND, Export, model_call

ROUNDS = int(os.environ.get("OBS_CRASH_ROUNDS", "30"))
SEED = int(os.environ.get("OBS_CRASH_SEED", "0")) or time.time_ns() % 1_000_000
CONNECTIONS = 2  # of each protocol

# Where the program kills itself, and at which visit. Those of the last two need a segment that is done with: a round
# of traces that settle.
FAILPOINTS = [
    "journal.written:1", "journal.written:7", "journal.synced:1", "journal.synced:5",
    "journal.acknowledged:1", "journal.acknowledged:20", "writer.announced:1", "writer.announced:3",
    "writer.partition:1", "writer.partition:2", "writer.partition:9", "writer.amended:1", "writer.amended:4",
]  # fmt: skip
SLOW_FAILPOINTS = ["journal.confirmed:1", "journal.recycled:1"]
# Long enough for a trace in parts to be sent again after a restart, short enough to settle in a round.
SETTLING = ["--settle-after", "6s", "--settle-after-root", "2s"]


@dataclass
class Request:
    """What is sent in one piece, and sent again as it is."""

    body: bytes
    spans: list[int]
    acknowledged: bool = False
    tries: int = 0
    given_up: bool = False  # the client lost it: it may be there or not


@dataclass
class Work:
    """Everything that was ever generated, by the generator's own records."""

    service: str
    random: random.Random
    spans: int = 0
    prompt_tokens: dict[int, int] = field(default_factory=dict)  # of spans that count
    completion_tokens: dict[int, int] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def _span(self, export: Export, counts: bool = True, **fields: object) -> tuple[int, bytes]:
        self.spans += 1
        number, span_id = self.spans, self.spans.to_bytes(8, "big")
        tokens = (self.random.randrange(1, 1000), self.random.randrange(1, 1000))
        usage = {"gen_ai__usage__input_tokens": tokens[0], "gen_ai__usage__output_tokens": tokens[1]}
        export.span(model_call(**usage), span_id=span_id, name=f"span {number}", **fields)
        if counts:
            self.prompt_tokens[number], self.completion_tokens[number] = tokens
        return number, span_id

    def _keep(self, parts: list[tuple[Export, list[int]]]) -> list[Request]:
        made = [Request(export.body, numbers) for export, numbers in parts]
        self.requests += made
        return made

    def single_calls(self) -> list[Request]:
        """A batch of traces of one span each."""
        export = Export(self.service)
        return self._keep([(export, [self._span(export)[0] for _ in range(self.random.randrange(1, 30))])])

    def many_days(self) -> list[Request]:
        export, now = Export(self.service), time.time_ns()
        numbers = []
        for day in range(self.random.randrange(2, 6)):
            start = now - day * DAY - SECOND
            numbers.append(self._span(export, start_time_unix_nano=start, end_time_unix_nano=start + SECOND)[0])
        return self._keep([(export, numbers)])

    def wrapper_in_parts(self) -> list[Request]:
        """A call that wraps another one; they come in two requests, in any order."""
        trace = self.random.randbytes(16)
        outer, inner = Export(self.service), Export(self.service)
        wrapper, span_id = self._span(outer, counts=False, trace_id=trace)
        call, _ = self._span(inner, trace_id=trace, parent_span_id=span_id)
        parts = [(outer, [wrapper]), (inner, [call])]
        self.random.shuffle(parts)
        return self._keep(parts)

    def some(self, in_parts: bool) -> list[Request]:
        kinds = [self.single_calls] * 4 + [self.many_days] * 2 + ([self.wrapper_in_parts] * 3 if in_parts else [])
        return self.random.choice(kinds)()


class Client:
    """Sends from several connections until everything is acknowledged; what fails is sent again."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._queue: collections.deque[Request] = collections.deque()
        self._changed = threading.Condition()
        self._server: Observatory | None = None
        self._life = 0
        self._closed = False
        self.acknowledged = 0
        self.unexpected: list[str] = []
        senders = [self._send_http] * CONNECTIONS + [self._send_grpc] * CONNECTIONS
        self._threads = [threading.Thread(target=self._run, args=(send,), daemon=True) for send in senders]
        for thread in self._threads:
            thread.start()

    def add(self, requests: list[Request]) -> None:
        with self._changed:
            self._queue.extend(requests)
            self._changed.notify_all()

    def connect(self, server: Observatory | None) -> None:
        """To a server that has just started; to nobody while it is dead."""
        with self._changed:
            self._server = server
            self._life += 1
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        with self._changed:
            return len(self._queue)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _next(self) -> tuple[Request, Observatory, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._queue and self._server))
            if self._closed:
                return None
            return self._queue.popleft(), self._server, self._life

    def _done(self, sent: Request, acknowledged: bool, life: int) -> None:
        with self._changed:
            sent.tries += 1
            if acknowledged:
                sent.acknowledged = True
                self.acknowledged += 1
            elif len(sent.spans) > 1 and self._random.random() < 0.1:
                sent.given_up = True
            else:
                self._queue.appendleft(sent)
                if life == self._life:
                    self._server = None  # until somebody says that there is a new one
            self._changed.notify_all()

    def _run(self, send: Callable[[Request, Observatory], bool]) -> None:
        while work := self._next():
            sent, server, life = work
            try:
                acknowledged = send(sent, server)
            except (OSError, http.client.HTTPException, grpc.RpcError):
                acknowledged = False
            self._done(sent, acknowledged, life)

    def _send_http(self, sent: Request, server: Observatory) -> bool:
        connection = self._connection(server.otlp_http, self._open_http)
        try:
            connection.request("POST", "/v1/traces", sent.body, {"content-type": "application/x-protobuf"})
            answer = connection.getresponse()
            body = answer.read()
        except Exception:
            connection.close()
            raise
        if answer.status == 200 and body:
            self.unexpected.append(f"partial success {body!r}")
        elif answer.status not in (200, 429, 503):
            self.unexpected.append(f"HTTP {answer.status} {body!r}")
        return answer.status == 200

    def _send_grpc(self, sent: Request, server: Observatory) -> bool:
        channel = self._connection(server.otlp_grpc, self._open_grpc)
        call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        try:
            if body := call(sent.body, timeout=30):
                self.unexpected.append(f"partial success {body!r}")
        except grpc.RpcError as refused:
            if refused.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
                self.unexpected.append(f"gRPC {refused.code()} {refused.details()}")
            raise
        return True

    _of_thread = threading.local()

    def _connection(self, address: str, open_one: Callable[[str], object]):
        """One a thread, for as long as the server lives at this address."""
        known = getattr(self._of_thread, "connection", None)
        if known is None or known[0] != address:
            if known is not None:
                known[1].close()
            known = self._of_thread.connection = (address, open_one(address))
        return known[1]

    @staticmethod
    def _open_http(address: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=30)

    @staticmethod
    def _open_grpc(address: str) -> grpc.Channel:
        return grpc.insecure_channel(address.removeprefix("http://"), [("grpc.use_local_subchannel_pool", 1)])


@contextlib.contextmanager
def _failpoint(name: str | None) -> Iterator[None]:
    """For the program that is started meanwhile."""
    if name is not None:
        os.environ["LLMOBS_FAILPOINT"] = name
    try:
        yield
    finally:
        os.environ.pop("LLMOBS_FAILPOINT", None)


def _start(server: Observatory, failpoint: str | None) -> bool:
    """False when it reached the failpoint before it was ready."""
    with _failpoint(failpoint):
        try:
            server.start()
        except (pytest.fail.Exception, OSError):
            if failpoint is None or _exit_code(server) != -9:
                raise
            return False
    return True


def _exit_code(server: Observatory) -> int | None:
    """Of a program that is about to end."""
    try:
        return server._process.wait(10)
    except subprocess.TimeoutExpired:
        return None


def _is_dead(server: Observatory) -> bool:
    return server._process.poll() is not None


def _check(server: Observatory, work: Work) -> None:
    """Every acknowledged span once, every other one at most once, and their tokens once."""
    acknowledged = {number for sent in work.requests if sent.acknowledged for number in sent.spans}
    lost = {number for sent in work.requests if sent.given_up for number in sent.spans}

    def rows() -> list[dict]:
        return server.spans(service_name=work.service, fields="span_id,prompt_tokens,completion_tokens,is_call")

    def settled() -> list[dict] | None:
        found = rows()
        calls = {int(row["span_id"], 16) for row in found if row.get("is_call")}
        complete = {int(row["span_id"], 16) for row in found} >= acknowledged
        return found if complete and calls <= work.prompt_tokens.keys() else None

    try:
        found = wait_for("every span is there and settled", lambda: settled() is not None, 60) and rows()
    except pytest.fail.Exception:
        found = rows()  # the comparison below says what is wrong
    times = collections.Counter(int(row["span_id"], 16) for row in found)
    assert not acknowledged - times.keys(), "acknowledged and not there"
    assert not [number for number, count in times.items() if count > 1], "more than once"
    assert times.keys() <= acknowledged | lost, "never sent"
    for name, expected in (("prompt_tokens", work.prompt_tokens), ("completion_tokens", work.completion_tokens)):
        counted = {int(row["span_id"], 16): row[name] for row in found if row.get("is_call")}
        assert counted == {number: expected[number] for number in times if number in expected}, name


def test_what_was_acknowledged_is_there_once_however_it_is_killed(program: Path, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"OBS_CRASH_SEED={SEED}")
    server = Observatory(tmp_path / "data", SETTLING)
    work, client = Work("crash", chance), Client(SEED)
    fast = [None, *FAILPOINTS]
    chance.shuffle(fast)
    reached: collections.Counter[str] = collections.Counter()
    for round_number in range(ROUNDS):
        slow = round_number % 10 == 9
        failpoint = SLOW_FAILPOINTS[round_number // 10 % 2] if slow else fast[round_number % len(fast)]
        client.add([sent for _ in range(60) for sent in work.some(in_parts=not slow)])
        if _start(server, failpoint):
            before = client.acknowledged
            client.connect(server)
            # Killed at the failpoint; if that is not on this way, when some more requests have been acknowledged.
            enough = before + chance.randrange(0, 90)
            if slow:
                wait_for(f"{failpoint} is reached", lambda: _is_dead(server), 60)
            else:
                wait_for(
                    "requests are acknowledged",
                    lambda enough=enough: _is_dead(server) or client.acknowledged >= enough or not client.waiting,
                    60,
                )
            if failpoint is None or not _is_dead(server):
                server.kill()
            else:
                reached[failpoint] += 1
        elif failpoint:
            reached[failpoint] += 1
        client.connect(None)
        server.kill()
    _start(server, None)
    client.connect(server)
    wait_for("everything is acknowledged", lambda: all(r.acknowledged or r.given_up for r in work.requests), 60)
    client.close()
    assert not client.unexpected
    _check(server, work)
    server.stop()
    again = Observatory(server.data)
    again.start()
    _check(again, work)
    again.stop()
    resent = sum(1 for sent in work.requests if sent.tries > 1)
    print(f"{ROUNDS} rounds, {work.spans} spans in {len(work.requests)} requests, {resent} sent again, {dict(reached)}")
    assert resent
    assert ROUNDS < 20 or set(SLOW_FAILPOINTS) <= reached.keys()


def test_a_second_program_is_refused_on_the_same_directory(observatory: Observatory) -> None:
    command = [str(PROGRAM), "serve", "--data", str(observatory.data)]
    command += ["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--api", "127.0.0.1:0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode not in (0, -6, -11)
    assert str(observatory.data) in second.stderr
    assert "ready" not in second.stdout
    assert observatory.get("/api/v1/traces", limit=1).status == 200


def test_asked_to_stop_under_load_it_loses_nothing(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data")
    server.start()
    work, client = Work("stopped", random.Random(SEED)), Client(SEED)
    client.add([sent for _ in range(400) for sent in work.some(in_parts=True)])
    client.connect(server)
    wait_for("it is under load", lambda: client.acknowledged >= 20)
    server.stop()  # and asserts that it ends with 0
    client.connect(None)
    assert client.waiting, "it was stopped after the load"
    server.start()
    client.connect(server)
    wait_for("everything is acknowledged", lambda: all(r.acknowledged or r.given_up for r in work.requests), 60)
    client.close()
    assert not client.unexpected
    _check(server, work)
    server.stop()


@pytest.mark.parametrize("end", [Observatory.stop, Observatory.kill], ids=["stop", "kill"])
def test_a_call_after_the_end_makes_the_one_before_it_a_wrapper(end, program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data", SETTLING)
    server.start()
    usage = model_call(gen_ai__usage__input_tokens=10, gen_ai__usage__output_tokens=5)
    wrapper, call = Export("ended"), Export("ended")
    outer = wrapper.span(usage)
    assert server.send("traces", wrapper.body).status == 200
    end(server)
    server.start()
    call.span(usage, trace_id=outer.trace_id, parent_span_id=outer.span_id)
    assert server.send("traces", call.body).status == 200

    def counted() -> list[bool]:
        rows = server.spans(service_name="ended", fields="parent_span_id,is_call,prompt_tokens")
        return sorted((bool(row.get("parent_span_id")), row.get("prompt_tokens")) for row in rows if row["is_call"])

    wait_for("one of them is counted", lambda: counted() == [(True, 10)], 30)
    server.stop()


def test_a_start_says_what_it_recovers(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data")
    with _failpoint("writer.announced:1"):
        server.start()
    export = Export("recovered")
    export.span()
    with contextlib.suppress(OSError):
        server.send("traces", export.body)
    assert _exit_code(server) == -9
    server.kill()
    server.start()
    assert "1 requests to recover" in server.errors()
    wait_for("the span is there", lambda: len(server.spans(service_name=export.service)) == 1)
    server.stop()
    server.start()
    assert server.errors().count("to recover") == 1, "after an orderly stop there is nothing to recover"
    assert len(server.spans(service_name=export.service)) == 1, "and everything is visible at once"
    server.stop()


def test_a_request_whose_answer_was_lost_is_stored_once(program: Path, tmp_path: Path) -> None:
    """Kept, but the client never heard of it: it sends the same again after the restart."""
    server = Observatory(tmp_path / "data")
    with _failpoint("journal.synced:1"):
        server.start()
    export = Export("resent")
    export.span()
    with contextlib.suppress(OSError):
        server.send("traces", export.body)
    assert _exit_code(server) == -9
    server.kill()
    server.start()
    for _ in range(3):
        assert server.send("traces", export.body).status == 200
    marker = Export("marker")
    marker.span()
    assert server.send("traces", marker.body).status == 200
    wait_for("the marker is there", lambda: server.spans(service_name=marker.service))
    assert len(server.spans(service_name=export.service)) == 1
    server.stop()


def _newest_segment(server: Observatory) -> Path:
    segments = [path for path in (server.data / "journal").glob("*.segment") if path.read_bytes()[:8] == b"OBSJRNL1"]
    return max(segments, key=lambda path: int.from_bytes(path.read_bytes()[16:24], "little"))


def _end_of_records(segment: bytes) -> int:
    """Behind the last byte that is not zero."""
    return len(segment.rstrip(b"\0"))


def test_a_torn_tail_of_the_journal_is_dropped(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data")
    server.start()
    export = Export("torn")
    export.span()
    assert server.send("traces", export.body).status == 200
    server.kill()
    segment = _newest_segment(server)
    content = bytearray(segment.read_bytes())
    end = _end_of_records(content)
    # A write that was cut off: the beginning of a record, then what was there before.
    content[end + 64 : end + 64 + 20] = b"!REC" + bytes(16)
    segment.write_bytes(content)
    server.start()
    wait_for("the span is there", lambda: len(server.spans(service_name=export.service)) == 1)
    server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, that a test may fill."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=420m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_refused_until_there_is_room_again(program: Path, small_disk: Path) -> None:
    server = Observatory(small_disk / "data", ["--journal-budget", "1GiB"])
    server.start()
    acknowledged: list[Export] = []
    refused: dict[str, int] = {}
    chance = random.Random(SEED)

    def send(padding: int) -> int:
        export = Export("full")
        export.span(model_call(gen_ai__input__messages=chance.randbytes(padding // 2).hex()))
        answer = server.send("traces", export.body)
        if answer.status == 200:
            acknowledged.append(export)
        return answer.status

    assert send(1000) == 200
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", 0) as file:
        while True:
            file.write(bytes(1 << 20))
    deadline = time.monotonic() + 60
    while (status := send(1 << 20)) == 200 and time.monotonic() < deadline:
        pass
    refused["http"] = status
    assert status == 503, "over HTTP: to be sent again"
    channel = grpc.insecure_channel(server.otlp_grpc.removeprefix("http://"))
    with channel, pytest.raises(grpc.RpcError) as refusal:
        big = Export("full")
        big.span(model_call(gen_ai__input__messages=chance.randbytes(1 << 19).hex()))
        channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(big.body, timeout=30)
    assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
    assert server.get("/api/v1/traces", limit=1).status == 200, "what is there can still be read"
    assert request("GET", server.api + "/alive").status == 200

    ballast.unlink()
    wait_for("it takes spans again without a restart", lambda: send(1000) == 200, 30)
    expected = {span.span_id.hex() for export in acknowledged for span in _spans(export)}

    def stored() -> list[str]:
        return [row["span_id"] for row in server.spans(service_name="full", fields="span_id")]

    wait_for("everything that was acknowledged is there", lambda: expected <= set(stored()), 60)
    assert len(stored()) == len(set(stored()))
    server.stop()


def _spans(export: Export):
    return export.request.resource_spans[0].scope_spans[0].spans
