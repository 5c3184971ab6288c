"""A Haystack pipeline with content tracing: prompt builder and chat generator."""

import calls
from instrumented import providers

started = providers()

from haystack import Pipeline, tracing  # noqa: E402
from haystack.components.builders import ChatPromptBuilder  # noqa: E402
from haystack.components.generators.chat import OpenAIChatGenerator  # noqa: E402
from haystack.dataclasses import ChatMessage  # noqa: E402
from haystack_integrations.tracing.opentelemetry import OpenTelemetryTracer  # noqa: E402
from opentelemetry import trace  # noqa: E402

tracing.tracer.is_content_tracing_enabled = True
tracing.enable_tracing(OpenTelemetryTracer(trace.get_tracer("haystack")))
template = [ChatMessage.from_system(calls.SYSTEM), ChatMessage.from_user("{{question}}")]
pipeline = Pipeline()
pipeline.add_component("prompt", ChatPromptBuilder(template=template))
pipeline.add_component("llm", OpenAIChatGenerator(model="gpt-4o", max_retries=0))
pipeline.connect("prompt.prompt", "llm.messages")
pipeline.run({"prompt": {"question": calls.QUESTION}})
for provider in started:
    provider.shutdown()
