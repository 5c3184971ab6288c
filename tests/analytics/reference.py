"""Model calls that we make up, and what every answer about them must be: computed from our own records alone."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import texts
from otlp import Export

NANO = 10**9
MINUTE = 60 * NANO
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Dollars a million tokens, input and output: a token costs so many thousandths of a micro-dollar, which are whole
# nano-dollars. The last model has no price.
PRICES = {
    ("ref-lab", "ref-large"): (2.5, 10.0),
    ("ref-lab", "ref-small"): (0.15, 0.6),
    ("other-lab", "ref-fast"): (0.075, 0.301),
    ("other-lab", "ref-odd"): (13.001, 0.007),
}
UNPRICED = ("third-lab", "ref-mystery")
PRICE_FILE = "prices:\n" + "".join(
    f"  - {{provider: {provider}, model: {model}, input: {prompt}, output: {completion}}}\n"
    for (provider, model), (prompt, completion) in PRICES.items()
)
ERRORS = ("timeout", "rate_limit", "context_length", "server_error")


@dataclass
class Call:
    ts: int
    duration: int
    provider: str
    model: str
    request_model: str
    service: str
    environment: str
    user: str
    session: str
    tags: tuple[str, ...]
    tier: str
    status: str
    error: str
    prompt: int | None
    completion: int | None
    ttft: int | None
    stop: str
    question: str = ""
    answer: str = ""

    @property
    def total_tokens(self) -> int | None:
        """Of what is known."""
        known_ones = [tokens for tokens in (self.prompt, self.completion) if tokens is not None]
        return sum(known_ones) if known_ones else None

    def _cost(self, tokens: int | None, which: int) -> int | None:
        price = PRICES.get((self.provider, self.model))
        return None if price is None or tokens is None else tokens * round(price[which] * 1000)

    @property
    def prompt_cost(self) -> int | None:
        return self._cost(self.prompt, 0)

    @property
    def completion_cost(self) -> int | None:
        return self._cost(self.completion, 1)

    @property
    def total_cost(self) -> int | None:
        return None if self.prompt_cost is None else self.prompt_cost + (self.completion_cost or 0)


@dataclass
class Corpus:
    """All calls that were made up."""

    seed: int
    calls: list[Call] = field(default_factory=list)
    # Spans that repeat a call and are none: nothing may count them.
    wrappers: int = 0

    def make(self, since: int, until: int, count: int) -> list[Call]:
        pick = random.Random(self.seed + since % 1_000_003 + count)
        made = [self._call(pick, since, until) for _ in range(count)]
        self.calls += made
        return made

    @staticmethod
    def _latency(pick: random.Random, model: str) -> int:
        """Milliseconds to minutes: log-normal, for one model with a second hump."""
        if model == "ref-fast" and pick.random() < 0.3:
            return int(pick.gauss(8.0, 0.5) * NANO)
        return int(math.exp(pick.gauss(-0.5, 0.9)) * NANO)

    def _call(self, pick: random.Random, since: int, until: int) -> Call:
        provider, model = pick.choices([*PRICES, UNPRICED], (5, 4, 3, 2, 1))[0]
        user = pick.choice(["", *(f"user-{n}" for n in range(40))])
        failed = pick.random() < (0.2 if model == "ref-odd" else 0.04)
        duration = max(1, self._latency(pick, model))
        return Call(
            # Whole microseconds: more than that no client knows.
            ts=since + int(pick.random() ** 0.5 * (until - since)) // 1000 * 1000,
            duration=duration,
            provider=provider,
            model=model,
            request_model="ref-large" if model == "ref-small" and pick.random() < 0.2 else model,
            service=pick.choice(["shop", "search", "desk"]),
            environment=pick.choice(["prod", "prod", "staging"]),
            user=user,
            session=f"{user}-{pick.randrange(3)}" if user else "",
            tags=tuple(sorted(pick.sample(["beta", "batch", "rag"], pick.choice([0, 0, 1, 2])))),
            tier=pick.choice(["", "free", "pro"]),
            status="ERROR" if failed else pick.choice(["OK", "UNSET"]),
            error=pick.choice(ERRORS) if failed else "",
            prompt=None if (provider, model) == UNPRICED and pick.random() < 0.2 else pick.randrange(1, 6000),
            completion=pick.randrange(1, 900),
            ttft=duration // pick.randrange(3, 9) if pick.random() < 0.4 else None,
            stop=pick.choice(["stop", "stop", "stop", "length"]),
            **texts.spoken(pick),
        )


def exports(calls: Iterable[Call], pick: random.Random, chunk: int = 500) -> Iterable[tuple[bytes, int]]:
    """OTLP requests, each with the number of wrappers that were put around its calls."""
    by_resource: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        by_resource[call.service, call.environment].append(call)
    for (service, environment), own in by_resource.items():
        for begin in range(0, len(own), chunk):
            export = Export(service)
            resource = export.request.resource_spans[0].resource
            resource.attributes.add(key="deployment.environment.name").value.string_value = environment
            wrappers = sum(_add(export, call, pick) for call in own[begin : begin + chunk])
            yield export.body, wrappers


def _add(export: Export, call: Call, pick: random.Random) -> int:
    attributes: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.request_model,
        "gen_ai.response.model": call.model,
        "gen_ai.usage.output_tokens": call.completion,
        "gen_ai.response.finish_reason": call.stop,
    }
    optional = {
        "gen_ai.usage.input_tokens": call.prompt,
        "user.id": call.user or None,
        "session.id": call.session or None,
        "tier": call.tier or None,
        "error.type": call.error or None,
        "gen_ai.response.time_to_first_chunk": None if call.ttft is None else call.ttft / NANO,
    }
    attributes |= {name: value for name, value in optional.items() if value is not None}
    if call.question:
        attributes["gen_ai.input.messages"] = texts.message("user", call.question)
        attributes["gen_ai.output.messages"] = texts.message("assistant", call.answer)
    status = {"OK": 1, "ERROR": 2, "UNSET": 0}[call.status]
    times = {"start_time_unix_nano": call.ts, "end_time_unix_nano": call.ts + call.duration}
    span = export.span(attributes, status={"code": status}, name=f"chat {call.model}", **times)
    if call.tags:
        values = span.attributes.add(key="tag.tags").value.array_value.values
        for tag in call.tags:
            values.add(string_value=tag)
    if pick.random() > 0.1:
        return 0
    # A framework's span around the call repeats its usage.
    repeated = {k: v for k, v in attributes.items() if k.startswith("gen_ai.") and "error" not in k}
    around = export.span(
        repeated,
        trace_id=span.trace_id,
        name="wrapper",
        kind=1,
        start_time_unix_nano=call.ts - NANO,
        end_time_unix_nano=call.ts + 3 * call.duration,
    )
    span.parent_span_id = around.span_id
    return 1


# ----- what answers must say


def quantile(values: list[int], level: float) -> float | None:
    """Linear between the two nearest values, as numpy and R-7 do."""
    if not values:
        return None
    ordered = sorted(values)
    rank = level * (len(ordered) - 1)
    low, high = math.floor(rank), math.ceil(rank)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])


DIMENSIONS: dict[str, Callable[[Call], str]] = {
    "provider": lambda c: c.provider,
    "model": lambda c: c.model,
    "user": lambda c: c.user,
    "service": lambda c: c.service,
    "environment": lambda c: c.environment,
    "session": lambda c: c.session,
    "attributes.tier": lambda c: c.tier,
    "status_code": lambda c: c.status,
}


def grouped(calls: list[Call], names: list[str]) -> dict[tuple[str, ...], list[Call]]:
    groups: dict[tuple[str, ...], list[Call]] = defaultdict(list)
    for call in calls:
        if names == ["tag"]:
            for tag in call.tags or ("",):
                groups[(tag,)].append(call)
        else:
            groups[tuple(DIMENSIONS[name](call) for name in names)].append(call)
    return groups


def known(calls: list[Call], name: str) -> list[int]:
    return [value for call in calls if (value := getattr(call, name)) is not None]


def total(calls: list[Call], name: str) -> int | None:
    """None when there are calls and none of them knows."""
    values = known(calls, name)
    return None if calls and not values else sum(values)


def dollars(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / NANO


def day_start(ts: int, zone: str) -> int:
    local = datetime.fromtimestamp(ts / NANO, ZoneInfo(zone))
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * NANO


def next_day(start: int, zone: str) -> int:
    local = datetime.fromtimestamp(start / NANO, ZoneInfo(zone)).replace(tzinfo=None) + timedelta(days=1)
    return int(local.replace(tzinfo=ZoneInfo(zone)).timestamp()) * NANO


def edges(start: int, end: int, step: int, zone: str) -> list[int]:
    if step != DAY:
        first = start // step * step
        return list(range(first, end, step)) + [first + -(-(end - first) // step) * step]
    found = [day_start(start, zone)]
    while found[-1] < end:
        found.append(next_day(found[-1], zone))
    return found


def rfc3339(ts: int) -> str:
    text = datetime.fromtimestamp(ts // NANO, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = ts % NANO
    if rest == 0:
        return text + "Z"
    digits = f"{rest:09d}"
    return f"{text}.{digits[:3] if digits[3:] == '000000' else digits[:6] if digits[6:] == '000' else digits}Z"


def moment(text: str) -> int:
    """Nanoseconds of RFC 3339 in UTC."""
    head, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int(whole.timestamp()) * NANO + int(fraction.ljust(9, "0")[:9] or 0)


def line(values: list[float]) -> tuple[float, float]:
    """Start and slope of the straight line with the least squares."""
    n = len(values)
    mean_x, mean_y = (n - 1) / 2, sum(values) / n
    slope = sum((x - mean_x) * (y - mean_y) for x, y in enumerate(values)) / sum((x - mean_x) ** 2 for x in range(n))
    return mean_y - slope * mean_x, slope
