"""Exports of the real program: each format opened by those who read it, and a program that is killed in the middle."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness import PROGRAM, Answer, Observatory, request, wait_for
from otlp import DAY, SECOND, Export, model_call

CALLS = 300


def create(observatory: Observatory, **body: object) -> str:
    answer = observatory.post("/api/v1/exports", body)
    assert answer.status == 202, answer.body
    return answer.json["job_id"]


def job(observatory: Observatory, job_id: str) -> dict:
    answer = observatory.get(f"/api/v1/exports/{job_id}")
    assert answer.status == 200, answer.body
    return answer.json


def ended(observatory: Observatory, job_id: str, seconds: float = 60.0) -> dict:
    def over() -> dict | None:
        now = job(observatory, job_id)
        return now if now["status"] not in ("pending", "processing") else None

    return wait_for(f"the end of export {job_id}", over, seconds)


def completed(observatory: Observatory, **body: object) -> tuple[dict, Answer]:
    """The job and its file."""
    done = ended(observatory, create(observatory, **body))
    assert done["status"] == "completed", done
    return done, observatory.get(f"/api/v1/exports/{done['job_id']}/download")


def send_calls(observatory: Observatory, service: str, calls: int) -> list[dict]:
    """Calls an hour apart at most, so that they lie on several days; every third has no answer yet."""
    made = []
    now = int(datetime.now(UTC).timestamp()) * SECOND
    for first in range(0, calls, 100):
        export = Export(service)
        for i in range(first, min(first + 100, calls)):
            start = now - 2 * DAY + i * (2 * DAY // calls)
            attributes = model_call(user__id=f"=user-{i % 7}", plan=f'a "{i}", b\nc')
            if i % 3 == 0:
                del attributes["gen_ai.usage.output_tokens"], attributes["gen_ai.usage.input_tokens"]
            span = export.span(attributes, start_time_unix_nano=start + i, end_time_unix_nano=start + i + 1_500_000)
            made.append({"span_id": span.span_id.hex(), "start": start + i, "tokens": None if i % 3 == 0 else 300})
        assert observatory.send("traces", export.body).status == 200
    wait_for("the calls", lambda: len(observatory.calls(service_name=service)) >= min(calls, 1000))
    return made


@pytest.fixture(scope="module")
def calls(observatory: Observatory) -> Iterator[tuple[str, list[dict]]]:
    service = Export().service
    yield service, send_calls(observatory, service, CALLS)


FIELDS = ["span_id", "timestamp", "duration_ms", "prompt_tokens", "total_cost_usd", "status_code", "user_id", "tags"]


def test_csv_is_what_was_sent(observatory: Observatory, calls: tuple[str, list[dict]]) -> None:
    service, made = calls
    fields = [*FIELDS, "attributes.plan"]
    done, file = completed(observatory, filters={"service_name": service}, fields=fields)
    assert file.headers["content-type"] == "text/csv"
    assert "attachment" in file.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(file.body.decode(), newline="")))
    assert list(rows[0]) == fields
    assert done["trace_count"] == len(rows) == CALLS
    assert done["file_size_bytes"] == len(file.body)
    assert [row["span_id"] for row in rows] == [call["span_id"] for call in reversed(made)]
    newest = rows[0]
    assert newest["attributes.plan"] == f'a "{CALLS - 1}", b\nc'
    assert newest["user_id"].startswith("'=user-")
    assert newest["duration_ms"] == "2"
    for row, call in zip(rows, reversed(made), strict=True):
        assert row["prompt_tokens"] == ("" if call["tokens"] is None else str(call["tokens"]))
        assert (row["total_cost_usd"] == "") == (call["tokens"] is None)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("format_", ["json", "jsonl"])
def test_json_is_that_of_the_list(
    observatory: Observatory, calls: tuple[str, list[dict]], format_: str, compression: str
) -> None:
    service, _ = calls
    tree = {"operator": "AND", "conditions": [{"field": "service_name", "operator": "eq", "value": service}]}
    _, file = completed(observatory, format=format_, compression=compression, filters=tree)
    body = file.body
    if compression == "gzip":
        body = gzip.decompress(body)
    elif compression == "zstd":
        body = pa.input_stream(pa.BufferReader(body), compression="zstd").read()
    rows = json.loads(body) if format_ == "json" else [json.loads(line) for line in body.splitlines()]
    listed = {row["span_id"]: row for row in observatory.calls(service_name=service)}
    assert len(rows) == len(listed) == CALLS
    for row in rows:
        shown = listed[row["span_id"]]
        assert row == {name: shown[name] for name in row}
        # What the list has besides is another name of the same.
        assert set(shown) - set(row) <= {"timestamp", "latency_ms", "time_to_first_token_ms"}


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_parquet_has_types(
    observatory: Observatory, calls: tuple[str, list[dict]], tmp_path: Path, compression: str
) -> None:
    service, made = calls
    fields = [*FIELDS, "is_call", "temperature", "ttft_ms", "attributes", "attributes.plan", "model_parameters"]
    done, file = completed(observatory, format="parquet", compression=compression, service_name=service, fields=fields)
    assert file.headers["content-type"] == "application/vnd.apache.parquet"
    path = tmp_path / "calls.parquet"
    path.write_bytes(file.body)
    table = pq.read_table(path)
    assert table.num_rows == done["trace_count"] == CALLS
    assert table.column_names == fields
    types = {name: table.schema.field(name).type for name in fields}
    assert types["timestamp"] == pa.timestamp("ns", tz="UTC")
    assert types["prompt_tokens"] == pa.int64()
    assert types["duration_ms"] == pa.int64()
    assert types["total_cost_usd"] == pa.decimal128(18, 9)
    assert types["temperature"] == types["ttft_ms"] == pa.float64()
    assert types["status_code"] == types["span_id"] == types["attributes.plan"] == pa.string()
    assert types["is_call"] in (pa.bool_(), pa.uint8())
    assert pa.types.is_list(types["tags"]) and pa.types.is_map(types["attributes"])
    starts = table.column("timestamp").cast(pa.int64()).to_pylist()
    assert starts == [call["start"] for call in reversed(made)]
    rows = table.drop_columns(["timestamp"]).to_pylist()
    assert [row["span_id"] for row in rows] == [call["span_id"] for call in reversed(made)]
    assert [row["prompt_tokens"] for row in rows] == [call["tokens"] for call in reversed(made)]
    listed = {row["span_id"]: row for row in observatory.calls(service_name=service)}
    for row in rows:
        shown = listed[row["span_id"]]
        cost = row["total_cost_usd"]
        assert (cost is None) == ("total_cost_usd" not in shown)
        assert cost is None or abs(cost - Decimal(str(shown["total_cost_usd"]))) < Decimal("1e-9")
        assert row["attributes.plan"] == shown["attributes"]["plan"]
        assert row["status_code"] == shown["status_code"]

    found = duckdb.sql(
        f"SELECT count(*), count(prompt_tokens), sum(prompt_tokens), typeof(any_value(timestamp)), "
        f"typeof(any_value(total_cost_usd)) FROM read_parquet('{path}')"
    ).fetchall()[0]
    with_tokens = sum(call["tokens"] is not None for call in made)
    assert found[:3] == (CALLS, with_tokens, 300 * with_tokens)
    assert found[3].startswith("TIMESTAMP")
    assert found[4] == "DECIMAL(18,9)"


@pytest.mark.parametrize("format_", ["csv", "json", "jsonl", "parquet"])
def test_every_field_of_every_table_can_be_exported(observatory: Observatory, format_: str, tmp_path: Path) -> None:
    for table in ("traces", "logs", "metric-points", "scores", "audit"):
        done, file = completed(
            observatory, table=table, format=format_, **({"view": "spans"} if table == "traces" else {})
        )
        assert done["file_size_bytes"] == len(file.body)
        if format_ == "parquet":
            (tmp_path / "rows.parquet").write_bytes(file.body)
            read = pq.read_table(tmp_path / "rows.parquet")
            assert read.num_rows == done["trace_count"] and read.num_columns > 10


@pytest.mark.parametrize("format_", ["csv", "json", "jsonl", "parquet"])
def test_no_rows_are_a_whole_file(observatory: Observatory, format_: str, tmp_path: Path) -> None:
    done, file = completed(observatory, format=format_, service_name="nobody", fields=["model", "prompt_tokens"])
    assert done["trace_count"] == 0
    if format_ == "csv":
        assert file.body == b"model,prompt_tokens\r\n"
    elif format_ == "json":
        assert json.loads(file.body) == []
    elif format_ == "jsonl":
        assert file.body == b""
    else:
        (tmp_path / "none.parquet").write_bytes(file.body)
        assert pq.read_table(tmp_path / "none.parquet").column_names == ["model", "prompt_tokens"]


def test_the_newest_rows_up_to_the_limit(observatory: Observatory, calls: tuple[str, list[dict]]) -> None:
    service, made = calls
    for format_ in ("csv", "parquet"):
        done, _ = completed(observatory, format=format_, service_name=service, limit=17)
        assert done["trace_count"] == 17
    _, file = completed(observatory, service_name=service, limit=17, fields=["span_id"])
    assert file.body.decode().split()[1:] == [call["span_id"] for call in made[:-18:-1]]


def test_a_download_goes_on_where_it_was_cut(observatory: Observatory, calls: tuple[str, list[dict]]) -> None:
    service, _ = calls
    done, file = completed(observatory, service_name=service)
    url = f"{observatory.api}{done['download_url']}"
    headers = {"authorization": f"Bearer {observatory.token}", "range": f"bytes={len(file.body) - 1000}-"}
    rest = request("GET", url, headers=headers)
    assert rest.status == 206 and rest.body == file.body[-1000:]
    headers["range"] = f"bytes={len(file.body)}-"
    assert request("GET", url, headers=headers).status == 416


def test_the_command_fetches_what_the_api_gives(
    observatory: Observatory, calls: tuple[str, list[dict]], tmp_path: Path
) -> None:
    service, made = calls
    server = ("--api", observatory.api, "--data", str(observatory.data))
    rows = ("--filter", f"service_name={service}", "--fields", "span_id,model", "--limit", "20")
    _, file = completed(observatory, service_name=service, fields=["span_id", "model"], limit=20)
    assert observatory.command("export", *server, *rows).encode() == file.body.replace(b"\r\n", b"\n")
    path = tmp_path / "calls.jsonl.gz"
    tree = {"operator": "AND", "conditions": [{"field": "service_name", "operator": "eq", "value": service}]}
    observatory.command(
        *("export", *server, "--filters", json.dumps(tree), "--format", "jsonl", "--compression", "gzip"),
        *("--from", "now-30d", "-o", str(path)),
    )
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == len(made)


def test_the_command_passes_on_refusals(observatory: Observatory, tmp_path: Path) -> None:
    server = ("--api", observatory.api, "--output", str(tmp_path / "file"))
    for arguments, says in (
        (("--token", observatory.token, "--format", "xml"), "format is one of"),
        (("--token", observatory.token, "--filters", "{"), "the body is no JSON"),
        (("--token", "nobody"), "token"),
    ):
        ran = subprocess.run(
            [str(PROGRAM), "export", *server, *arguments], capture_output=True, text=True, timeout=30, check=False
        )
        assert ran.returncode == 1 and says in ran.stderr, ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_names_that_would_break_a_statement_are_refused_or_kept(observatory: Observatory) -> None:
    for name in ("attributes.a` AS b, (SELECT 1) AS `c", "attributes.x'; DROP TABLE spans; --", 'attributes."'):
        refused = observatory.post("/api/v1/exports", {"format": "parquet", "fields": [name]})
        assert refused.status == 400 and refused.json["error"]["field"] == "fields"
        done = ended(observatory, create(observatory, format="csv", fields=[name.replace(",", "")]))
        assert done["status"] == "completed"


@pytest.mark.parametrize("format_", ["csv", "parquet"])
@pytest.mark.parametrize("where", ["export_written", "export_named", "export_piece"])
def test_a_killed_program_goes_on_and_ends_once(program: Path, tmp_path: Path, where: str, format_: str) -> None:
    if where == "export_piece" and format_ == "parquet":
        where = "export_written"
    first = Observatory(tmp_path / "data")
    os.environ["LLMOBS_FAILPOINT"] = where
    try:
        first.start()
    finally:
        del os.environ["LLMOBS_FAILPOINT"]
    service = Export().service
    send_calls(first, service, 50)
    job_id = create(first, format=format_, service_name=service)
    wait_for("the program is gone", lambda: first._process.poll() is not None, 30)
    first._errors.close()
    second = Observatory(tmp_path / "data")
    second.start()
    done = ended(second, job_id)
    assert done["status"] == "completed" and done["trace_count"] == 50
    file = second.get(done["download_url"])
    assert file.status == 200 and len(file.body) == done["file_size_bytes"]
    assert [path.name for path in (tmp_path / "data" / "exports").iterdir()] == [f"{job_id}.{format_}"]
    second.stop()


def test_a_stopped_program_takes_its_exports_up_again(program: Path, tmp_path: Path) -> None:
    first = Observatory(tmp_path / "data")
    first.start()
    service = Export().service
    send_calls(first, service, 20)
    ids = [create(first, service_name=service) for _ in range(8)]
    first.stop()
    second = Observatory(tmp_path / "data")
    second.start()
    for job_id in ids:
        assert ended(second, job_id)["status"] == "completed"
    second.stop()


def test_the_memory_store_has_no_parquet(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data", ["--store", "memory"])
    server.start()
    service = Export().service
    send_calls(server, service, 20)
    assert server.post("/api/v1/exports", {"format": "parquet"}).json["error"]["field"] == "format"
    _, file = completed(server, format="jsonl", service_name=service)
    assert len(file.body.splitlines()) == 20
    server.stop()


def test_room_for_exports_is_bounded(program: Path, tmp_path: Path) -> None:
    server = Observatory(tmp_path / "data", ["--export-bytes", "1MiB"])
    server.start()
    export = Export()
    for i in range(40):
        export.span(model_call(filler=f"{i:05}" * 10_000))
    assert server.send("traces", export.body).status == 200
    wait_for("the calls", lambda: len(server.calls(service_name=export.service)) == 40)
    for format_ in ("csv", "parquet"):
        done = ended(server, create(server, format=format_, service_name=export.service))
        assert done["status"] == "failed" and "1048576 bytes" in done["error_message"], done
    assert list((tmp_path / "data" / "exports").iterdir()) == []
    done, _ = completed(server, service_name=export.service, fields=["span_id"])
    assert done["trace_count"] == 40
    server.stop()
