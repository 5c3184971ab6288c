"""Frameworks and vendors' SDKs that speak a dialect of their own, or wrap the model call in spans that repeat it."""

from __future__ import annotations

from matrix import (
    AFTER_TOOL,
    ANSWER,
    ASKED_TOOL,
    CONTENT,
    EMBEDDED,
    PRESENT,
    QUESTION,
    SYSTEM,
    TOLD_TOOL,
    TOOL_NAME,
    Case,
    call,
    instrumented,
    priced,
    summed,
    tokens,
)

WHO = {"user_id": "u-7", "session_id": "s-9"}
TAGGED = {"tags": ["demo", "beta"]}
ONE_CHAT = summed("openai.chat")
TWO_CHATS = summed("openai.tool_call", "openai.after_tool")
WEATHER_TOOL = {"kind": "tool", "tool_name": TOOL_NAME, "output_text": "rain"}


def _program(venv: str, convention: str, client: str, program: str, *also: str, env: dict | None = None):
    """Cases whose client is a Python program of its own."""

    def case(name: str, *expect: dict, arguments: tuple[str, ...] = (), **more) -> Case:
        command = (f"clients/python/{program}", *arguments)
        return Case(convention, client, name, command, expect, venv=venv, also=also, env=env or {}, **more)

    return case


def _openllmetry() -> list[Case]:
    old = instrumented(
        "openllmetry-old", "openllmetry", "opentelemetry-instrumentation-openai", "openllmetry_openai",
        ("openai", "opentelemetry-sdk"),
    )  # fmt: skip
    sdk = _program("traceloop", "openllmetry", "traceloop-sdk", "traceloop_sdk.py", "openai", "opentelemetry-sdk")
    chat = call("openai", "gpt-4o", "openai.chat", span_name="openai.chat", stop_reason="stop", **CONTENT)
    # The old releases flatten the messages into gen_ai.prompt.N.* and hide the reasoning tokens.
    flat = chat | {"reasoning_tokens": None} | priced("gpt-4o", "openai.chat")
    mini = {"span_name": "openai.chat"}
    return [
        old("0.40-chat", "openai_chat", flat | {"temperature": 0.2, "max_tokens": 256}, totals=ONE_CHAT),
        old("0.40-stream", "openai_stream", {"kind": "llm", "streaming": True, **CONTENT, "stop_reason": "stop"}),
        old(
            "0.40-tools", "openai_tools",
            call("openai", "gpt-4o-mini", "openai.tool_call", **mini, **ASKED_TOOL),
            call("openai", "gpt-4o-mini", "openai.after_tool", **mini, **TOLD_TOOL),
            totals=TWO_CHATS,
        ),
        old("0.40-embeddings", "openai_embeddings", EMBEDDED | {"input_text": "The quick brown fox"}),
        sdk(
            "workflow",
            chat | WHO,
            {"span_name": "get_weather.tool"} | WEATHER_TOOL | WHO,
            {"span_name": "answer.task", "kind": "chain"} | WHO,
            {"span_name": "support.workflow", "kind": "chain"} | WHO,
            totals=ONE_CHAT,
        ),
    ]  # fmt: skip


def _openlit() -> list[Case]:
    case = _program("openlit", "openlit", "openlit", "openlit_client.py", "openai", "opentelemetry-sdk")
    chat = call("openai", "gpt-4o", "openai.chat", "reasoning_tokens", span_name="chat gpt-4o", **CONTENT)
    chat |= {"stop_reason": "stop"} | priced("gpt-4o", "openai.chat")
    return [
        case("chat", chat | {"temperature": 0.2, "max_tokens": 256, "seed": 7}, arguments=("openai_chat",)),
        case("stream", chat | {"streaming": True, "ttft_ms": PRESENT}, arguments=("openai_stream",), totals=ONE_CHAT),
        case(
            "tools",
            call("openai", "gpt-4o-mini", "openai.tool_call", **ASKED_TOOL),
            call("openai", "gpt-4o-mini", "openai.after_tool", **TOLD_TOOL),
            arguments=("openai_tools",),
        ),
        case("embeddings", EMBEDDED, arguments=("openai_embeddings",)),
    ]


def _vendors() -> list[Case]:
    langfuse = _program(
        "langfuse", "langfuse", "langfuse", "langfuse_client.py", "openai", "opentelemetry-sdk",
        # Langfuse posts to a path of its own unless it is told otherwise.
        env={"LANGFUSE_OTEL_TRACES_EXPORT_PATH": "/v1/traces", "LANGFUSE_TRACING_ENVIRONMENT": "staging"},
    )  # fmt: skip
    mlflow = _program("mlflow", "mlflow", "mlflow", "mlflow_client.py", "openai", "opentelemetry-sdk")
    langsmith = _program(
        "langsmith", "langsmith", "langsmith", "langsmith_client.py", "langchain", "opentelemetry-sdk",
        env={
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_OTEL_ENABLED": "true",
            "LANGSMITH_OTEL_ONLY": "true",
            "LANGSMITH_API_KEY": "unused",
        },
    )  # fmt: skip
    settings = {"temperature": 0.2, "max_tokens": 256}
    asked = call("openai", "gpt-4o", "openai.chat", span_name="ask", **CONTENT, **settings, **WHO, **TAGGED)
    return [
        # Langfuse does not say who serves the model.
        langfuse(
            "observe",
            asked | {"provider": PRESENT},
            {"span_name": "support", "kind": "chain", "output_text": ANSWER} | WHO | TAGGED,
            totals=ONE_CHAT,
        ),
        mlflow(
            "autolog",
            {"span_name": "Completions", "kind": "llm", "model": "gpt-4o-2024-08-06", **CONTENT, **settings}
            | tokens("openai.chat", "reasoning_tokens"),
            {"span_name": "get_weather", "input_text": '{"city": "Paris"}'} | WEATHER_TOOL,
            {"span_name": "support", "kind": "chain"},
            totals=ONE_CHAT,
        ),
        langsmith(
            "langchain",
            {"span_name": "ChatOpenAI", "kind": "llm", "provider": "openai", "session_id": "s-9"}
            | tokens("openai.chat")
            | {"input_text": QUESTION, "output_text": ANSWER, "system_prompt": SYSTEM},
            {"span_name": "docs", "kind": "retriever", "session_id": "s-9"},
            {"span_name": "ChatPromptTemplate", "kind": "chain"},
            {"span_name": "RunnableSequence", "kind": "chain", "prompt_tokens": None},
            {"span_name": "support", "kind": "chain"} | TAGGED,
            totals=ONE_CHAT,
        ),
    ]


def _pydantic_ai() -> list[Case]:
    case = _program("pydantic-ai", "pydantic-ai", "pydantic-ai-slim", "pydantic_ai_client.py", "openai", "logfire")
    system = {"system_prompt": SYSTEM, "agent_name": "weather"}
    asked = ASKED_TOOL | {"tool_calls": [{"id": "call_stub_1", "name": TOOL_NAME, "arguments": '{"city":"Paris"}'}]}
    expect = (
        call("openai", "gpt-4o-mini", "openai.tool_call", span_name="chat gpt-4o-mini", **asked, **system),
        call("openai", "gpt-4o-mini", "openai.after_tool", span_name="chat gpt-4o-mini", **TOLD_TOOL, **system),
        {"span_name": "execute_tool get_weather", "input_text": '{"city":"Paris"}'} | WEATHER_TOOL,
        {"span_name": "invoke_agent weather", "kind": "agent", "output_text": AFTER_TOOL, "prompt_tokens": None},
    )
    return [
        case("otel", *expect, arguments=("otel",), totals=TWO_CHATS),
        case("logfire", *expect, arguments=("logfire",), totals=TWO_CHATS),
    ]


def _agents_and_gateways() -> list[Case]:
    litellm = _program("litellm", "litellm", "litellm", "litellm_client.py", "openai", "opentelemetry-sdk")
    strands = _program("strands", "strands", "strands-agents", "strands_client.py", "openai", "opentelemetry-sdk")
    haystack = _program("haystack", "haystack", "haystack-ai", "haystack_client.py", "opentelemetry-haystack", "openai")
    adk = _program("adk", "google-adk", "google-adk", "adk_client.py", "google-genai", "opentelemetry-sdk")
    chat = call("openai", "gpt-4o", "openai.chat", "cached_input_tokens", "reasoning_tokens", **CONTENT)
    chat |= {"temperature": 0.2, "max_tokens": 256, "stop_reason": "stop", "streaming": False, "user_id": "u-7"}
    # Strands names itself where the provider belongs, and here its numbers include the cache: the total tells.
    asked = {"span_name": "chat", "framework": "strands-agents", "ttft_ms": PRESENT} | WHO
    hidden_release = {"release": PRESENT}
    return [
        litellm(
            "completion",
            chat
            | {"span_name": "litellm_request", "client_cost_usd": 0.00139}
            | priced("gpt-4o", "openai.chat", cached_known=False),
            totals=ONE_CHAT,
        ),
        strands(
            "agent",
            call("openai", "gpt-4o-mini", "openai.tool_call", **ASKED_TOOL, **asked)
            | {"model": "gpt-4o-mini"}
            | hidden_release,
            call("openai", "gpt-4o-mini", "openai.after_tool", **TOLD_TOOL, **asked)
            | {"model": "gpt-4o-mini"}
            | hidden_release,
            {"span_name": "execute_tool get_weather", "kind": "tool", "tool_name": TOOL_NAME},
            {"span_name": "invoke_agent weather", "kind": "agent", "agent_name": "weather", "prompt_tokens": None}
            | WHO,
            totals=TWO_CHATS,
        ),
        haystack(
            "pipeline",
            {"span_name": "haystack.component.run", "kind": "llm", "model": "gpt-4o-2024-08-06"}
            | tokens("openai.chat"),
            {"span_name": "haystack.pipeline.run", "kind": "chain", "prompt_tokens": None},
            totals=ONE_CHAT,
        ),
        adk(
            "agent",
            call("gcp.gemini", "gemini-2.5-flash", "gemini.generate", session_id="s-9", agent_name="geography"),
            {"span_name": "invoke_agent geography", "kind": "agent", "agent_name": "geography"},
            {"span_name": "invoke_workflow geography", "kind": "chain"},
            totals=summed("gemini.generate"),
        ),
    ]


def _node(venv: str, client: str, *also: str):
    def case(name: str, *expect: dict, arguments: tuple[str, ...], **more) -> Case:
        command = (f"clients/node/{venv}/ai_sdk.mjs", *arguments)
        return Case("vercel-ai", client, name, command, expect, runtime="node", venv=venv, also=also, **more)

    return case


def _vercel() -> list[Case]:
    seven = _node("ai-sdk-7", "ai", "@ai-sdk/otel", "@ai-sdk/openai", "@opentelemetry/sdk-node")
    five = _node("ai-sdk-5", "ai", "@ai-sdk/openai", "@opentelemetry/sdk-node")
    streamed = {"streaming": True, "ttft_ms": PRESENT, "temperature": 0.2, "stop_reason": "stop"}
    chat = call("openai", "gpt-4o", "openai.chat", **CONTENT, **streamed)
    asked, told = "openai.tool_call", "openai.after_tool"
    compact = ASKED_TOOL | {"tool_calls": [{"id": "call_stub_1", "name": TOOL_NAME, "arguments": '{"city":"Paris"}'}]}

    def classic_tools(*hidden: str) -> tuple[dict, ...]:
        model_call = {"span_name": "ai.generateText.doGenerate"}
        return (
            call("openai", "gpt-4o-mini", asked, **model_call, **compact),
            call("openai", "gpt-4o-mini", told, *hidden, **model_call, **TOLD_TOOL),
            {"span_name": "ai.toolCall", "input_text": PRESENT} | WEATHER_TOOL,
            {"span_name": "ai.generateText", "kind": "chain", "prompt_tokens": None, "agent_name": "support"},
        )

    def classic_stream(*hidden: str, **more) -> tuple[dict, ...]:
        wrapper = {"span_name": "ai.streamText", "kind": "chain", "prompt_tokens": None, "agent_name": "support"}
        inner = chat | {"span_name": "ai.streamText.doStream"} | {name: None for name in hidden}
        return inner | more, wrapper | more

    def classic_embed() -> tuple[dict, ...]:
        wrapper = {"span_name": "ai.embed", "kind": "chain", "prompt_tokens": None}
        return EMBEDDED | {"span_name": "ai.embed.doEmbed"}, wrapper

    once = {"prompt_tokens": 9}
    return [
        seven(
            "7-stream",
            chat | {"span_name": "chat gpt-4o", "reasoning_tokens": None},
            {"span_name": "invoke_agent gpt-4o", "kind": "agent", "agent_name": "support", "prompt_tokens": None},
            arguments=("new", "stream"),
            totals=ONE_CHAT,
        ),
        seven(
            "7-tools",
            call("openai", "gpt-4o-mini", asked, span_name="chat gpt-4o-mini", **compact),
            call("openai", "gpt-4o-mini", told, span_name="chat gpt-4o-mini", **TOLD_TOOL),
            {"span_name": "execute_tool get_weather", "input_text": '{"city":"Paris"}'} | WEATHER_TOOL,
            {"span_name": "invoke_agent gpt-4o-mini", "kind": "agent", "prompt_tokens": None},
            arguments=("new", "tools"),
            totals=TWO_CHATS,
        ),
        # Two spans of the same name and operation: only the inner one used tokens.
        seven("7-embed", EMBEDDED, arguments=("new", "embed"), totals=once),
        seven("7-legacy-stream", *classic_stream(), arguments=("legacy", "stream"), totals=ONE_CHAT),
        seven("7-legacy-tools", *classic_tools(), arguments=("legacy", "tools"), totals=TWO_CHATS),
        seven("7-legacy-embed", *classic_embed(), arguments=("legacy", "embed"), totals=once),
        five("5-stream", *classic_stream(**WHO, **TAGGED), arguments=("stream",), totals=ONE_CHAT),
        five("5-tools", *classic_tools("cached_input_tokens"), arguments=("tools",), totals=TWO_CHATS),
        five("5-embed", *classic_embed(), arguments=("embed",), totals=once),
    ]


FRAMEWORKS = [*_openllmetry(), *_openlit(), *_vendors(), *_pydantic_ai(), *_agents_and_gateways(), *_vercel()]
