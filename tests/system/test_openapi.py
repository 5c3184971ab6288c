"""The API says of itself what it does: at /api/v1/openapi.yaml for programs, at /api/docs for people."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import openapi
import pytest
from harness import ROOT, Observatory, request
from openapi_spec_validator import OpenAPIV30SpecValidator
from otlp import Export

EXAMPLES = 15
SECONDS = 300


@pytest.fixture(scope="module")
def description(observatory: Observatory) -> openapi.Description:
    return openapi.description_of(request("GET", observatory.api + "/api/v1/openapi.yaml").body)


def test_it_is_a_valid_document(description: openapi.Description) -> None:
    assert description.document["openapi"] == "3.0.3"
    errors = [error.message for error in OpenAPIV30SpecValidator(description.document).iter_errors()]
    assert not errors


def test_it_names_the_routes_of_the_contract(description: openapi.Description) -> None:
    named = {(method, path) for method, path, _ in description.operations()}
    wanted = {
        ("get", "/health"),
        ("get", "/metrics"),
        ("get", "/api/v1/traces"),
        ("post", "/api/v1/traces/search"),
        ("get", "/api/v1/traces/{trace_id}"),
        ("get", "/api/v1/logs"),
        ("get", "/api/v1/metric-points"),
    }
    assert wanted <= named


def test_each_operation_says_what_it_is_and_what_it_answers(description: openapi.Description) -> None:
    ids = [operation["operationId"] for _, _, operation in description.operations()]
    assert len(ids) == len(set(ids))
    for method, path, operation in description.operations():
        assert operation["summary"], f"{method} {path}"
        assert any(status.startswith("2") or status == "101" for status in operation["responses"]), f"{method} {path}"


def test_each_operation_is_there(observatory: Observatory, description: openapi.Description) -> None:
    """A request without a body or a token gets an answer of the API, and never `there is nothing at this path`."""
    for method, path, _ in description.operations():
        answer = request(method.upper(), observatory.api + re.sub(r"\{\w+\}", "none", path))
        code = answer.json["error"]["code"] if answer.status >= 400 else ""
        assert answer.status != 405 and code != "RESOURCE_NOT_FOUND", f"{method} {path}: {answer.body[:300]}"


def test_a_wrong_answer_is_found() -> None:
    """The check that all system tests lean on can fail."""
    document = {
        "paths": {
            "/a/{id}": {
                "get": {
                    "responses": {
                        "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}},
                        "default": {"content": {"application/json": {"schema": {"type": "object"}}}},
                    }
                }
            }
        },
        "components": {"schemas": {"A": {"type": "object", "required": ["x"]}}},
    }
    description = openapi.Description(document)
    description.check("GET", "/a/1", 200, "application/json", b'{"x": 1}')
    description.check("GET", "/a/1", 404, "application/json; charset=utf-8", b"{}")
    for status, kind, body in [
        (200, "application/json", b"{}"),
        (200, "text/plain", b'{"x": 1}'),
        (201, "application/json", b'{"x": 1}'),
        (404, "application/json", b"[]"),
    ]:
        with pytest.raises(openapi.Mismatch):
            description.check("GET", "/a/1", status, kind, body)


def test_the_page_needs_nobody_else(observatory: Observatory) -> None:
    page = request("GET", observatory.api + "/api/docs")
    text = page.body.decode()
    headers = {name.lower(): value for name, value in page.headers.items()}
    assert headers["content-type"].startswith("text/html")
    assert headers["content-security-policy"] == "default-src 'self'"
    assert "/api/v1/traces/{trace_id}" in text
    assert "<script" not in text and "style=" not in text
    # Everything that a browser loads for it is there and comes from here.
    loaded = re.findall(r'<link[^>]*href="([^"]+)"|src="([^"]+)"', text)
    for link in (first or second for first, second in loaded):
        assert link.startswith("/") and not link.startswith("//"), link
        assert request("GET", observatory.api + link).status == 200, link
    # And every link within it leads somewhere.
    anchors = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= anchors


def test_no_request_that_it_allows_breaks_it(observatory: Observatory, tmp_path: Path) -> None:
    """Made-up requests to every operation: no 5xx, and every answer as described."""
    export = Export()
    for _ in range(3):
        export.span()
    assert observatory.send("traces", export.body).status == 200
    report = tmp_path / "report.ndjson"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [
        Path(sys.executable).parent / "schemathesis",
        "run",
        observatory.api + "/api/v1/openapi.yaml",
        f"--header=Authorization: Bearer {observatory.token}",
        f"--checks={checks}",
        f"--max-examples={EXAMPLES}",
        "--phases=examples,coverage,fuzzing",
        "--generation-deterministic",
        "--no-shrink",
        "--request-timeout=40",
        "--warnings=off",
        "--no-color",
        # Threads of the generator get in each other's way in CPython 3.11.
        "--workers=1",
        # Its answer has no end; test_live.py listens to it.
        "--exclude-path=/api/v1/events",
        # A body that a fuzzer makes of text alone is slow to make, and tells nothing.
        "--suppress-health-check=all",
        "--report=ndjson",
        f"--report-ndjson-path={report}",
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    assert "No issues found" in ran.stdout, ran.stdout[-3000:]


def test_the_made_up_requests_reach_every_operation(description: openapi.Description) -> None:
    """None is hidden from them by a schema that no request can fit."""
    for method, path, operation in description.operations():
        body = operation.get("requestBody")
        if body:
            schema = description.resolved(body["content"]["application/json"]["schema"])
            assert schema, f"{method} {path}: {json.dumps(body)}"


def test_the_documents_are_the_same_at_every_start(observatory: Observatory) -> None:
    first = request("GET", observatory.api + "/api/v1/openapi.yaml").body
    assert first == request("GET", observatory.api + "/api/v1/openapi.yaml").body
    assert str(ROOT).encode() not in first
