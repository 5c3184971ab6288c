#!/usr/bin/env python3
"""Turns the price data of the PyPI package genai-prices into a C++ file of text lines.

    generate_prices.py --wheel genai_prices-X.whl --seed seed_prices.yaml --out catalogue_data.cpp

The package keeps its data as Python source. It is read as a syntax tree and never executed, so that a build runs no
code of the package. The lines, fields separated by tabs:

    source    <package/version>
    provider  <name> <sells models of, by comma> [<match> ...]
    maker     <match> ...                            models that this provider is the maker of
    model     <name> <match> ...
    price     <since> <hours> <service> <rates> [<above>:<rates> ...]

A match is a tree in prefix order as in src/pricing/model_match.h. Rates are `name=pico-dollars a token`, separated by
spaces; `request=` is for each request. `<above>:` starts the rates for requests with more input tokens. Rates for
things that no span counts (seconds, pages, searches, video) are left out; a model with only such rates, or with none,
is kept without a price, so that its name cannot fall to a later pattern. Models called `...:free` cost nothing.
"""

from __future__ import annotations

import argparse
import ast
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

PICOS_PER_TOKEN = 10**6  # of one dollar a million tokens
PICOS_PER_REQUEST = 10**9  # of one dollar a thousand requests

RATES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "cache_audio_read_mtok": "cached_audio",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
    "cache_image_read_mtok": "cached_image",
    "output_reasoning_mtok": "reasoning",
}
SERVICE_KEYS = ("processing", "service_tier", "speed")


@dataclass
class Node:
    """A constructor call in the data: `ModelInfo(id='gpt-4o', ...)`."""

    kind: str
    args: list[Any] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        return self.fields.get(name)


def value_of(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.List):
        return [value_of(item) for item in tree.elts]
    if isinstance(tree, ast.Dict):
        return {value_of(k): value_of(v) for k, v in zip(tree.keys, tree.values, strict=True) if k is not None}
    if isinstance(tree, ast.Attribute):
        return ast.unparse(tree)
    if isinstance(tree, ast.Call):
        kind = ast.unparse(tree.func)
        args = [value_of(item) for item in tree.args]
        if kind == "Decimal":
            return Decimal(args[0])
        return Node(kind, args, {k.arg: value_of(k.value) for k in tree.keywords if k.arg is not None})
    raise SystemExit(f"genai-prices: unexpected {ast.dump(tree)[:80]} at line {tree.lineno}")


def read_providers(source: str) -> list[Node]:
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "providers" and statement.value:
            providers: list[Node] = value_of(statement.value)
            return providers
    raise SystemExit("genai-prices: data.py assigns no providers")


# --- matches -------------------------------------------------------------------------------------------------------

LEAVES = {
    "ClauseEquals": ("=", "equals"),
    "ClauseStartsWith": ("^", "starts_with"),
    "ClauseEndsWith": ("$", "ends_with"),
    "ClauseContains": ("*", "contains"),
    "ClauseRegex": ("~", "regex"),
}
BRANCHES = {"ClauseOr": ("|", "or_"), "ClauseAnd": ("&", "and_")}


def match_fields(clause: Node) -> Iterator[str]:
    if clause.kind in BRANCHES:
        sign, name = BRANCHES[clause.kind]
        yield f"{sign}{len(clause.fields[name])}"
        for child in clause.fields[name]:
            yield from match_fields(child)
    elif clause.kind in LEAVES:
        sign, name = LEAVES[clause.kind]
        yield sign + clause.fields[name]
    else:
        raise SystemExit(f"genai-prices: unknown clause {clause.kind}")


# --- prices --------------------------------------------------------------------------------------------------------

Amount = Decimal | Node  # a Node is TieredPrices(base, tiers)


def picos(amount: Decimal, scale: int) -> int:
    return int((amount * scale).to_integral_value(ROUND_HALF_EVEN))


def amount_above(amount: Amount, above: int | None) -> Decimal:
    """The rate for requests that are just over `above` input tokens."""
    if isinstance(amount, Decimal):
        return amount
    rate: Decimal = amount.fields["base"]
    for tier in sorted(amount.fields["tiers"], key=lambda t: int(t.fields["start"])):
        if above is not None and above >= tier.fields["start"]:
            rate = tier.fields["price"]
    return rate


def rates_text(prices: dict[str, Amount], above: int | None) -> str:
    rates = [
        f"{name}={picos(amount_above(prices[key], above), PICOS_PER_TOKEN)}"
        for key, name in RATES.items()
        if key in prices
    ]
    if "requests_kcount" in prices:
        rates.append(f"request={picos(amount_above(prices['requests_kcount'], above), PICOS_PER_REQUEST)}")
    return " ".join(rates)


def tier_starts(prices: dict[str, Amount]) -> list[int]:
    starts = {
        int(tier.fields["start"])
        for key, amount in prices.items()
        if key in RATES and isinstance(amount, Node)
        for tier in amount.fields["tiers"]
    }
    return sorted(starts)


def price_line(since: str, hours: str, service: str, prices: dict[str, Amount]) -> str | None:
    base = rates_text(prices, None)
    if not base:
        return None
    tiers = [f"{start}:{rates_text(prices, start)}" for start in tier_starts(prices)]
    return "\t".join(["price", since, hours, service, base, *tiers])


def amounts(prices: Node) -> dict[str, Amount]:
    return {key: amount for key, amount in prices.fields.items() if amount is not None}


def since_of(constraint: Node | None) -> str:
    if constraint is None or constraint.kind != "StartDateConstraint":
        return ""
    year, month, day = constraint.fields["start_date"].args
    return f"{year:04}-{month:02}-{day:02}"


def hours_of(constraint: Node | None) -> str:
    if constraint is None or constraint.kind != "TimeOfDateConstraint":
        return ""

    def clock(time: Node) -> str:
        if time.fields.get("tzinfo", "datetime.UTC") not in ("datetime.UTC", "datetime.timezone.utc"):
            raise SystemExit("genai-prices: an hour that is not UTC")
        hour, minute = (list(time.args) + [0, 0])[:2]
        return f"{hour:02}:{minute:02}"

    return f"{clock(constraint.fields['start_time'])}-{clock(constraint.fields['end_time'])}"


def service_of(variant: Node) -> str | None:
    when: dict[str, str] = variant.fields["when"]
    if len(when) != 1:
        return None
    key, value = next(iter(when.items()))
    return value if key in SERVICE_KEYS and value not in ("default", "standard") else None


@dataclass
class Dated:
    since: str
    hours: str
    prices: dict[str, Amount]


def standard_prices(model: Node) -> list[Dated]:
    prices = model.fields["prices"]
    if isinstance(prices, Node):
        return [Dated("", "", amounts(prices))]
    return [
        Dated(since_of(p.get("constraint")), hours_of(p.get("constraint")), amounts(p.fields["prices"])) for p in prices
    ]


def service_lines(standard: list[Dated], variants: list[Node]) -> Iterator[str | None]:
    """A variant changes some rates of the standard price; what it changes can itself be dated."""
    for service in dict.fromkeys(filter(None, map(service_of, variants))):
        own = [v for v in variants if service_of(v) == service]
        if any(hours_of(v.get("constraint")) for v in own):
            raise SystemExit("genai-prices: a service with hours is not understood")
        days = sorted({since_of(v.get("constraint")) for v in own} | {d.since for d in standard})
        for day in days:
            active = [v for v in own if since_of(v.get("constraint")) <= day]
            if not active:
                continue
            for dated in [d for d in standard if d.hours or d.since <= day]:
                if not dated.hours and any(dated.since < d.since <= day for d in standard):
                    continue
                prices = dict(dated.prices)
                for variant in reversed(active):  # the first one that is active wins, rate by rate
                    prices.update(amounts(variant.fields["prices"]))
                yield price_line(day, dated.hours, service, prices)


def model_lines(model: Node) -> Iterator[str]:
    yield "\t".join(["model", model.fields["id"], *match_fields(model.fields["match"])])
    standard = standard_prices(model)
    if model.fields["id"].endswith(":free") and not any(d.prices for d in standard):
        standard = [Dated("", "", {"input_mtok": Decimal(0), "output_mtok": Decimal(0)})]
    for dated in standard:
        if line := price_line(dated.since, dated.hours, "", dated.prices):
            yield line
    yield from filter(None, service_lines(standard, model.get("price_variants") or []))


def provider_lines(provider: Node) -> Iterator[str]:
    sells_for = ",".join(provider.get("fallback_model_providers") or [])
    match = match_fields(provider.fields["provider_match"]) if provider.get("provider_match") else ()
    yield "\t".join(["provider", provider.fields["id"], sells_for, *match])
    if provider.get("model_match"):
        yield "\t".join(["maker", *match_fields(provider.fields["model_match"])])
    for model in provider.fields["models"]:
        yield from model_lines(model)


# --- output --------------------------------------------------------------------------------------------------------


def cpp_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
    return '"' + escaped.encode("ascii", "strict").decode() + '"'


def cpp_file(lines: Iterable[str], seed: str) -> str:
    rows = "\n".join(f"    {cpp_string(line)}," for line in lines)
    seed_rows = "\n".join(f"    {cpp_string(line)}" for line in seed.splitlines(keepends=True))
    return f"""// Written by tools/generate_prices.py.
#include "pricing/catalogue.h"

namespace obs {{
namespace {{
constexpr std::string_view lines[] = {{
{rows}
}};
}}  // namespace

const std::span<const std::string_view> catalogue_lines = lines;
const std::string_view seed_prices_yaml =
{seed_rows};

}}  // namespace obs
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--wheel", type=Path, required=True)
    arguments.add_argument("--seed", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()

    version = options.wheel.name.split("-")[1]
    with zipfile.ZipFile(options.wheel) as wheel:
        providers = read_providers(wheel.read("genai_prices/data.py").decode())
    lines = [f"source\tgenai-prices/{version}"]
    for provider in providers:
        lines.extend(provider_lines(provider))
    options.out.write_text(cpp_file(lines, options.seed.read_text()))


if __name__ == "__main__":
    main()
