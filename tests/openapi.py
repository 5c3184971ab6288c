"""Holds what the API answers against what it says of itself at /api/v1/openapi.yaml."""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

import jsonschema_rs
import yaml

_DOCUMENT_PATH = "/api/v1/openapi.yaml"
_METHODS = ("get", "post", "put", "patch", "delete")


class Mismatch(AssertionError):
    """An answer that the description does not allow."""


@dataclass
class Description:
    document: dict
    # Templates as patterns, those with fewer parameters first: /traces/search before /traces/{trace_id}.
    paths: list[tuple[re.Pattern, str]] = field(default_factory=list)
    _validators: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for template in sorted(self.document["paths"], key=lambda path: path.count("{")):
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
            self.paths.append((re.compile(f"^{pattern}/?$"), template))

    def operations(self) -> list[tuple[str, str, dict]]:
        return [
            (method, path, operation)
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
            if method in _METHODS
        ]

    def operation(self, method: str, path: str) -> dict | None:
        templates = [template for pattern, template in self.paths if pattern.match(path)]
        for template in templates:
            if method.lower() in self.document["paths"][template]:
                return self.document["paths"][template][method.lower()]
        return None

    def resolved(self, node: dict) -> dict:
        while "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def validate(self, schema: dict, value: object) -> None:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = schema | {"components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        for error in self._validators[key].iter_errors(value):
            raise Mismatch(f"at /{'/'.join(map(str, error.instance_path))}: {error.message[:500]}")

    def check(self, method: str, path: str, status: int, content_type: str, body: bytes) -> None:
        """Raises Mismatch when this is no answer that the description allows."""
        operation = self.operation(method, path)
        if operation is None:
            if status not in (400, 403, 404, 405, 408, 413, 415, 431, 503, 200, 204):
                raise Mismatch(f"{method} {path} is not described and answers {status}")
            if status >= 400:
                self.validate({"$ref": "#/components/schemas/Error"}, json.loads(body))
            return
        responses = operation["responses"]
        response = self.resolved(responses.get(str(status), responses["default"]))
        if str(status) not in responses and status < 400:
            raise Mismatch(f"{method} {path} answers {status}, which is not described")
        content = response.get("content", {})
        if not content:
            if body:
                raise Mismatch(f"{method} {path} answers {status} with a body that is not described")
            return
        kind = content_type.split(";")[0].strip()
        if kind not in content:
            raise Mismatch(f"{method} {path} answers {status} as {kind!r}, described are {sorted(content)}")
        if kind == "application/json":
            self.validate(content[kind]["schema"], json.loads(body))


@functools.lru_cache(maxsize=4)
def description_of(text: bytes) -> Description:
    return Description(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


# The servers whose answers are held against their description: base address to description, once it is read.
_servers: dict[str, Description | None] = {}


def watch(base: str) -> None:
    _servers[base] = None


def _description_at(base: str) -> Description:
    if _servers[base] is None:
        with urllib.request.urlopen(base + _DOCUMENT_PATH, timeout=30) as reply:
            _servers[base] = description_of(reply.read())
    return _servers[base]


def check(method: str, url: str, status: int, content_type: str, body: bytes) -> None:
    """Of a server that is watched; others may say what they like."""
    parts = urllib.parse.urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    if base not in _servers or parts.path == _DOCUMENT_PATH:
        return
    try:
        description = _description_at(base)
    except OSError:
        return  # it was killed meanwhile, as some tests do
    try:
        description.check(method, parts.path, status, content_type, body)
    except Mismatch as mismatch:
        raise Mismatch(f"{method} {url[:300]} -> {status}: {mismatch}\n{body[:1000]!r}") from None
