"""LiteLLM with its OTel callback, answering in place of one provider's own client."""

import os

import calls
import litellm
from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig
from opentelemetry import trace

endpoint = os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
litellm.callbacks = [OpenTelemetry(OpenTelemetryConfig(exporter="otlp_http", endpoint=endpoint))]
litellm.completion(model="openai/gpt-4o", messages=calls.MESSAGES, temperature=0.2, max_tokens=256, user="u-7")
trace.get_tracer_provider().force_flush()
