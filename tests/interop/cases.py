"""The whole matrix: which real client makes which call, and what must come out of our HTTP API."""

from __future__ import annotations

from cases_core import CORE
from cases_exporters import EXPORTERS
from cases_frameworks import FRAMEWORKS
from matrix import Case

CASES: list[Case] = [*CORE, *FRAMEWORKS, *EXPORTERS]
