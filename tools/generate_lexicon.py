#!/usr/bin/env python3
"""Turns the words of the PyPI package vaderSentiment into a C++ file of tables.

    generate_lexicon.py --wheel vaderSentiment-X.whl --out lexicon_data.cpp

The package keeps the moods of words and the names of emoji in text files; its lists of negations, boosters and
phrases are Python source, which is read as a syntax tree and never executed, so that a build runs no code of the
package. Entries that can never be met are left out: words with a blank in them, and emoji of several characters.
"""

from __future__ import annotations

import argparse
import ast
import zipfile
from pathlib import Path


def literal(name: str) -> str:
    """A C++ string literal; bytes beyond ASCII are written as octal, which ends after three digits."""
    text = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\?' else f"\\{byte:03o}" for byte in name.encode()
    )
    return f'"{text}"'


def assigned(source: str) -> dict[str, object]:
    """The constants of the module: numbers, lists of texts, and dictionaries of texts to numbers."""
    found: dict[str, object] = {}

    def value_of(tree: ast.expr) -> object:
        if isinstance(tree, ast.Name):
            return found[tree.id]
        if isinstance(tree, ast.List):
            return [value_of(item) for item in tree.elts]
        if isinstance(tree, ast.Dict):
            return {value_of(k): value_of(v) for k, v in zip(tree.keys, tree.values, strict=True) if k is not None}
        return ast.literal_eval(tree)

    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = value_of(statement.value)
    return found


def pairs_of(text: str) -> dict[str, str]:
    lines = (line.strip().split("\t") for line in text.rstrip("\n").split("\n") if line.strip())
    return {line[0]: line[1] for line in lines}


def tables(package: zipfile.ZipFile) -> str:
    def read(name: str) -> str:
        return package.read(f"vaderSentiment/{name}").decode()

    constants = assigned(read("vaderSentiment.py"))
    moods = {word: float(mood) for word, mood in pairs_of(read("vader_lexicon.txt")).items() if " " not in word}
    emoji = {sign: name for sign, name in pairs_of(read("emoji_utf8_lexicon.txt")).items() if len(sign) == 1}
    boosters, phrases = constants["BOOSTER_DICT"], constants["SPECIAL_CASES"]
    negations = constants["NEGATE"]
    assert isinstance(boosters, dict)
    assert isinstance(phrases, dict)
    assert isinstance(negations, list)

    def rows(kind: str, name: str, lines: list[str]) -> list[str]:
        return [f"const {kind} {name}_rows[] = {{", *(f"    {line}," for line in lines), "};"] + [
            f"const std::span<const {kind}> {name}({name}_rows);",
            "",
        ]

    def weighed(entries: dict[str, float]) -> list[str]:
        return [f"{{{literal(word)}, {weight!r}}}" for word, weight in sorted(entries.items())]

    out = ["// Made by tools/generate_lexicon.py.", '#include "text/lexicon.h"', "", "namespace obs::lexicon {", ""]
    out += rows("Weighed", "moods", weighed(moods))
    out += rows("Weighed", "boosters", weighed(boosters))
    out += rows("Weighed", "phrases", weighed({phrase: mood for phrase, mood in phrases.items() if " " in phrase}))
    out += rows("std::string_view", "negations", [literal(word) for word in sorted(negations)])
    out += rows("Emoji", "emoji", [f"{{{ord(sign):#x}, {literal(name)}}}" for sign, name in sorted(emoji.items())])
    return "\n".join([*out, "}  // namespace obs::lexicon", ""])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as package:
        arguments.out.write_text(tables(package))


if __name__ == "__main__":
    main()
