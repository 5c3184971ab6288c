"""Compares what the API shows with what a case expects."""

from __future__ import annotations

import json

PRESENT = "*"


def _parsed(value):
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _tool_calls(value) -> list[tuple]:
    calls = _parsed(value)
    # The arguments are JSON text: blanks in it mean nothing.
    return [(call.get("id"), call.get("name"), _parsed(call.get("arguments"))) for call in calls or []]


def _equal(name: str, expected, shown) -> bool:
    if expected is None:
        return shown is None or shown == ""
    if expected == PRESENT:
        return shown is not None and shown != ""
    if name == "tool_calls":
        return _tool_calls(expected) == _tool_calls(shown)
    if isinstance(expected, float):
        return isinstance(shown, (int, float)) and abs(expected - shown) < 1e-9
    if isinstance(expected, list):
        return isinstance(shown, list) and sorted(expected) == sorted(shown)
    return expected == shown


def differences(expected: dict, span: dict) -> list[str]:
    return [
        f"{name}: expected {value!r}, shown {span.get(name)!r}"
        for name, value in expected.items()
        if not _equal(name, value, span.get(name))
    ]


def unmatched(expect: list[dict], spans: list[dict]) -> list[str]:
    """For each expected span that no (further) shown span equals: how the nearest one differs."""
    left, missing = list(spans), []
    # The most demanding first, so that a vague expectation does not take another's span.
    for wanted in sorted(expect, key=len, reverse=True):
        ranked = sorted(left, key=lambda span: len(differences(wanted, span)))
        if ranked and not differences(wanted, ranked[0]):
            left.remove(ranked[0])
        else:
            nearest = differences(wanted, ranked[0]) if ranked else ["there are no spans left"]
            missing.append(f"{wanted.get('span_name') or wanted['kind']}: " + "; ".join(nearest))
    return missing


def wrong_totals(totals: dict[str, int], calls: list[dict]) -> list[str]:
    """Sums over the model calls: each token must be counted once."""
    sums = {name: sum(call.get(name) or 0 for call in calls) for name in totals}
    wrong = [name for name in totals if totals[name] != sums[name]]
    return [f"sum of {name}: expected {totals[name]}, shown {sums[name]}" for name in wrong]
