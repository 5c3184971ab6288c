"""A stand-in for the HTTP APIs of OpenAI, Anthropic and Gemini: the same question gets the same answer and usage.

Only the standard library is used. Tests know what each answer cost in tokens (USAGE), so they can assert what must
come out at the other end of the pipeline. Numbers differ from each other on purpose: a mix-up shows.

    with Providers() as stub:
        openai.OpenAI(base_url=stub.url + "/v1", api_key="unused")

Run as a program, it prints its address and serves until it is interrupted.
"""

from __future__ import annotations

import base64
import json
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = "Paris is the capital of France."
TOOL_NAME = "get_weather"
TOOL_ARGUMENTS = {"city": "Paris"}
AFTER_TOOL = "It rains in Paris."
CREATED = 1_760_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens as OpenTelemetry counts them: input includes what the cache gave or took, output includes reasoning."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output


USAGE = {
    "openai.chat": Usage(input=300, output=80, cached=128, reasoning=30),
    "openai.tool_call": Usage(input=120, output=18),
    "openai.after_tool": Usage(input=160, output=12, cached=64),
    "openai.responses": Usage(input=210, output=42, cached=64, reasoning=16),
    "openai.embeddings": Usage(input=9, output=0),
    "anthropic.messages": Usage(input=300, output=25, cached=200, cache_write=30),
    "anthropic.tool_call": Usage(input=140, output=21),
    "gemini.generate": Usage(input=90, output=35, cached=40, reasoning=15),
}
# What a provider answers to a model name: dated snapshots, as the real ones do.
SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "o4-mini": "o4-mini-2025-04-16",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514",
}
UNKNOWN_MODEL = "no-such-model"


def snapshot(model: str) -> str:
    return SNAPSHOTS.get(model, model)


def _openai_usage(usage: Usage) -> dict:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


class _OpenAi:
    """Chat completions, responses and embeddings."""

    @staticmethod
    def chat_scene(request: dict) -> tuple[dict, str, Usage]:
        """The assistant's message, why it stopped, and what it cost."""
        if request["messages"][-1].get("role") == "tool":
            return {"role": "assistant", "content": AFTER_TOOL}, "stop", USAGE["openai.after_tool"]
        if request.get("tools"):
            call = {
                "id": "call_stub_1",
                "type": "function",
                "function": {"name": TOOL_NAME, "arguments": json.dumps(TOOL_ARGUMENTS)},
            }
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            return message, "tool_calls", USAGE["openai.tool_call"]
        return {"role": "assistant", "content": ANSWER}, "stop", USAGE["openai.chat"]

    @classmethod
    def chat(cls, request: dict):
        message, reason, usage = cls.chat_scene(request)
        head = {"id": "chatcmpl-stub-1", "created": CREATED, "model": snapshot(request["model"])}
        head |= {"service_tier": "default", "system_fingerprint": "fp_stub"}
        if request.get("stream"):
            return cls._chat_chunks(request, head, message, reason, usage)
        choice = {"index": 0, "finish_reason": reason, "logprobs": None, "message": message | {"refusal": None}}
        return head | {"object": "chat.completion", "choices": [choice], "usage": _openai_usage(usage)}

    @staticmethod
    def _chat_chunks(request: dict, head: dict, message: dict, reason: str, usage: Usage):
        def chunk(delta: dict, finish: str | None = None) -> dict:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return head | {"object": "chat.completion.chunk", "choices": [choice]}

        yield None, chunk({"role": "assistant", "content": "" if message["content"] is not None else None})
        for index, call in enumerate(message.get("tool_calls", [])):
            opening = call | {"index": index, "function": call["function"] | {"arguments": ""}}
            yield None, chunk({"tool_calls": [opening]})
            rest = {"index": index, "function": {"arguments": call["function"]["arguments"]}}
            yield None, chunk({"tool_calls": [rest]})
        for place, word in enumerate((message["content"] or "").split()):
            yield None, chunk({"content": " " + word if place else word})
        yield None, chunk({}, reason)
        if (request.get("stream_options") or {}).get("include_usage"):
            closing = {"object": "chat.completion.chunk", "choices": [], "usage": _openai_usage(usage)}
            yield None, head | closing
        yield None, "[DONE]"

    @staticmethod
    def responses(request: dict):
        usage = USAGE["openai.responses"]
        item = {
            "id": "msg_stub_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}],
        }
        response = {
            "id": "resp_stub_1",
            "object": "response",
            "created_at": CREATED,
            "status": "completed",
            "model": snapshot(request["model"]),
            "output": [item],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "temperature": request.get("temperature", 1.0),
            "top_p": 1.0,
            "instructions": request.get("instructions"),
            "error": None,
            "incomplete_details": None,
            "metadata": {},
            "service_tier": "default",
            "usage": {
                "input_tokens": usage.input,
                "input_tokens_details": {"cached_tokens": usage.cached},
                "output_tokens": usage.output,
                "output_tokens_details": {"reasoning_tokens": usage.reasoning},
                "total_tokens": usage.total,
            },
        }
        if not request.get("stream"):
            return response
        return _OpenAi._response_events(response, item)

    @staticmethod
    def _response_events(response: dict, item: dict):
        started = response | {"status": "in_progress", "output": [], "usage": None}
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        events = [
            {"type": "response.created", "response": started},
            {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
            place | {"type": "response.content_part.added", "part": part},
            place | {"type": "response.output_text.delta", "delta": ANSWER, "logprobs": []},
            place | {"type": "response.output_text.done", "text": ANSWER, "logprobs": []},
            place | {"type": "response.content_part.done", "part": part | {"text": ANSWER}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        for number, event in enumerate(events):
            yield event["type"], event | {"sequence_number": number}

    @staticmethod
    def embeddings(request: dict):
        inputs = request["input"] if isinstance(request["input"], list) else [request["input"]]
        # A list of token numbers is one text, not many.
        count = 1 if inputs and isinstance(inputs[0], int) else len(inputs)
        vector = [0.5, -0.25, 0.125, 1.0]
        shown = vector
        if request.get("encoding_format") == "base64":
            shown = base64.b64encode(struct.pack("<4f", *vector)).decode()
        used = USAGE["openai.embeddings"].input
        return {
            "object": "list",
            "model": snapshot(request["model"]),
            "data": [{"object": "embedding", "index": i, "embedding": shown} for i in range(count)],
            "usage": {"prompt_tokens": used, "total_tokens": used},
        }


class _Anthropic:
    """Messages. Anthropic counts cached input beside input_tokens, not inside."""

    @staticmethod
    def messages(request: dict):
        used = USAGE["anthropic.messages"]
        content = [{"type": "text", "text": ANSWER}]
        reason = "end_turn"
        if request.get("tools"):
            used = USAGE["anthropic.tool_call"]
            content = [{"type": "tool_use", "id": "toolu_stub_1", "name": TOOL_NAME, "input": TOOL_ARGUMENTS}]
            reason = "tool_use"
        usage = {
            "input_tokens": used.input - used.cached - used.cache_write,
            "cache_read_input_tokens": used.cached,
            "cache_creation_input_tokens": used.cache_write,
            "output_tokens": used.output,
            "service_tier": "standard",
        }
        message = {
            "id": "msg_stub_1",
            "type": "message",
            "role": "assistant",
            "model": snapshot(request["model"]),
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": usage,
        }
        return _Anthropic._events(message) if request.get("stream") else message

    @staticmethod
    def _events(message: dict):
        opening = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
        yield "message_start", {"type": "message_start", "message": opening}
        for index, block in enumerate(message["content"]):
            if block["type"] == "text":
                empty, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                text = json.dumps(block["input"])
                empty, delta = block | {"input": {}}, {"type": "input_json_delta", "partial_json": text}
            yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
            yield "content_block_stop", {"type": "content_block_stop", "index": index}
        delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        usage = {"output_tokens": message["usage"]["output_tokens"]}
        yield "message_delta", {"type": "message_delta", "delta": delta, "usage": usage}
        yield "message_stop", {"type": "message_stop"}


class _Gemini:
    """generateContent and its streamed form. Gemini counts thoughts beside the candidates' tokens."""

    @staticmethod
    def generate(model: str, streamed: bool):
        used = USAGE["gemini.generate"]
        usage = {
            "promptTokenCount": used.input,
            "cachedContentTokenCount": used.cached,
            "candidatesTokenCount": used.output - used.reasoning,
            "thoughtsTokenCount": used.reasoning,
            "totalTokenCount": used.total,
        }

        def answer(text: str, last: bool) -> dict:
            candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
            if last:
                candidate["finishReason"] = "STOP"
            shown = {"candidates": [candidate], "modelVersion": model, "responseId": "gemini-stub-1"}
            return shown | ({"usageMetadata": usage} if last else {})

        if not streamed:
            return answer(ANSWER, True)
        half = len(ANSWER) // 2
        return iter([(None, answer(ANSWER[:half], False)), (None, answer(ANSWER[half:], True))])


def _refusal(path: str, model: str) -> dict:
    message = f"The model '{model}' does not exist"
    if path.endswith("/messages"):
        return {"type": "error", "error": {"type": "not_found_error", "message": message}}
    if "models/" in path:
        return {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": "model_not_found"}}


def _answer(path: str, request: dict):
    """JSON for a plain answer, an iterator of (event name, JSON) for a streamed one, None for an unknown route."""
    route = path.split("?")[0].rstrip("/")
    if route.endswith("/chat/completions"):
        return _OpenAi.chat(request)
    if route.endswith("/responses"):
        return _OpenAi.responses(request)
    if route.endswith("/embeddings"):
        return _OpenAi.embeddings(request)
    if route.endswith("/messages"):
        return _Anthropic.messages(request)
    if ":" in route and "/models/" in route:
        model, method = route.split("/models/")[1].split(":")
        return _Gemini.generate(model, method == "streamGenerateContent")
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        if UNKNOWN_MODEL in (request.get("model"), self.path.split("/models/")[-1].split(":")[0]):
            return self._send_json(404, _refusal(self.path, UNKNOWN_MODEL))
        answer = _answer(self.path, request)
        if answer is None:
            return self._send_json(404, {"error": {"message": f"no route {self.path}"}})
        if isinstance(answer, dict):
            return self._send_json(200, answer)
        return self._send_events(answer)

    def do_GET(self) -> None:
        self._send_json(404, {"error": {"message": f"no route {self.path}"}})

    def _send_json(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_events(self, events) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for name, body in events:
            text = f"event: {name}\n" if name else ""
            text += f"data: {body if isinstance(body, str) else json.dumps(body)}\n\n"
            data = text.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments) -> None:
        pass


class Providers:
    """Serves on a free loopback port from entering until leaving the `with` block."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self) -> dict[str, str]:
        """What makes the real client libraries talk to this stub."""
        return {
            "OPENAI_BASE_URL": self.url + "/v1",
            "OPENAI_API_BASE": self.url + "/v1",  # llama-index, older clients
            "OPENAI_API_KEY": "unused",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "unused",
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": "unused",
        }

    def __enter__(self) -> Providers:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()


def main() -> None:
    with Providers() as stub:
        for name, value in stub.environment().items():
            print(f"export {name}={value}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
