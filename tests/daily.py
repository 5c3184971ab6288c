"""The clients of the daily run: light enough for every `make test`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from harness import ROOT
from run_case import Environments

_NODE = ROOT / "tests" / "system" / "node"


class DailyEnvironments(Environments):
    """Everything runs in the interpreter of the tests; Node's packages are in build/node."""

    def python(self, name: str) -> Path:
        return Path(sys.executable)


def daily_environments(root: Path) -> DailyEnvironments:
    packages = ROOT / "build" / "node" / "node_modules"
    if not packages.exists():
        pytest.fail(f"{packages} is missing: make setup")
    folder = root / "system-node"
    folder.mkdir()
    (folder / "node_modules").symlink_to(packages)
    for file in ("package.json", "exporter.mjs"):
        shutil.copy(_NODE / file, folder)
    return DailyEnvironments(root)
