"""MLflow's tracing with its OTLP export (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT instead of a tracking server)."""

import calls
import mlflow

mlflow.openai.autolog()


@mlflow.trace(span_type="TOOL")
def get_weather(city: str) -> str:
    return "rain"


@mlflow.trace(name="support", span_type="CHAIN")
def support() -> None:
    get_weather("Paris")
    calls.openai_chat()


support()
mlflow.flush_trace_async_logging(terminate=True)
