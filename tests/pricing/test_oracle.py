"""Our catalogue and arithmetic against the Python package that the data comes from, on random calls."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage, data_snapshot
from genai_prices.types import ClauseEquals, ClauseOr, ClauseStartsWith, ModelInfo, Provider, TieredPrices

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("OBS_BUILD", ROOT / "build")) / "src/pricing/price_of"
SEED = 20_251_001
CALLS = 4_000

# Ours to theirs.
COUNTS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cached_input": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "audio_input": "input_audio_tokens",
    "audio_output": "output_audio_tokens",
    "cached_audio": "cache_audio_read_tokens",
    "image_input": "input_image_tokens",
    "image_output": "output_image_tokens",
    "cached_image": "cache_image_read_tokens",
    "reasoning": "output_reasoning_tokens",
}
PRICE_KEYS = {
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "input_audio_mtok", "output_audio_mtok",
    "cache_audio_read_mtok", "input_image_mtok", "output_image_mtok", "cache_image_read_mtok", "output_reasoning_mtok",
    "requests_kcount",
}  # fmt: skip
CONTEXTS = [
    ("", None), ("", None), ("batch", {"processing": "batch"}), ("flex", {"service_tier": "flex"}),
    ("priority", {"service_tier": "priority"}), ("fast", {"service_tier": "fast", "speed": "fast"}),
]  # fmt: skip


@dataclass
class Call:
    provider: str
    model: str
    at: datetime
    service: str
    context: dict[str, str] | None
    counts: dict[str, int]

    def line(self) -> str:
        counts = [f"{name}={count}" for name, count in self.counts.items()]
        return "\t".join([self.provider, self.model, self.at.strftime("%Y-%m-%dT%H:%M:%SZ"), self.service, *counts])


def names_of(match: Any) -> Iterator[str]:
    if isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseStartsWith):
        yield match.starts_with
    elif isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from names_of(clause)


def random_counts(rng: random.Random) -> dict[str, int]:
    """Parts that are disjoint, added up to the canonical meaning."""
    size = rng.choice([0, 100, 5_000, 300_000, 2_000_000])

    def part(chance: float) -> int:
        return rng.randint(0, size) if rng.random() < chance else 0

    text, cached, write = rng.randint(0, size), part(0.6), part(0.3)
    audio, cached_audio, image, cached_image = part(0.2), part(0.1), part(0.2), part(0.1)
    out, reasoning, audio_out = rng.randint(0, size), part(0.4), part(0.1)
    return {
        "input": text + cached + write + audio + cached_audio + image + cached_image,
        "output": out + reasoning + audio_out,
        "cached_input": cached + cached_audio + cached_image,
        "cache_write": write,
        "audio_input": audio + cached_audio,
        "audio_output": audio_out,
        "cached_audio": cached_audio,
        "image_input": image + cached_image,
        "image_output": 0,
        "cached_image": cached_image,
        "reasoning": reasoning,
    }


def random_calls(rng: random.Random) -> Iterator[Call]:
    choices = [
        (provider, name)
        for provider in data_snapshot.get_snapshot().providers
        for model in provider.models
        for name in names_of(model.match)
    ]
    first = datetime(2023, 1, 1, tzinfo=UTC)
    for provider, name in rng.choices(choices, k=CALLS):
        at = first + timedelta(seconds=rng.randint(0, 5 * 365 * 86_400))
        service, context = rng.choice(CONTEXTS)
        yield Call(provider.id, name, at, service, context, random_counts(rng))


def is_priced(model: ModelInfo, price: Any) -> bool:
    """Whether anything that a span counts has a rate; names with `:free` cost nothing on purpose."""
    rates = {key for key, value in price.__dict__.items() if value is not None}
    return bool(rates & PRICE_KEYS) or (not rates and model.id.endswith(":free"))


def is_exact(price: Any) -> bool:
    """A few rates are the noise of floating point and have more digits than our pico-dollars."""
    for value in price.__dict__.values():
        amounts = [value.base, *(t.price for t in value.tiers)] if isinstance(value, TieredPrices) else [value]
        if any(a is not None and (a * 10**6) % 1 for a in amounts):
            return False
    return True


def nanos(dollars: Decimal) -> int:
    return int((dollars * 10**9).to_integral_value(ROUND_HALF_EVEN))


def ask_ours(calls: list[Call]) -> list[str]:
    lines = "".join(call.line() + "\n" for call in calls)
    return subprocess.run([PROGRAM], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()


def theirs(call: Call) -> tuple[Provider, ModelInfo, Any] | None:
    snapshot = data_snapshot.get_snapshot()
    try:
        provider, model = snapshot.find_provider_model(call.model, None, call.provider, None)
    except LookupError:
        return None
    # A service of a provider whose models another one makes is priced as standard there.
    own = any(model is candidate for candidate in provider.models)
    return provider, model, model.get_prices(call.at, call.context if own else None)


def test_random_calls_cost_what_the_package_says() -> None:
    calls = list(random_calls(random.Random(SEED)))
    compared = unpriced = services = 0
    for call, answer in zip(calls, ask_ours(calls), strict=True):
        found = theirs(call)
        assert found, f"the package does not know its own {call}"
        provider, model, price = found
        if not is_priced(model, price):
            assert answer == "unknown", f"{call} has no rate for tokens: {answer}"
            unpriced += 1
            continue
        usage = Usage(**{COUNTS[name]: count for name, count in call.counts.items()})
        try:
            expected = price.calc_price(usage)
        except ValueError as error:
            pytest.fail(f"{call}: {error}")
        rule, *figures = answer.split(" ")
        assert figures, f"{call}: {answer}, expected {expected}"
        ours_input, ours_output, ours_total = map(int, figures)
        assert f"/{model.id}" in rule, f"{call}: {rule} is not {model.id}"
        slack = 0 if is_exact(price) else call.counts["input"] // 10**3 + call.counts["output"] // 10**3 + 1
        assert abs(ours_total - nanos(expected["total_price"])) <= slack, f"{call}: {answer}, expected {expected}"
        fee = expected["total_price"] - expected["input_price"] - expected["output_price"]
        assert abs(ours_input - nanos(expected["input_price"] + fee)) <= slack, f"{call}: {answer}, not {expected}"
        assert ours_input + ours_output == ours_total
        compared += 1
        services += "+" in rule
    assert compared > 3_000, f"only {compared} compared"
    assert unpriced > 10 and services > 20, f"{unpriced} unpriced, {services} with a service"
