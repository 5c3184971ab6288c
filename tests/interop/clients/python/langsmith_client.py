"""LangSmith in OTel mode (LANGSMITH_OTEL_ENABLED, LANGSMITH_OTEL_ONLY): its runs leave as OTLP spans."""

import calls
import langsmith
from langsmith import traceable
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


@traceable(run_type="retriever", name="docs")
def retrieve(query: str) -> list:
    return [{"page_content": "Paris is in France.", "type": "Document", "metadata": {}}]


@traceable(run_type="chain", name="support", metadata={"thread_id": "s-9"}, tags=["demo", "beta"])
def support() -> None:
    retrieve(calls.QUESTION)
    calls.langchain_chain()


support()
langsmith.Client().flush()
from langchain_core.tracers.langchain import wait_for_all_tracers  # noqa: E402

wait_for_all_tracers()
provider.shutdown()
