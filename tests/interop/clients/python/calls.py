"""Calls that an application makes, one function each; the client libraries find the stub through the environment."""

from __future__ import annotations

SYSTEM = "Answer in one sentence."
QUESTION = "What is the capital of France?"
TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


def _openai():
    import openai

    return openai.OpenAI(max_retries=0)


def _anthropic():
    import anthropic

    return anthropic.Anthropic(max_retries=0)


def openai_chat() -> None:
    _openai().chat.completions.create(model="gpt-4o", messages=MESSAGES, temperature=0.2, max_tokens=256, seed=7)


def openai_chat_async() -> None:
    import asyncio

    import openai

    async def call() -> None:
        async with openai.AsyncOpenAI(max_retries=0) as client:
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, temperature=0.2)

    asyncio.run(call())


def openai_stream() -> None:
    stream = _openai().chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    for _ in stream:
        pass


def openai_tools() -> None:
    client = _openai()
    tools = [{"type": "function", "function": TOOL}]
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    asked = client.chat.completions.create(model="gpt-4o-mini", messages=question, tools=tools)
    message = asked.choices[0].message
    call = message.tool_calls[0]
    history = question + [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "rain"},
    ]
    client.chat.completions.create(model="gpt-4o-mini", messages=history, tools=tools)


def openai_responses() -> None:
    _openai().responses.create(model="o4-mini", instructions=SYSTEM, input=QUESTION)


def openai_responses_stream() -> None:
    for _ in _openai().responses.create(model="o4-mini", instructions=SYSTEM, input=QUESTION, stream=True):
        pass


def openai_embeddings() -> None:
    _openai().embeddings.create(model="text-embedding-3-small", input="The quick brown fox")


def openai_error() -> None:
    import openai

    try:
        _openai().chat.completions.create(model="no-such-model", messages=MESSAGES)
    except openai.NotFoundError:
        return
    raise AssertionError("the stub should have refused the model")


def anthropic_messages() -> None:
    _anthropic().messages.create(
        model="claude-sonnet-4-0", system=SYSTEM, max_tokens=256, messages=[{"role": "user", "content": QUESTION}]
    )


def anthropic_stream() -> None:
    with _anthropic().messages.stream(
        model="claude-sonnet-4-0", system=SYSTEM, max_tokens=256, messages=[{"role": "user", "content": QUESTION}]
    ) as stream:
        stream.get_final_message()


def _gemini():
    from google import genai

    return genai.Client()


def _gemini_config():
    from google.genai import types

    return types.GenerateContentConfig(system_instruction=SYSTEM, temperature=0.2, max_output_tokens=256)


def gemini_generate() -> None:
    client = _gemini()  # a client that nobody holds closes itself
    client.models.generate_content(model="gemini-2.5-flash", contents=QUESTION, config=_gemini_config())


def gemini_stream() -> None:
    client = _gemini()
    for _ in client.models.generate_content_stream(
        model="gemini-2.5-flash", contents=QUESTION, config=_gemini_config()
    ):
        pass


def langchain_chain() -> None:
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_openai import ChatOpenAI

    prompt = ChatPromptTemplate.from_messages([("system", SYSTEM), ("user", "{question}")])
    (prompt | ChatOpenAI(model="gpt-4o", temperature=0.2, max_retries=0)).invoke({"question": QUESTION})


def langchain_stream() -> None:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o", stream_usage=True, max_retries=0)
    for _ in model.stream([("system", SYSTEM), ("user", QUESTION)]):
        pass


def langchain_agent() -> None:
    from langchain.agents import create_agent
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def get_weather(city: str) -> str:
        """Weather of a city"""
        return "rain"

    agent = create_agent(ChatOpenAI(model="gpt-4o-mini", max_retries=0), tools=[get_weather])
    agent.invoke({"messages": [{"role": "user", "content": "What is the weather in Paris?"}]})


def llama_index_chat() -> None:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai import OpenAI

    model = OpenAI(model="gpt-4o", temperature=0.2, max_retries=0)
    model.chat([ChatMessage(role="system", content=SYSTEM), ChatMessage(role="user", content=QUESTION)])


def llama_index_query() -> None:
    """Retrieval: embed, retrieve, answer."""
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.embeddings.openai import OpenAIEmbedding
    from llama_index.llms.openai import OpenAI

    embedding = OpenAIEmbedding(model="text-embedding-3-small", max_retries=0)
    index = VectorStoreIndex.from_documents([Document(text="Paris is in France.")], embed_model=embedding)
    index.as_query_engine(llm=OpenAI(model="gpt-4o", max_retries=0)).query(QUESTION)
