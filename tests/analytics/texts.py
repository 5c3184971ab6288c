"""Conversations that we make up, and how they must be rated: by the Python package, and by the formula of the docs."""

from __future__ import annotations

import functools
import json
import random
import re

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

# None has a mood, and no two share a stem.
_NOUNS = ["refund", "order", "invoice", "parcel", "printer", "router", "garden", "window", "ticket", "planet"]
_MOODS = ["I love it.", "This is terrible!", "Nothing works and I hate it.", "Thanks, that was great.", "", ""]
_FUNCTION_WORDS = {"me", "about", "the", "i", "it", "this", "is", "and", "that", "was", "a"}


def spoken(pick: random.Random) -> dict[str, str]:
    if pick.random() < 0.6:
        return {}
    asked, told = pick.sample(_NOUNS, 3), pick.choices(_NOUNS, k=pick.randrange(2, 9))
    question = f"Tell me about {' '.join(asked)}. {pick.choice(_MOODS)}"
    answer = " ".join(f"The {a} needs a {b}." for a, b in zip(told[::2], told[1::2], strict=False))
    return {"question": question.strip(), "answer": f"{answer} {pick.choice(_MOODS)}".strip()}


def message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


@functools.cache
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


@functools.cache
def mood(text: str) -> float | None:
    known = [s for s in _sentences(text) if set(re.findall(r"\w+", s.lower())) & _analyzer().lexicon.keys()]
    moods = [_analyzer().polarity_scores(sentence)["compound"] for sentence in known]
    return sum(moods) / len(moods) if moods else None


def _terms(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - _FUNCTION_WORDS


@functools.cache
def coherence(question: str, answer: str) -> float | None:
    asked, told = _terms(question), _terms(answer)
    shorter = min(len(asked), len(told))
    if shorter < 3:
        return None
    kept_to = len(asked & told) / shorter
    sentences = [terms for terms in map(_terms, _sentences(answer)) if terms]
    pairs = list(zip(sentences, sentences[1:], strict=False))
    return (kept_to + sum(bool(a & b) for a, b in pairs) / len(pairs)) / 2 if pairs else kept_to
