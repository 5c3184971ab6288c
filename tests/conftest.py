"""What every test below this folder shares: the modules beside this file, and a running server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(_TESTS), str(_TESTS / "interop")]

from daily import DailyEnvironments, daily_environments  # noqa: E402
from harness import PROGRAM, ROOT, Observatory  # noqa: E402


@pytest.fixture(scope="session")
def program() -> Path:
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} is missing: make build")
    return PROGRAM


@pytest.fixture(scope="module")
def observatory(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observatory]:
    """One server for the tests of a module; they keep out of each other's way by ids and service names."""
    server = Observatory(tmp_path_factory.mktemp("observatory") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> DailyEnvironments:
    return daily_environments(tmp_path_factory.mktemp("clients"))


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this test alone."""
    directory = tmp_path_factory.mktemp("shared")
    for folder in [directory, *directory.parents]:
        if folder.owner() == directory.owner() and folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o001)  # it runs as another user, who must come through
    with subprocess.Popen(
        [ROOT / "tests" / "postgres", directory / "postgres"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        line = server.stdout.readline().strip()
        assert line, "tests/postgres did not start a server"
        yield line + "postgres"
        server.stdin.close()
