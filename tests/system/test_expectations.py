"""What a capture is expected to show was really sent: a wish of ours must not pass for a fact about a client."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from replay import CAPTURES
from scrub import MESSAGES

_NUMBERS = {
    "prompt_tokens", "completion_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens",
    "temperature", "max_tokens", "seed",
}  # fmt: skip
_TEXTS = {
    "input_text", "output_text", "system_prompt", "user_id", "session_id", "tool_name", "agent_name", "model",
    "request_model", "response_id",
}  # fmt: skip
_SIDECARS = sorted(CAPTURES.glob("*/*.json"))


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield str(value)


def _sent(sidecar: Path) -> tuple[list[dict], str]:
    """The spans of a capture, and all that its log records say."""
    spans: list[dict] = []
    logs: list[str] = []
    for request in json.loads(sidecar.read_text())["requests"]:
        body = (sidecar.parent / request["file"]).read_bytes()
        if request["encoding"] == "json":
            message = json.loads(body)
        else:
            message = MessageToDict(MESSAGES[request["signal"]].FromString(body))
        for resource in message.get("resourceSpans", []):
            for scope in resource.get("scopeSpans", []):
                spans += scope["spans"]
        if request["signal"] == "logs":
            logs += _leaves(message)
    return spans, "\n".join(logs)


def _never_sent(expected: dict, text: str) -> list[str]:
    wanted = {name: str(value) for name, value in expected.items() if value is not None and value != "*"}
    numbers = [name for name in _NUMBERS & wanted.keys() if not re.search(rf"(?<![\d.]){wanted[name]}(?!\d)", text)]
    return numbers + [name for name in _TEXTS & wanted.keys() if wanted[name] not in text]


@pytest.mark.parametrize("sidecar", _SIDECARS, ids=lambda path: path.stem)
def test_what_is_expected_was_sent(sidecar: Path) -> None:
    spans, logs = _sent(sidecar)
    for expected in json.loads(sidecar.read_text())["expect"]:
        named = [span for span in spans if expected.get("span_name") in (None, span["name"])]
        assert named, f"no span is called {expected['span_name']!r}"
        # JSON inside a string keeps its quotes behind backslashes.
        texts = ["\n".join([*_leaves(span), logs]).replace('\\"', '"') for span in named]
        assert min((_never_sent(expected, text) for text in texts), key=len) == [], expected.get("span_name")
