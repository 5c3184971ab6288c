"""Moods against the Python package that their words come from, and against sentences that people judged."""

from __future__ import annotations

import os
import random
import subprocess
import tarfile
from pathlib import Path

import pytest
from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("OBS_BUILD", ROOT / "build")) / "src/text/mood_of"
SEED = 20_251_101
SENTENCES = 6_000
# Above it a compound counts as positive, below its negative as negative: what the package's authors recommend.
NEUTRAL = 0.05


def moods(mode: str, texts: list[str]) -> list[float | None]:
    lines = "".join(f"{text}\n" for text in texts)
    ran = subprocess.run([str(PROGRAM), mode], input=lines, capture_output=True, text=True, timeout=60, check=True)
    found = [None if line == "none" else float(line) for line in ran.stdout.splitlines()]
    assert len(found) == len(texts)
    return found


@pytest.fixture(scope="module")
def original() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


# ----- the same as the original


def made_up(original: SentimentIntensityAnalyzer) -> list[str]:
    """Words of mood among those that change it, in every order, with signs and capitals."""
    pick = random.Random(SEED)
    moody = sorted(word for word in original.lexicon if " " not in word and word.isascii())
    changing = [*BOOSTER_DICT, *NEGATE, *SPECIAL_CASES, "but", "no", "or", "nor", "so", "this", "least", "at least"]
    changing += ["very least", "without doubt", "never so", "kind of", "doubt", "NO", "BUT"]
    plain = [
        "the",
        "answer",
        "to",
        "a",
        "table",
        "Order",
        "of",
        "is",
        "12",
        "it's",
        "x",
        "e.g.",
        "naïve",
        "ÉTÉ",
        "(see)",
    ]
    emoji = sorted(sign for sign in original.emojis if len(sign) == 1)

    def word() -> str:
        chosen = pick.choice((moody, moody, changing, changing, plain, plain, emoji if pick.random() < 0.3 else plain))
        text = pick.choice(chosen)
        text = pick.choice((text, text, text, text.upper(), text.capitalize()))
        return (
            pick.choice(("", "", "", '"', "(", "*"))
            + text
            + pick.choice(("", "", "", "", ",", "!", "?", "!!!", ")", "..."))
        )

    return [pick.choice((" ", " ", "  ")).join(word() for _ in range(pick.randrange(1, 14))) for _ in range(SENTENCES)]


def differences(original: SentimentIntensityAnalyzer, texts: list[str]) -> list[str]:
    found = []
    for text, ours in zip(texts, moods("sentence", texts), strict=True):
        theirs = original.polarity_scores(text)["compound"]
        # Without a word of mood they say 0.
        if abs((ours or 0.0) - theirs) > 1e-4:
            found.append(f"{ours} is {theirs}: {text}")
    return found


def test_made_up_sentences_are_rated_as_by_the_original(original: SentimentIntensityAnalyzer) -> None:
    found = differences(original, made_up(original))
    assert not found, f"{len(found)}\n" + "\n".join(found[:20])


# ----- as people see it


def judged(name: str) -> list[tuple[float, str]]:
    """Sentences and what twenty people thought of each, from -4 to 4 on average."""
    (archive,) = (ROOT / "build/sentiment").glob("vaderSentiment-*.tar.gz")
    with tarfile.open(archive) as package:
        (inner,) = (member for member in package if member.name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=package.extractfile(inner)) as data:
            file = data.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            assert file is not None
            text = file.read().decode("utf-8", "replace")
    rows = (line.split("\t") for line in text.splitlines())
    return [(float(row[1]), row[2]) for row in rows if len(row) == 3]


def sign_of(value: float, neutral: float) -> int:
    return (value > neutral) - (value < -neutral)


def correlation(pairs: list[tuple[float, float]]) -> float:
    mean_x, mean_y = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
    over = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    square_x, square_y = sum((x - mean_x) ** 2 for x, _ in pairs), sum((y - mean_y) ** 2 for _, y in pairs)
    return over / (square_x * square_y) ** 0.5


# What docs/quality.md tells; a change that makes it worse fails here.
@pytest.mark.parametrize(
    ("name", "least_correlation", "least_right"),
    [
        ("tweets", 0.84, 0.98),
        ("amazonReviewSnippets", 0.63, 0.80),
        ("movieReviewSnippets", 0.43, 0.66),
        ("nytEditorialSnippets", 0.54, 0.76),
    ],
)
def test_people_agree(name: str, least_correlation: float, least_right: float) -> None:
    sentences = judged(name)
    rated = [
        (truth, mood) for (truth, _), mood in zip(sentences, moods("text", [s for _, s in sentences]), strict=True)
    ]
    known = [(truth, mood) for truth, mood in rated if mood is not None]
    agree = correlation(known)
    # Of those that are clearly one or the other to people, and not neutral to us.
    clear = [(truth, mood) for truth, mood in known if abs(truth) >= 0.5 and abs(mood) >= NEUTRAL]
    right = sum(sign_of(truth, 0) == sign_of(mood, 0) for truth, mood in clear) / len(clear)
    print(
        f"{name}: {len(sentences)} sentences, {len(known) / len(sentences):.3f} rated, r {agree:.3f}, sign {right:.3f}"
    )
    assert agree >= least_correlation
    assert right >= least_right


def test_the_labelled_sentences_are_rated_as_by_the_original(original: SentimentIntensityAnalyzer) -> None:
    texts = [text.replace("\u2019", "'") for _, text in judged("tweets")]
    found = differences(original, texts)
    assert not found, f"{len(found)}\n" + "\n".join(found[:20])
