"""The folders of src/ know each other in one direction only, and each includes only what its library links."""

from __future__ import annotations

import re

import pytest
from harness import ROOT

SOURCES = ROOT / "src"
FOLDERS = sorted(path.parent.name for path in SOURCES.glob("*/CMakeLists.txt"))
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z_]+)/', re.MULTILINE)
_LIBRARY = re.compile(r"\b(obs_library|target_link_libraries|obs_test|obs_bench)\s*\(([^)]*)\)")
_TEST_TARGET = re.compile(r"\s*\w+_(test|bench)\b")
# Tests, benchmarks, and what several tests share.
_TEST_FILE = re.compile(r"_(test|bench)\.(cpp|h)$|/test_\w+\.(cpp|h)$")


def _build_files(folder: str) -> str:
    """Without comments; a folder may hold several libraries: obs_store, obs_store_memory."""
    return "\n".join(re.sub(r"#.*", "", path.read_text()) for path in (SOURCES / folder).rglob("CMakeLists.txt"))


def _links(folder: str, for_tests: bool) -> set[str]:
    """The folders that the libraries of this one link, with those of its tests and benchmarks if asked."""
    named = ""
    for call, arguments in _LIBRARY.findall(_build_files(folder)):
        of_a_test = call in ("obs_test", "obs_bench") or _TEST_TARGET.match(arguments)
        if for_tests or not of_a_test:
            named += arguments + " "
    return set(re.findall(r"\bobs_([a-z]+)", named)) & set(FOLDERS) - {folder}


LIBRARY_LINKS = {folder: _links(folder, for_tests=False) for folder in FOLDERS}
ALL_LINKS = {folder: _links(folder, for_tests=True) for folder in FOLDERS}


def _reachable(links: set[str]) -> set[str]:
    """With what they link themselves: a library passes on what it is built on."""
    found: set[str] = set()
    while links - found:
        found |= links
        links = {further for folder in links for further in LIBRARY_LINKS[folder]}
    return found


def _included(folder: str) -> dict[str, set[str]]:
    """Each file of the folder with the other folders that it includes."""
    found = {}
    for path in (SOURCES / folder).rglob("*"):
        if path.suffix in {".h", ".cpp"}:
            others = set(_INCLUDE.findall(path.read_text())) - {folder}
            found[str(path.relative_to(SOURCES))] = {other for other in others if (SOURCES / other).is_dir()}
    return found


def test_there_are_folders() -> None:
    assert {"base", "model"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_not_linked_by_what_it_links(folder: str) -> None:
    assert folder not in _reachable(LIBRARY_LINKS[folder])


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_includes_only_what_it_links(folder: str) -> None:
    wrong = []
    for file, others in _included(folder).items():
        links = ALL_LINKS[folder] if _TEST_FILE.search(file) else LIBRARY_LINKS[folder]
        wrong += [f"{file} includes {other}/" for other in sorted(others - _reachable(links))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", FOLDERS)
def test_two_folders_do_not_include_each_other(folder: str) -> None:
    included = set().union(*_included(folder).values())
    back = [other for other in included if any(folder in others for others in _included(other).values())]
    assert not back


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_source_belongs_to_a_program_or_library(folder: str) -> None:
    text = _build_files(folder)
    forgotten = [str(path.relative_to(SOURCES)) for path in (SOURCES / folder).rglob("*.cpp") if path.name not in text]
    assert not forgotten
