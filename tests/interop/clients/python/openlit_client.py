"""OpenLIT: one line of set-up, then the call named on the command line."""

import os
import sys

import calls
import openlit
from opentelemetry import trace

openlit.init(
    otlp_endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    application_name=os.environ["OTEL_SERVICE_NAME"],
    environment="staging",
)
getattr(calls, sys.argv[1])()
trace.get_tracer_provider().force_flush()
