"""Traceloop's own SDK: a workflow with a task and a tool around an OpenAI call."""

import os

import calls
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task, tool, workflow

Traceloop.init(
    app_name=os.environ["OTEL_SERVICE_NAME"],
    api_endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    disable_batch=False,
    telemetry_enabled=False,
    resource_attributes={"service.version": "1.2.3", "deployment.environment.name": "staging"},
)


@tool(name="get_weather")
def get_weather(city: str) -> str:
    return "rain"


@task(name="answer")
def answer() -> None:
    calls.openai_chat()


@workflow(name="support")
def support() -> None:
    Traceloop.set_association_properties({"user_id": "u-7", "session_id": "s-9"})
    get_weather("Paris")
    answer()


support()
