"""Feedback and evaluations, however they come: over the API, as events of OpenTelemetry, on spans of OpenInference."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Answer, Observatory, request, wait_for
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from otlp import Export, model_call, value_of

EVALUATION = {
    "gen_ai.evaluation.name": "Relevance",
    "gen_ai.evaluation.score.value": 0.75,
    "gen_ai.evaluation.score.label": "pass",
    "gen_ai.evaluation.explanation": "keeps to the question",
}


class Traced:
    """A trace of one call, sent and seen."""

    def __init__(self, server: Observatory, **attributes: object) -> None:
        export = Export()
        span = export.span(model_call(**attributes))
        self.trace, self.span = span.trace_id.hex(), span.span_id.hex()
        assert server.send("traces", export.body).status == 200
        wait_for("the trace is seen", lambda: server.get(f"/api/v1/traces/{self.trace}").status == 200)


def scores(server: Observatory, **parameters: object) -> list[dict]:
    answer = server.get("/api/v1/scores", **parameters)
    assert answer.status == 200, answer.body
    return answer.json["data"]


def values_of(server: Observatory, **parameters: object) -> list[float]:
    return [score["value"] for score in scores(server, **parameters)]


def wait_for_scores(server: Observatory, count: int, **parameters: object) -> list[dict]:
    def there() -> list[dict] | None:
        found = scores(server, **parameters)
        return found if len(found) == count else None

    return wait_for(f"{count} scores", there)


def delete(server: Observatory, path: str, token: str) -> Answer:
    return request("DELETE", server.api + path, headers={"authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def developer(observatory: Observatory) -> str:
    return observatory.command("token", "--data", str(observatory.data), "--role", "developer").strip()


# ----- over the API


def test_a_rating_is_seen_beside_its_trace(observatory: Observatory) -> None:
    traced = Traced(observatory)
    answer = observatory.post(
        f"/api/v1/traces/{traced.trace}/feedback", {"rating": 4, "comment": "good", "user_id": "ann"}
    )
    assert answer.status == 201, answer.body
    (found,) = wait_for_scores(observatory, 1, trace_id=traced.trace)
    assert found == answer.json["data"]
    trace = observatory.get(f"/api/v1/traces/{traced.trace}", include="feedback,evaluations").json["data"]
    (feedback,) = trace["feedback"]
    assert (feedback["rating"], feedback["comment"], feedback["user_id"]) == (4, "good", "ann")
    assert trace["evaluations"] == []


def test_the_same_id_replaces_and_is_counted_once(observatory: Observatory) -> None:
    traced, name = Traced(observatory), f"judge-{secrets.token_hex(4)}"
    for score in (0.1, 0.2, 0.9):
        body = {"id": f"{name}-1", "evaluator_name": name, "score": score, "source": "LLM", "span_id": traced.span}
        assert observatory.post(f"/api/v1/traces/{traced.trace}/evaluations", body).status == 201
    wait_for("the last one counts", lambda: values_of(observatory, name=name) == [0.9])
    quality = observatory.get("/api/v1/analytics/quality", **{"from": "now-1h"}).json
    assert quality["quality_scores"][name] == 0.9


def test_an_opinion_without_an_id_replaces_the_one_before(observatory: Observatory) -> None:
    traced = Traced(observatory)
    for rating in (1, 5):
        assert observatory.post(f"/api/v1/traces/{traced.trace}/feedback", {"rating": rating}).status == 201
    wait_for("one is left", lambda: values_of(observatory, trace_id=traced.trace) == [5])


def test_a_session_is_scored_as_a_whole(observatory: Observatory) -> None:
    session = f"s-{secrets.token_hex(4)}"
    Traced(observatory, session__id=session)
    body = {"session_id": session, "evaluator_name": "resolved", "passed": True, "source": "HUMAN"}
    assert observatory.post("/api/v1/evaluations", body).status == 201
    (found,) = wait_for_scores(observatory, 1, session_id=session)
    assert (found["name"], found["label"]) == ("resolved", "pass")
    assert "trace_id" not in found or int(found["trace_id"], 16) == 0
    assert observatory.get("/api/v1/analytics/quality", **{"from": "now-1h"}).json["resolution_rate"] > 0


def test_what_nobody_sent_is_not_scored(observatory: Observatory) -> None:
    trace = secrets.token_hex(16)
    answer = observatory.post(f"/api/v1/traces/{trace}/feedback", {"rating": 1})
    assert (answer.status, answer.json["error"]["code"]) == (404, "TRACE_NOT_FOUND")
    early = observatory.post(f"/api/v1/traces/{trace}/feedback", {"rating": 1, "project_id": "default"})
    assert early.status == 201, "it may be on its way"


def test_one_takes_back_what_is_ones_own(observatory: Observatory, developer: str) -> None:
    traced = Traced(observatory)
    posted = observatory.post(f"/api/v1/traces/{traced.trace}/feedback", {"rating": 1, "comment": "rash"})
    path = f"/api/v1/scores/{posted.json['data']['score_id']}"
    wait_for("it is there", lambda: observatory.get(path).status == 200)
    assert delete(observatory, path, developer).status == 403
    assert delete(observatory, path, observatory.token).status == 204
    wait_for("it is gone", lambda: observatory.get(path).status == 404)
    assert scores(observatory, trace_id=traced.trace) == []
    assert delete(observatory, path, observatory.token).status == 404


def test_rubbish_is_refused_by_name(observatory: Observatory) -> None:
    traced = Traced(observatory)
    for body, field in (
        ({"rating": "great"}, "rating"),
        ({"rating": 1, "id": "../x"}, "id"),
        ({"rating": 1, "details": {"a": [1]}}, "details"),
        ({"rating": 1, "timestamp": "1999-01-01"}, "timestamp"),
        ({"rating": 1, "session_id": "x"}, "session_id"),
    ):
        answer = observatory.post(f"/api/v1/traces/{traced.trace}/feedback", body)
        assert (answer.status, answer.json["error"]["field"]) == (400, field), answer.body
    assert scores(observatory, trace_id=traced.trace) == []


def test_what_was_confirmed_survives_a_kill(program: Path, tmp_path: Path) -> None:
    assert program.exists()
    server = Observatory(tmp_path / "data")
    server.start()
    try:
        trace = secrets.token_hex(16)
        for round_ in range(3):
            for kind in ("a", "b"):
                body = {"id": kind, "rating": round_, "project_id": "default"}
                assert server.post(f"/api/v1/traces/{trace}/feedback", body).status == 201
            server.kill()
            server.start()
            found = wait_for_scores(server, 2, trace_id=trace)
            assert {(s["score_id"], s["value"]) for s in found} == {("a", round_), ("b", round_)}
    finally:
        server.stop()


# ----- as events and attributes


def send_log_event(server: Observatory, traced: Traced, attributes: dict[str, object]) -> None:
    export = ExportLogsServiceRequest()
    resource = export.resource_logs.add()
    record = resource.scope_logs.add().log_records.add()
    record.event_name = "gen_ai.evaluation.result"
    record.time_unix_nano = record.observed_time_unix_nano = time.time_ns()
    record.trace_id, record.span_id = bytes.fromhex(traced.trace), bytes.fromhex(traced.span)
    for name, value in attributes.items():
        record.attributes.add(key=name).value.CopyFrom(value_of(value))
    assert server.send("logs", export.SerializeToString()).status == 200


def send_span_event(server: Observatory, traced: Traced, attributes: dict[str, object]) -> None:
    export = Export()
    span = export.span({}, trace_id=bytes.fromhex(traced.trace), span_id=bytes.fromhex(traced.span), name="late")
    event = span.events.add(name="gen_ai.evaluation.result", time_unix_nano=time.time_ns())
    for name, value in attributes.items():
        event.attributes.add(key=name).value.CopyFrom(value_of(value))
    assert server.send("traces", export.body).status == 200


def send_annotation(server: Observatory, traced: Traced, attributes: dict[str, object]) -> None:
    """Post-hoc feedback of OpenInference: a span of its own whose only link names what is scored."""
    export = Export()
    spelled = {
        "gen_ai.evaluation.name": "name",
        "gen_ai.evaluation.score.value": "score",
        "gen_ai.evaluation.score.label": "label",
        "gen_ai.evaluation.explanation": "explanation",
        "identifier": "identifier",
    }
    made = {f"evaluations.0.evaluation.{spelled[name]}": value for name, value in attributes.items()}
    span = export.span(
        {"openinference.span.kind": "EVALUATOR", "evaluations.0.evaluation.annotator_kind": "LLM"} | made, name="eval"
    )
    link = span.links.add()
    link.trace_id, link.span_id = bytes.fromhex(traced.trace), bytes.fromhex(traced.span)
    assert server.send("traces", export.body).status == 200


@pytest.mark.parametrize("send", [send_log_event, send_span_event, send_annotation])
def test_evaluations_of_instrumentations_are_scores(observatory: Observatory, send) -> None:
    traced = Traced(observatory)
    send(observatory, traced, EVALUATION)
    (found,) = wait_for_scores(observatory, 1, trace_id=traced.trace)
    assert (found["name"], found["value"], found["label"]) == ("Relevance", 0.75, "pass")
    assert found["comment"] == "keeps to the question"
    assert found["span_id"] == traced.span

    def shown() -> list[dict]:
        trace = observatory.get(f"/api/v1/traces/{traced.trace}", include="children,evaluations").json["data"]
        spans = [trace, *trace["spans"]]
        return [e for span in spans if span["span_id"] == traced.span for e in span["evaluations"]]

    evaluation = wait_for("the span shows it", shown)[0]
    assert (evaluation["evaluator_name"], evaluation["score"], evaluation["passed"]) == ("Relevance", 0.75, True)


def test_an_annotation_with_an_identifier_replaces(observatory: Observatory) -> None:
    first, second = Traced(observatory), Traced(observatory)
    for value in (0.1, 0.9):
        for traced in (first, second):
            send_annotation(
                observatory, traced, EVALUATION | {"gen_ai.evaluation.score.value": value, "identifier": "grader-2"}
            )
    for traced in (first, second):
        wait_for(
            "the last one counts", lambda t=traced: [s["value"] for s in scores(observatory, trace_id=t.trace)] == [0.9]
        )


# ----- what the server itself finds


def text_message(role: str, text: str) -> str:
    return f'[{{"role":"{role}","parts":[{{"type":"text","content":"{text}"}}]}}]'


def call_saying(question: str, answer: str) -> dict[str, object]:
    return {
        "gen_ai.input.messages": text_message("user", question),
        "gen_ai.output.messages": text_message("assistant", answer),
    }


@pytest.fixture(scope="module")
def moods(observatory: Observatory) -> Iterator[dict[str, dict]]:
    said = {
        "angry": call_saying(
            "Your support is terrible, I want a refund for the broken printer!",
            "I am sorry about the broken printer. The refund for the printer is on its way.",
        ),
        "happy": call_saying("I love this printer, thanks!", "Wonderful!"),
        "neutral": call_saying("Which orders shipped on Monday?", "Orders 12 and 13."),
        "german": call_saying("Das ist super und nicht schlecht.", "Danke, das ist nett."),
    }
    yield {name: shown_span(observatory, content) for name, content in said.items()}


def shown_span(server: Observatory, content: dict[str, object]) -> dict:
    traced = Traced(server, **{name.replace(".", "__"): value for name, value in content.items()})
    return server.get(f"/api/v1/traces/{traced.trace}").json["data"]


def test_moods_are_those_of_the_words(moods: dict[str, dict]) -> None:
    assert moods["angry"]["input_sentiment"] < -0.05
    assert moods["happy"]["input_sentiment"] > 0.05
    assert moods["happy"]["output_sentiment"] > 0.05
    for name in ("neutral", "german"):
        assert not {"input_sentiment", "output_sentiment"} & moods[name].keys(), "unknown, not 0"


def test_an_answer_to_the_question_is_coherent(moods: dict[str, dict]) -> None:
    assert moods["angry"]["coherence"] > 0.5
    assert "coherence" not in moods["happy"], "too little to compare"


def test_moods_are_in_the_figures(observatory: Observatory, moods: dict[str, dict]) -> None:
    assert moods
    quality = observatory.get("/api/v1/analytics/quality", **{"from": "now-1h"}).json
    sentiment = quality["sentiment"]
    assert sentiment["positive"] + sentiment["neutral"] + sentiment["negative"] == pytest.approx(1)
    assert sentiment["input"]["count"] == 2
    assert sentiment["input"]["positive"] == sentiment["input"]["negative"] == 0.5
    rated = [span["coherence"] for span in moods.values() if "coherence" in span]
    assert quality["quality_scores"]["coherence"] == pytest.approx(sum(rated) / len(rated))


def test_spans_are_found_by_their_mood(observatory: Observatory, moods: dict[str, dict]) -> None:
    filters = {"field": "input_sentiment", "operator": "lt", "value": 0}
    found = observatory.post("/api/v1/traces/search", {"filters": filters, "from": "now-1h"}).json["data"]
    assert [row["trace_id"] for row in found] == [moods["angry"]["trace_id"]]
