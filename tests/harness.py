"""A running `observatory serve`, and the words in which tests ask it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import openapi
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(os.environ.get("OBSERVATORY", ROOT / "build" / "observatory"))
START_SECONDS = 30.0
STOP_SECONDS = 20.0
# A trace settles 5 s after its root ended when nothing more comes (decision 11): then usage stands where it belongs.
SETTLE_SECONDS = 20.0


def wait_for(what: str, condition: Callable[[], object], seconds: float = 10.0):
    """The first truthy answer of the condition; fails with its last answer if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds} s, last answer {answer!r}")
        time.sleep(0.05)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def request(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One HTTP exchange; a refusal is an answer like any other."""
    asked = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as reply:
            answer = Answer(reply.status, dict(reply.headers.items()), reply.read())
    except urllib.error.HTTPError as refused:
        with refused:
            answer = Answer(refused.code, dict(refused.headers.items()), refused.read())
    # Whatever a test asks, the answer is one that the API describes.
    content_type = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "")
    openapi.check(method, url, answer.status, content_type, answer.body)
    return answer


@dataclass
class Observatory:
    """The program under test, started on free ports."""

    data: Path
    arguments: list[str] = field(default_factory=list)
    api: str = ""
    otlp_http: str = ""
    otlp_grpc: str = ""
    token: str = ""
    login: str = ""  # address of the one-time login, as long as no admin has a password

    def start(self) -> None:
        command = [str(PROGRAM), "serve", "--data", str(self.data)]
        command += ["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--api", "127.0.0.1:0"]
        self._errors = (self.data.parent / f"{self.data.name}.stderr").open("ab")
        self._process = subprocess.Popen(
            command + self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(self._process.stdout, self._lines), daemon=True).start()
        self._learn_addresses()
        wait_for("the program is ready", lambda: request("GET", self.api + "/ready").status == 200, START_SECONDS)

    @staticmethod
    def _read(stream: IO[bytes], lines: queue.Queue[str | None]) -> None:
        """Of one process: the next one has a queue of its own, so that the end of this one is not taken for its end."""
        for line in stream:
            lines.put(line.decode(errors="replace").rstrip())
        lines.put(None)

    def _learn_addresses(self) -> None:
        names = {"api": "api", "otlp grpc": "otlp_grpc", "otlp http": "otlp_http", "token": "token", "login": "login"}
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                pytest.fail(f"`observatory serve` did not say `ready` within {START_SECONDS} s\n{self.errors()}")
            if line is None:
                code = self._process.wait(STOP_SECONDS)
                pytest.fail(f"`observatory serve` ended with {code}\n{self.errors()}")
            name, _, value = line.partition(": ")
            if name in names:
                setattr(self, names[name], value.strip())
            if name == "api":
                openapi.watch(self.api)
            if line.strip() == "ready":
                return

    @property
    def pid(self) -> int:
        return self._process.pid

    def errors(self) -> str:
        return Path(self._errors.name).read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """Without a chance to say goodbye."""
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def stop(self) -> None:
        """Asks it to stop; it must do so in time and without an error."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"`observatory serve` did not stop within {STOP_SECONDS} s of SIGTERM\n{self.errors()}")
        self._errors.close()
        assert code == 0, f"`observatory serve` ended with {code} after SIGTERM\n{self.errors()}"

    def command(self, *arguments: str) -> str:
        """What another command of the program prints."""
        ran = subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, timeout=30, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def get(self, path: str, **parameters: object) -> Answer:
        asked = f"{self.api}{path}" + (f"?{urllib.parse.urlencode(parameters)}" if parameters else "")
        return request("GET", asked, headers={"authorization": f"Bearer {self.token}"})

    def post(self, path: str, body: object) -> Answer:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return request("POST", self.api + path, json.dumps(body).encode(), headers)

    def send(
        self, signal_name: str, body: bytes, content_type: str = "application/x-protobuf", **headers: str
    ) -> Answer:
        """Posts OTLP over HTTP as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return request("POST", f"{self.otlp_http}/v1/{signal_name}", body, {"content-type": content_type} | named)

    def spans(self, **parameters: object) -> list[dict]:
        """Every span that matches, whatever its kind; follows the cursor."""
        found: list[dict] = []
        asked = {"view": "spans", "limit": 1000} | parameters
        while True:
            answer = self.get("/api/v1/traces", **asked)
            assert answer.status == 200, answer.body
            found += answer.json["data"]
            page = answer.json["pagination"]
            if not page["has_more"]:
                return found
            asked["cursor"] = page["cursor"]

    def calls(self, **parameters: object) -> list[dict]:
        """The model calls that match: the default view."""
        answer = self.get("/api/v1/traces", limit=1000, **parameters)
        assert answer.status == 200, answer.body
        return answer.json["data"]
