"""Runs one call of calls.py under one real instrumentation and exports what it emits over OTLP.

    python instrumented.py <instrumentation> <call>

The destination, the protocol and every option of an instrumentation come from the usual OTEL_* variables.
"""

from __future__ import annotations

import os
import sys

import calls
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def exporters():
    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter(), OTLPLogExporter(), OTLPMetricExporter()


def providers() -> list:
    """Sets the global providers of the three signals; returns them in the order in which they must be shut down."""
    span_exporter, log_exporter, metric_exporter = exporters()
    tracer = TracerProvider()
    tracer.add_span_processor(BatchSpanProcessor(span_exporter))
    logger = LoggerProvider()
    logger.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    meter = MeterProvider([PeriodicExportingMetricReader(metric_exporter, export_interval_millis=3_600_000)])
    trace.set_tracer_provider(tracer)
    _logs.set_logger_provider(logger)
    metrics.set_meter_provider(meter)
    return [tracer, logger, meter]


def otel_openai_v2() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def otel_genai_openai() -> None:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def otel_genai_anthropic() -> None:
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


def otel_google_genai() -> None:
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    GoogleGenAiSdkInstrumentor().instrument()


def openinference_openai() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def openinference_anthropic() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


def openinference_langchain() -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument()


def openinference_llama_index() -> None:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    LlamaIndexInstrumentor().instrument()


def openllmetry_openai() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def openllmetry_anthropic() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


def main() -> None:
    instrumentation, call = sys.argv[1:]
    started = providers()
    globals()[instrumentation]()
    getattr(calls, call)()
    for provider in started:
        provider.shutdown()


if __name__ == "__main__":
    main()
