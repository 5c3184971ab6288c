"""Langfuse's SDK, which exports OTLP to <host>/api/public/otel or wherever OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says."""

import os

from langfuse import get_client, observe, propagate_attributes
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: F401 (a dependency of it)

os.environ.setdefault("LANGFUSE_PUBLIC_KEY", "pk-lf-test")
os.environ.setdefault("LANGFUSE_SECRET_KEY", "sk-lf-test")
from langfuse.openai import openai  # noqa: E402  (reads the keys when it is imported)

QUESTION = "What is the capital of France?"


@observe(name="support")
def support() -> str:
    with propagate_attributes(user_id="u-7", session_id="s-9", tags=["demo", "beta"]):
        answered = openai.OpenAI(max_retries=0).chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "system", "content": "Answer in one sentence."}, {"role": "user", "content": QUESTION}],
            temperature=0.2,
            max_tokens=256,
            name="ask",
        )
        return answered.choices[0].message.content


support()
get_client().flush()
