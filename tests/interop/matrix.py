"""What a case of the matrix is, and the words in which cases say what must come out of our HTTP API.

Expected values follow from what the stub answered (tests/stubs/providers.py) and from what the client passes on; a key
that is expected to be missing is written as None. Names are those of the API.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stubs.providers import AFTER_TOOL, ANSWER, TOOL_NAME, USAGE, snapshot  # noqa: E402

HERE = Path(__file__).resolve().parent
QUESTION = "What is the capital of France?"
SYSTEM = "Answer in one sentence."
WEATHER = "What is the weather in Paris?"

# What every client of the matrix says about its application.
SERVICE, ENVIRONMENT, RELEASE = "interop", "staging", "1.2.3"


@dataclass(frozen=True)
class Case:
    convention: str  # folder of the capture
    client: str  # package that makes the spans; its version goes into the name of the capture
    name: str
    command: tuple[str, ...]  # arguments after the interpreter
    expect: tuple[dict, ...]  # one per span that must be there
    runtime: str = "python"
    venv: str = ""  # the requirements file that holds the client: requirements-<venv>.txt
    also: tuple[str, ...] = ()  # further packages whose versions are worth writing down
    env: dict[str, str] = field(default_factory=dict)
    protocol: str = "http/protobuf"
    # False where a capture would hold the same bytes as another's: compression is taken off before they are written.
    recorded: bool = True
    # Sum over the model calls of the trace: shows that nothing is counted twice.
    totals: dict[str, int] = field(default_factory=dict)
    # What the client sends, each of which must have been accepted; only of spans does the API tell more.
    signals: tuple[str, ...] = ("traces",)

    @property
    def id(self) -> str:
        return f"{self.convention}/{self.client}-{self.name}"


def tokens(scene: str, *hidden: str) -> dict:
    """The usage of a scene in the API's words, without what the client does not pass on."""
    usage = USAGE[scene]
    shown = {"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.total}
    if usage.cached:
        shown["cached_input_tokens"] = usage.cached
    if usage.cache_write:
        shown["cache_write_tokens"] = usage.cache_write
    if usage.reasoning:
        shown["reasoning_tokens"] = usage.reasoning
    return shown | {name: None for name in hidden}


def call(provider: str, model: str, scene: str, *hidden: str, **more) -> dict:
    """A model call as it must be shown."""
    shown = {"kind": "llm", "provider": provider, "model": snapshot(model), "environment": ENVIRONMENT}
    return shown | {"release": RELEASE} | tokens(scene, *hidden) | more


def summed(*scenes: str) -> dict[str, int]:
    return {
        "prompt_tokens": sum(USAGE[s].input for s in scenes),
        "completion_tokens": sum(USAGE[s].output for s in scenes),
    }


CONTENT = {"input_text": QUESTION, "output_text": ANSWER, "system_prompt": SYSTEM}
CALLED = [{"id": "call_stub_1", "name": TOOL_NAME, "arguments": '{"city": "Paris"}'}]

# What the catalogue says, in dollars: $ per million of uncached input, cached input, cache write, output.
_RATES = {"gpt-4o": (2.5, 1.25, 2.5, 10.0), "claude-sonnet-4-0": (3.0, 0.3, 3.75, 15.0)}


def priced(model: str, scene: str, cached_known: bool = True) -> dict:
    """The cost of a scene. A client that hides the cached tokens makes it dearer: nobody can know better."""
    usage, (fresh, cached, write, out) = USAGE[scene], _RATES[model]
    hits = usage.cached if cached_known else 0
    millionths = (usage.input - hits - usage.cache_write) * fresh
    millionths += hits * cached + usage.cache_write * write + usage.output * out
    return {"total_cost_usd": round(millionths / 1e6, 9), "cost_source": "server"}


PRESENT = "*"  # any value, but there must be one
HIDDEN_DETAILS = ("cached_input_tokens", "reasoning_tokens")
CHAT_SETTINGS = {"temperature": 0.2, "max_tokens": 256, "seed": 7}
EMBEDDED = {
    "kind": "embedding",
    "provider": "openai",
    "model": "text-embedding-3-small",
    "prompt_tokens": 9,
    "environment": ENVIRONMENT,
}
ASKED_TOOL = {"input_text": WEATHER, "tool_calls": CALLED, "stop_reason": "tool_calls"}
TOLD_TOOL = {"output_text": AFTER_TOOL, "stop_reason": "stop"}


def instrumented(
    venv: str, convention: str, client: str, function: str, also: tuple[str, ...], env: dict | None = None
):
    """Cases of one Python instrumentation: give it the name of a case, the call and what to expect."""

    def case(name: str, made_call: str, *expect: dict, **more) -> Case:
        return Case(
            convention=convention,
            client=client,
            name=name,
            command=("clients/python/instrumented.py", function, made_call),
            expect=expect,
            venv=venv,
            also=also,
            env=(env or {}) | more.pop("env", {}),
            **more,
        )

    return case
