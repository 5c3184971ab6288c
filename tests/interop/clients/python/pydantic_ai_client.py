"""An agent of Pydantic AI with one tool, traced by Pydantic AI itself or through Logfire.

pydantic_ai_client.py otel|logfire
"""

import sys

from pydantic_ai import Agent

how = sys.argv[1]
if how == "logfire":
    import logfire

    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
    logfire.instrument_pydantic_ai()
else:
    from instrumented import providers

    started = providers()
    Agent.instrument_all()

agent = Agent("openai-chat:gpt-4o-mini", name="weather", system_prompt="Answer in one sentence.")


@agent.tool_plain
def get_weather(city: str) -> str:
    """Weather of a city"""
    return "rain"


agent.run_sync("What is the weather in Paris?")
if how == "logfire":
    logfire.force_flush()
    logfire.shutdown()
else:
    for provider in started:
        provider.shutdown()
