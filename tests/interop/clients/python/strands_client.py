"""An agent of Strands with one tool."""

from opentelemetry import trace
from strands import Agent, tool
from strands.models.openai import OpenAIModel
from strands.telemetry import StrandsTelemetry

StrandsTelemetry().setup_otlp_exporter()


@tool
def get_weather(city: str) -> str:
    """Weather of a city"""
    return "rain"


agent = Agent(
    name="weather",
    model=OpenAIModel(model_id="gpt-4o-mini"),
    tools=[get_weather],
    system_prompt="Answer in one sentence.",
    callback_handler=None,
    trace_attributes={"session.id": "s-9", "user.id": "u-7"},
)
agent("What is the weather in Paris?")
trace.get_tracer_provider().force_flush()
