"""Who may ask: the first start, and two servers that share users and keys in PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from harness import Answer, Observatory, request, wait_for

_PASSWORD = "a long enough sentence"


def _ask(server: Observatory, method: str, path: str, token: str = "", body: object = None) -> Answer:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    return request(method, server.api + path, None if body is None else json.dumps(body).encode(), headers)


def _sign_in(server: Observatory, **credentials: str) -> Answer:
    return _ask(server, "POST", "/api/v1/auth/login", body=credentials)


def _code(server: Observatory) -> str:
    return parse_qs(urlsplit(server.login).query)["code"][0]


def _works(server: Observatory, token: str) -> bool:
    return _ask(server, "GET", "/api/v1/auth/me", token).status == 200


def test_the_first_start_prints_a_login_that_counts_once(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data", ["--store", "memory"])
    server.start()
    try:
        code = _code(server)
        assert request("GET", server.login).status == 200
        signed_in = _sign_in(server, code=code)
        assert signed_in.status == 200, signed_in.body
        assert _sign_in(server, code=code).status == 401
        token = signed_in.json["access_token"]
        user = signed_in.json["user"]["id"]

        def written_down() -> list[tuple[int, str]]:
            rows = _ask(server, "GET", "/api/v1/audit?action=login&method=POST", token).json["data"]
            return sorted((row["http_status"], row.get("user_id", "")) for row in rows)

        wait_for("who signed in is written down", lambda: written_down() == [(200, user), (401, "")])
        chosen = _ask(server, "POST", "/api/v1/auth/password", token, {"new_password": _PASSWORD})
        assert chosen.status == 204, chosen.body
        server.stop()
        server.login = ""
        server.start()
        assert server.login == "", "an admin has a password"
        assert _works(server, token), "a session outlives a restart"
        assert _sign_in(server, username="admin@localhost", password=_PASSWORD).status == 200
        assert _sign_in(server, username="admin@localhost", password="wrong").status == 401
        for kept in [server.errors(), (tmp_path / "data" / "catalog.sqlite").read_bytes().decode("latin1")]:
            assert _PASSWORD not in kept
            assert code not in kept
    finally:
        server.stop()


def test_two_servers_share_who_may_ask(program: Path, address: str, tmp_path: Path) -> None:
    servers = [Observatory(tmp_path / name, ["--store", "memory", "--catalog", address]) for name in ["one", "other"]]
    one, other = servers
    try:
        for server in servers:
            server.start()
        # The newer login took the place of the one before.
        token = _sign_in(one, code=_code(other)).json["access_token"]
        assert _works(other, token), "servers of one catalog sign with one secret"
        assert _ask(other, "POST", "/api/v1/auth/password", token, {"new_password": _PASSWORD}).status == 204
        made = _ask(one, "POST", "/api/v1/admin/keys", token, {"scopes": ["read:traces"]})
        assert made.status == 201, made.body
        key = made.json["key"]
        wait_for("the other server knows the key", lambda: _works(other, key), 5)
        assert _ask(other, "DELETE", f"/api/v1/admin/keys/{made.json['details']['id']}", token).status == 204
        assert not _works(other, key), "revoked where it was asked: at once"
        wait_for("the first server knows that the key is revoked", lambda: not _works(one, key), 5)
        assert _ask(one, "POST", "/api/v1/auth/logout", token).status == 204
        assert not _works(one, token)
        wait_for("the other server knows of the logout", lambda: not _works(other, token), 5)
        password = urlsplit(address).password
        for server in servers:
            assert password not in server.errors()
        made_beside = one.command("key", "list", "--data", str(one.data), "--catalog", address)
        assert made.json["details"]["id"] in made_beside
    finally:
        for server in servers:
            server.stop()
