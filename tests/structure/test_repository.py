"""What the repository promises about itself: lists that are complete, and files that name nobody's machine."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from harness import ROOT

DEBIAN = (ROOT / "tools" / "packages" / "debian.txt").read_text().splitlines()
DEBIAN_NAMES = {line.split()[0] for line in DEBIAN}
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text()


def _tracked() -> list[str]:
    # In a container the checkout often belongs to another user than the one who tests.
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


TRACKED = _tracked()


def _text(name: str) -> str:
    return (ROOT / name).read_text(errors="replace")


def _build_files() -> str:
    return "\n".join(_text(name) for name in TRACKED if name.endswith(("CMakeLists.txt", ".cmake")))


# What a build file asks for, and the Debian package that has it.
PACKAGE_OF = {
    "find_package": {
        "Boost": "libboost1.81-dev",
        "CLI11": "libcli11-dev",
        "CURL": "libcurl4-openssl-dev",
        "GTest": "libgtest-dev",
        "ICU": "libicu-dev",
        "OpenSSL": "libssl-dev",
        "PkgConfig": "pkg-config",
        "Protobuf": "libprotobuf-dev",
        "Python3": "python3",
        "SOCI": "libsoci-dev",
        "SQLite3": "libsqlite3-dev",
        "Threads": "g++",
        "ZLIB": "zlib1g-dev",
        "absl": "libgrpc++-dev",
        "benchmark": "libbenchmark-dev",
        "fmt": "libfmt-dev",
        "gRPC": "libgrpc++-dev",
        "protozero": "libprotozero-dev",
        "re2": "libre2-dev",
        "simdjson": "libsimdjson-dev",
        "spdlog": "libspdlog-dev",
        "yaml-cpp": "libyaml-cpp-dev",
    },
    "find_library": {
        "deflate": "libdeflate-dev",
        "jemalloc": "libjemalloc-dev",
        "lz4": "liblz4-dev",
        "nghttp2": "libnghttp2-dev",
        "re2": "libre2-dev",
        "soci_core": "libsoci-dev",
        "soci_sqlite3": "libsoci-dev",
        "sqlite3": "libsqlite3-dev",
        "stemmer": "libstemmer-dev",
        "wslay": "libwslay-dev",
        "zstd": "libzstd-dev",
    },
    "pkg_check_modules": {
        "grpc++": "libgrpc++-dev",
        "hiredis": "libhiredis-dev",
        "jemalloc": "libjemalloc-dev",
        "libdeflate": "libdeflate-dev",
        "liblz4": "liblz4-dev",
        "libnghttp2": "libnghttp2-dev",
        "libzstd": "libzstd-dev",
        "protobuf": "libprotobuf-dev",
        "re2": "libre2-dev",
        "sqlite3": "libsqlite3-dev",
    },
}
_ASKED = re.compile(r"\b(find_package|find_library|pkg_check_modules)\s*\(([^)]*)\)")
_MODULE_WORDS = {"REQUIRED", "QUIET", "IMPORTED_TARGET", "GLOBAL", "NAMES"}


def _asked_for() -> list[tuple[str, str]]:
    asked = set()
    for call, arguments in _ASKED.findall(re.sub(r"#.*", "", _build_files())):
        words = [word for word in arguments.split() if word not in _MODULE_WORDS]
        # pkg_check_modules(PREFIX module...): all after the prefix. find_library(VARIABLE name).
        names = words[:1] if call == "find_package" else words[1:]
        asked |= {(call, re.split("[<>=]", name)[0]) for name in names}
    return sorted(asked)


def test_the_debian_packages_are_sorted_and_named_once() -> None:
    assert sorted(DEBIAN) == DEBIAN
    assert len(DEBIAN_NAMES) == len(DEBIAN)


@pytest.mark.parametrize(("call", "name"), _asked_for(), ids=str)
def test_what_a_build_file_asks_for_is_set_up(call: str, name: str) -> None:
    package = PACKAGE_OF[call].get(name)
    assert package, f"{call}({name}): say in PACKAGE_OF which Debian package has it"
    assert package in DEBIAN_NAMES, f"{package} is missing in tools/packages/debian.txt"


# Commands that leave no trace in the program.
_TOOLS = {
    "cmake",
    "curl",
    "g++",
    "git",
    "make",
    "nodejs",
    "npm",
    "pkg-config",
    "python3",
    "python3-pip",
    "python3-venv",
}


@pytest.mark.parametrize("package", sorted(DEBIAN_NAMES - _TOOLS))
def test_a_debian_package_has_its_licence_and_reason(package: str) -> None:
    assert f"`{package}`" in DEPENDENCIES, f"docs/dependencies.md does not mention `{package}`"


@pytest.mark.parametrize("name", ["genai-prices", "libchdb", "pytest", "ruff", "grpcio", "openai"])
def test_a_downloaded_package_has_its_licence_and_reason(name: str) -> None:
    assert name in DEPENDENCIES


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "CONTRIBUTING.md", "docs/architecture.md", ".ci/run"])
def test_a_newcomer_finds(name: str) -> None:
    assert name in TRACKED


@pytest.mark.parametrize("name", [name for name in TRACKED if _text(name).startswith("#!")])
def test_a_script_can_be_run(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


# Recordings and lock files included: what they say about the machine they were made on is of use to nobody.
_FOREIGN = {
    "a package registry or its mirror": re.compile(
        r"registry\.npmjs\.(org|com)|registry\.yarnpkg|pypi\.org|pythonhosted\.org|proxy\.golang\.org|static\.crates\.io"
        r"|index\.crates\.io|repo1?\.maven\.(apache\.)?org|artifactory|nexus\.|/simple/",
    ),
    "a path of one machine": re.compile(r"(?<![\w.$}/])/(home|Users|root|work|mnt|media)/(?!somebody)[\w.-]+"),
}
_THIS = "tests/structure/test_repository.py"


@pytest.mark.parametrize("what", _FOREIGN)
def test_no_file_names(what: str) -> None:
    found = []
    for name in TRACKED:
        if name != _THIS and (match := _FOREIGN[what].search(_text(name))):
            found.append(f"{name}: {match[0]}")
    assert not found, "\n".join(found)


_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


@pytest.mark.parametrize("page", [name for name in TRACKED if name.endswith(".md")])
def test_links_lead_somewhere(page: str) -> None:
    dead = [link for link in _LINK.findall(_text(page)) if not (ROOT / page).parent.joinpath(link).exists()]
    assert not dead
