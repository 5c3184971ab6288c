"""The three core conventions: OpenTelemetry GenAI, OpenInference, OpenLLMetry, by their Python instrumentations."""

from __future__ import annotations

from matrix import (
    ANSWER,
    ASKED_TOOL,
    CHAT_SETTINGS,
    CONTENT,
    EMBEDDED,
    HIDDEN_DETAILS,
    PRESENT,
    QUESTION,
    TOLD_TOOL,
    TOOL_NAME,
    Case,
    call,
    instrumented,
    priced,
    summed,
    tokens,
)

_LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
_ON_SPANS = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}
_ON_BOTH = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"}
_AS_EVENTS = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY"}
_AS_MESSAGES = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}


def _otel_openai_v2() -> list[Case]:
    case = instrumented(
        "otel-openai-v2", "otel-genai", "opentelemetry-instrumentation-openai-v2", "otel_openai_v2",
        ("openai", "opentelemetry-util-genai", "opentelemetry-sdk"), _AS_MESSAGES,
    )  # fmt: skip
    chat = call("openai", "gpt-4o", "openai.chat", *HIDDEN_DETAILS, span_name="chat gpt-4o", request_model="gpt-4o")
    chat |= {"stop_reason": "stop", "operation_type": "chat"} | priced("gpt-4o", "openai.chat", cached_known=False)
    mini = {"span_name": "chat gpt-4o-mini"}
    return [
        # The messages come as log records of their own and must be joined to the span.
        case("chat", "openai_chat", chat | CONTENT | CHAT_SETTINGS, totals=summed("openai.chat")),
        case("chat-grpc", "openai_chat", chat | CONTENT | CHAT_SETTINGS, protocol="grpc"),
        case("stream", "openai_stream", chat | CONTENT, totals=summed("openai.chat")),
        case(
            "tools",
            "openai_tools",
            call("openai", "gpt-4o-mini", "openai.tool_call", **mini, **ASKED_TOOL),
            call("openai", "gpt-4o-mini", "openai.after_tool", "cached_input_tokens", **mini, **TOLD_TOOL),
            totals=summed("openai.tool_call", "openai.after_tool"),
        ),  # fmt: skip
        case("embeddings", "openai_embeddings", EMBEDDED),
        case("error", "openai_error", {"kind": "llm", "status_code": "ERROR", "error_code": "NotFoundError"}),
        case("latest-chat", "openai_chat", chat | CONTENT | CHAT_SETTINGS, env=_LATEST | _ON_SPANS),
    ]


def _otel_genai_openai() -> list[Case]:
    case = instrumented(
        "otel-genai", "otel-genai", "opentelemetry-instrumentation-genai-openai", "otel_genai_openai",
        ("openai", "opentelemetry-util-genai", "opentelemetry-sdk"),
    )  # fmt: skip
    chat = call("openai", "gpt-4o", "openai.chat", span_name="chat gpt-4o", request_model="gpt-4o")
    chat |= {"stop_reason": "stop", "operation_type": "chat"} | priced("gpt-4o", "openai.chat")
    no_content = {"input_text": None, "output_text": None}
    answered = call("openai", "o4-mini", "openai.responses", span_name="chat o4-mini", **CONTENT)
    mini = {"span_name": "chat gpt-4o-mini"}
    return [
        case("chat", "openai_chat", chat | CHAT_SETTINGS | no_content, totals=summed("openai.chat")),
        case("latest-chat", "openai_chat", chat | CHAT_SETTINGS | CONTENT, env=_LATEST | _ON_SPANS),
        # The same content on the span and on an event: once is enough, and tokens must not double.
        case(
            "latest-chat-both", "openai_chat", chat | CHAT_SETTINGS | CONTENT,
            env=_LATEST | _ON_BOTH, totals=summed("openai.chat"),
        ),
        case(
            "latest-chat-event", "openai_chat", chat | CHAT_SETTINGS | CONTENT,
            env=_LATEST | _AS_EVENTS, totals=summed("openai.chat"),
        ),
        case(
            "latest-stream", "openai_stream", chat | CONTENT | {"streaming": True, "ttft_ms": PRESENT},
            env=_LATEST | _ON_SPANS,
        ),
        case(
            "latest-tools", "openai_tools",
            call("openai", "gpt-4o-mini", "openai.tool_call", **mini, **ASKED_TOOL),
            call("openai", "gpt-4o-mini", "openai.after_tool", **mini, **TOLD_TOOL),
            env=_LATEST | _ON_SPANS,
        ),
        case("latest-responses", "openai_responses", answered, env=_LATEST | _ON_SPANS),
        case("latest-embeddings", "openai_embeddings", EMBEDDED, env=_LATEST | _ON_SPANS),
        case(
            "latest-error", "openai_error",
            {"kind": "llm", "status_code": "ERROR", "error_code": "openai.NotFoundError", "error_message": PRESENT},
            env=_LATEST | _ON_SPANS,
        ),
    ]  # fmt: skip


def _otel_genai_others() -> list[Case]:
    anthropic = instrumented(
        "otel-genai", "otel-genai", "opentelemetry-instrumentation-genai-anthropic", "otel_genai_anthropic",
        ("anthropic", "opentelemetry-util-genai", "opentelemetry-sdk"), _LATEST | _ON_SPANS,
    )  # fmt: skip
    gemini = instrumented(
        "otel-google-genai", "otel-genai", "opentelemetry-instrumentation-google-genai", "otel_google_genai",
        ("google-genai", "opentelemetry-util-genai", "opentelemetry-sdk"), _LATEST | _ON_SPANS,
    )  # fmt: skip
    # The Anthropic client makes a span of its own below the one of the instrumentation: the inner one owns the usage.
    outer = {"span_name": "chat claude-sonnet-4-0", "kind": "llm", "prompt_tokens": None, **CONTENT}
    inner = call("anthropic", "claude-sonnet-4-0", "anthropic.messages", span_name="anthropic.messages.create")
    inner |= priced("claude-sonnet-4-0", "anthropic.messages")
    once = summed("anthropic.messages")
    told = call("gcp.gemini", "gemini-2.5-flash", "gemini.generate", **CONTENT, temperature=0.2, max_tokens=256)
    return [
        anthropic("latest-chat", "anthropic_messages", outer, inner, totals=once),
        anthropic("latest-stream", "anthropic_stream", outer, inner | {"streaming": True}, totals=once),
        gemini("latest-generate", "gemini_generate", told),
        gemini("latest-stream", "gemini_stream", told | {"streaming": True, "ttft_ms": PRESENT}),
    ]


def _openinference() -> list[Case]:
    def case_of(package: str, *also: str):
        function = "openinference_" + package.replace("-", "_")
        client = f"openinference-instrumentation-{package}"
        return instrumented("openinference", "openinference", client, function, (*also, "opentelemetry-sdk"))

    openai, anthropic = case_of("openai", "openai"), case_of("anthropic", "anthropic")
    langchain = case_of("langchain", "langchain", "langchain-openai")
    llama_index = case_of("llama-index", "llama-index-core", "llama-index-llms-openai")
    ok = {"status_code": "OK"}
    chat = call("openai", "gpt-4o", "openai.chat", span_name="ChatCompletion", stop_reason="stop", **CONTENT)
    chat |= priced("gpt-4o", "openai.chat") | ok
    mini = {"span_name": "ChatCompletion"}
    chain_call = call("openai", "gpt-4o", "openai.chat", span_name="ChatOpenAI", **CONTENT, stop_reason="stop")
    agent_call = {"span_name": "ChatOpenAI"}
    return [
        openai("chat", "openai_chat", chat | CHAT_SETTINGS, totals=summed("openai.chat")),
        openai("chat-grpc", "openai_chat_async", chat | {"temperature": 0.2}, protocol="grpc"),
        openai("stream", "openai_stream", chat | {"streaming": True, "ttft_ms": PRESENT}),
        openai(
            "tools", "openai_tools",
            call("openai", "gpt-4o-mini", "openai.tool_call", **mini, **ASKED_TOOL),
            call("openai", "gpt-4o-mini", "openai.after_tool", **mini, **TOLD_TOOL),
        ),
        openai("responses", "openai_responses", call("openai", "o4-mini", "openai.responses", **CONTENT)),
        openai("embeddings", "openai_embeddings", EMBEDDED | {"input_text": "The quick brown fox"}),
        openai(
            "error", "openai_error",
            {"kind": "llm", "status_code": "ERROR", "error_code": "openai.NotFoundError", "input_text": QUESTION},
        ),
        anthropic(
            "chat", "anthropic_messages",
            {"span_name": "messages.create", "kind": "llm", "prompt_tokens": None, **CONTENT},
            call("anthropic", "claude-sonnet-4-0", "anthropic.messages", span_name="anthropic.messages.create"),
            totals=summed("anthropic.messages"),
        ),
        anthropic(
            "stream", "anthropic_stream",
            call("anthropic", "claude-sonnet-4-0", "anthropic.messages", span_name="messages.stream", **CONTENT),
        ),
        langchain(
            "chain", "langchain_chain", chain_call | {"temperature": 0.2},
            {"span_name": "RunnableSequence", "kind": "chain", "input_text": QUESTION},
            totals=summed("openai.chat"),
        ),
        langchain(
            "agent", "langchain_agent",
            call("openai", "gpt-4o-mini", "openai.tool_call", **agent_call, **ASKED_TOOL),
            call("openai", "gpt-4o-mini", "openai.after_tool", **agent_call, **TOLD_TOOL),
            {"span_name": "get_weather", "kind": "tool", "tool_name": TOOL_NAME},
            totals=summed("openai.tool_call", "openai.after_tool"),
        ),
        llama_index(
            "chat", "llama_index_chat",
            call("openai", "gpt-4o", "openai.chat", **CONTENT) | {"model": "gpt-4o"}, totals=summed("openai.chat"),
        ),
        llama_index(
            "query", "llama_index_query",
            {"span_name": "OpenAI.chat", "kind": "llm", "output_text": ANSWER, **tokens("openai.chat")},
            {"span_name": "VectorIndexRetriever.retrieve", "kind": "retriever", "input_text": QUESTION},
            {"span_name": "OpenAIEmbedding.get_query_embedding", "kind": "embedding", "input_text": QUESTION},
            {"span_name": "RetrieverQueryEngine.query", "kind": "chain", "output_text": ANSWER},
        ),
    ]  # fmt: skip


def _openllmetry() -> list[Case]:
    openai = instrumented(
        "openllmetry", "openllmetry", "opentelemetry-instrumentation-openai", "openllmetry_openai",
        ("openai", "opentelemetry-sdk"),
    )  # fmt: skip
    anthropic = instrumented(
        "openllmetry", "openllmetry", "opentelemetry-instrumentation-anthropic", "openllmetry_anthropic",
        ("anthropic", "opentelemetry-sdk"),
    )  # fmt: skip
    chat = call("openai", "gpt-4o", "openai.chat", span_name="openai.chat", stop_reason="stop", **CONTENT)
    mini = {"span_name": "openai.chat"}
    # Two roots, not parent and child: the Anthropic client's own span and the one of the instrumentation.
    told = call("anthropic", "claude-sonnet-4-0", "anthropic.messages", span_name="anthropic.chat", **CONTENT)
    by_client = call(
        "anthropic", "claude-sonnet-4-0", "anthropic.messages", span_name="anthropic.messages.create"
    )  # fmt: skip
    return [
        openai("chat", "openai_chat", chat | {"temperature": 0.2, "max_tokens": 256}, totals=summed("openai.chat")),
        openai("chat-grpc", "openai_chat", chat, protocol="grpc"),
        openai("stream", "openai_stream", chat | {"streaming": True, "reasoning_tokens": None}),
        openai(
            "tools", "openai_tools",
            call("openai", "gpt-4o-mini", "openai.tool_call", **mini, **ASKED_TOOL),
            call("openai", "gpt-4o-mini", "openai.after_tool", **mini, **TOLD_TOOL),
        ),
        openai("responses", "openai_responses", call("openai", "o4-mini", "openai.responses", **CONTENT)),
        openai("embeddings", "openai_embeddings", EMBEDDED | {"input_text": "The quick brown fox"}),
        openai("error", "openai_error", {"kind": "llm", "status_code": "ERROR", "error_code": "NotFoundError"}),
        anthropic("chat", "anthropic_messages", told, by_client),
        # It adds the one token that the stream announces at its start to the 25 of its end.
        anthropic(
            "stream", "anthropic_stream",
            told | {"completion_tokens": 26, "total_tokens": 326}, by_client | {"streaming": True, "ttft_ms": PRESENT},
        ),
    ]  # fmt: skip


CORE = [
    *_otel_openai_v2(),
    *_otel_genai_openai(),
    *_otel_genai_others(),
    *_openinference(),
    *_openllmetry(),
]
