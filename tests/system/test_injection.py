"""Hostile texts in every parameter: they are data, wherever they stand. Nothing of another project comes out, nothing
changes, and no line of an answer is theirs."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import secrets
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openapi
import pytest
from harness import Observatory, request, wait_for
from otlp import Export, model_call

HOSTILE = {
    "sql: a condition that is always true": "' OR '1'='1",
    "sql: a second statement": "x'; DROP TABLE spans; --",
    "sql: rows of everybody": "x') UNION ALL SELECT span_name, user_id, input_text FROM spans --",
    "sql: a quoted name": '"; SELECT * FROM spans; --',
    "sql: a name in backticks": "`) FROM spans --",
    "sql: a backslash before the quote": "\\' OR 1=1 --",
    "sql: a bound parameter": "{p0:String}",
    "sql: a function of the engine": "') OR file('/etc/passwd') OR url('http://127.0.0.1:1/",
    "sql: everything that is like it": "%' OR '%'='",
    "csv: a formula": '=HYPERLINK("http://127.0.0.1/?"&A1,"x")',
    "csv: a command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "header: another line": "x\r\nset-cookie: stolen=1\r\n\r\n<script>alert(1)</script>",
    "path: another directory": "../../../../etc/passwd",
    "path: the same, encoded": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "path: a file name that ends early": "report.csv\x00.txt",
    "html": "<img src=x onerror=alert(1)>",
    "format": "%s%n{0}{}${jndi:ldap://127.0.0.1/x}",
    "regex": "(a+)+$|.*",
    "json": '","admin":true,"x":"',
}

AT_ONCE = 3
NO_LIMITS = ["--rate-limits", "off"]


@dataclass
class Two:
    """One project that the asker sees, and one that he does not."""

    server: Observatory
    token: str
    canary: str
    own: str
    description: openapi.Description
    connection: http.client.HTTPConnection

    def ask(self, method: str, path: str, what: str, body: object = None) -> int:
        """Raw, so that headers are seen as they were sent; the answer's status."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read().decode(errors="replace")
        assert answer.status < 500, f"{what}: {answer.status} {text[:500]}"
        assert self.canary not in text, f"{what}: rows of the other project"
        assert "root:x:0" not in text, f"{what}: a file"
        assert "DB::Exception" not in text, f"{what}: the engine's words: {text[:500]}"
        assert answer.getheader("set-cookie") is None, f"{what}: a header of the asker's"
        return answer.status

    def left(self) -> list[int]:
        """What is stored, as its owners see it."""
        return [len(self.server.spans(service_name=name)) for name in (self.own, self.canary)]


@pytest.fixture(scope="module")
def two(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    assert program.exists()
    server = Observatory(tmp_path_factory.mktemp("observatory") / "data", NO_LIMITS)
    server.start()
    canary, own, other = (f"{name}-{secrets.token_hex(8)}" for name in ("canary", "own", "other"))
    printed = server.command("key", "create", "--data", str(server.data), "--project", other)
    key = next(word for word in printed.split() if word.startswith("llmo_sk_"))
    for name, headers in ((canary, {"authorization": f"Bearer {key}"}), (own, {})):
        export = Export(name)
        for _ in range(5):
            export.span(model_call(**{"user.id": name, "session.id": name, "gen_ai.request.model": name}), name=name)
        wait_for(f"{name} is taken", lambda e=export, h=headers: server.send("traces", e.body, **h).status == 200, 30)
    token = server.command("token", "--data", str(server.data), "--role", "developer", "--project", "default").strip()
    document = openapi.description_of(request("GET", server.api + "/api/v1/openapi.yaml").body)
    connection = http.client.HTTPConnection(urllib.parse.urlparse(server.api).netloc, timeout=60)
    made = Two(server, token, canary, own, document, connection)
    wait_for("everything is stored", lambda: made.left() == [5, 5], 30)
    yield made
    connection.close()
    server.stop()


def _filled(template: str) -> str:
    return re.sub(r"\{\w+\}", "0af7651916cd43dd8448eb211c80319c", template)


def test_in_every_parameter_of_every_question(two: Two) -> None:
    # Each parameter takes the next few, so that a route sees all of them and the whole stays short.
    texts, asked = itertools.cycle(HOSTILE.items()), 0
    for method, template, operation in two.description.operations():
        if method != "get" or "101" in operation["responses"] or "text/event-stream" in json.dumps(operation):
            continue  # events go on for ever
        for parameter in operation.get("parameters", []):
            parameter = two.description.resolved(parameter)
            for kind, hostile in itertools.islice(texts, AT_ONCE):
                quoted = urllib.parse.quote(hostile, safe="")
                path = _filled(template)
                if parameter["in"] == "query":
                    path += f"?{parameter['name']}={quoted}"
                elif parameter["in"] == "path":
                    path = _filled(template.replace(f"{{{parameter['name']}}}", quoted))
                else:
                    continue
                two.ask("GET", path, f"{kind} as {parameter['name']} of {template}")
                asked += 1
    assert asked > 500, "the document names the parameters"
    assert two.left() == [5, 5]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_as_values_names_and_fields_of_searches(two: Two, hostile: str) -> None:
    for field, operator, value in (
        ("service_name", "eq", hostile),
        ("service_name", "in", [hostile, hostile]),
        ("user_id", "contains", hostile),
        ("user_id", "regex", hostile),
        ("input_text", "search", hostile),
        (hostile, "eq", "x"),
        (f"attributes.{hostile}", "eq", "x"),
        ("service_name", hostile, "x"),
    ):
        condition = {"field": field, "operator": operator, "value": value}
        filters = {"operator": "AND", "conditions": [condition]}
        for body in ({"filters": filters}, {"filters": filters, "sort_by": hostile}, {"fields": [hostile]}):
            status = two.ask("POST", "/api/v1/traces/search", f"{field} {operator} {value}", body)
            assert status in (200, 400), hostile
    assert two.left() == [5, 5]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_as_data_it_comes_back_as_it_was_sent(two: Two, hostile: str) -> None:
    """What is stored is not understood either: not by the store, and not by the table programs that read exports."""
    service = f"kept-{secrets.token_hex(6)}"
    export = Export(service)
    export.span(model_call(**{"user.id": hostile, "x": hostile}), name=hostile)
    assert two.server.send("traces", export.body).status == 200
    wait_for("it is stored", lambda: len(two.server.spans(service_name=service)) == 1, 30)
    (span,) = two.server.spans(service_name=service)
    assert span["user_id"] == hostile and span["attributes"]["x"] == hostile
    (found,) = two.server.spans(service_name=service, user_id=hostile)
    assert found["span_id"] == span["span_id"]
    assert two.left() == [5, 5]
