"""An agent of Google's ADK, which asks Gemini."""

import asyncio

from instrumented import providers

started = providers()

from google.adk.agents import Agent  # noqa: E402
from google.adk.runners import InMemoryRunner  # noqa: E402
from google.genai import types  # noqa: E402


async def main() -> None:
    agent = Agent(name="geography", model="gemini-2.5-flash", instruction="Answer in one sentence.")
    runner = InMemoryRunner(agent=agent, app_name="interop")
    session = await runner.session_service.create_session(app_name="interop", user_id="u-7", session_id="s-9")
    question = types.Content(role="user", parts=[types.Part(text="What is the capital of France?")])
    async for _ in runner.run_async(user_id="u-7", session_id=session.id, new_message=question):
        pass


asyncio.run(main())
for provider in started:
    provider.shutdown()
