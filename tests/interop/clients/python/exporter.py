"""Exports one span, one log record and one metric point with the OpenTelemetry SDK for Python.

The protocol, the compression and the destination come from the usual OTEL_* variables.
"""

from __future__ import annotations

import time

from instrumented import providers
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber

tracers, loggers, meters = started = providers()
with tracers.get_tracer("interop").start_as_current_span("chat gpt-4o", kind=trace.SpanKind.CLIENT) as span:
    span.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.usage.input_tokens": 300,
            "gen_ai.usage.output_tokens": 80,
            "gen_ai.usage.cache_read.input_tokens": 128,
        }
    )
    record = LogRecord(timestamp=time.time_ns(), severity_number=SeverityNumber.INFO, body="answered")
    loggers.get_logger("interop").emit(record)
    meters.get_meter("interop").create_counter("interop.calls").add(3)
for provider in started:
    provider.shutdown()
