"""Runs a client of the matrix against a running server and asks our API what it made of it."""

from __future__ import annotations

import secrets
import time

from harness import SETTLE_SECONDS, Observatory
from matching import unmatched, wrong_totals
from matrix import Case
from run_case import Environments, Target, run_client


def run_live(observatory: Observatory, environments: Environments, case: Case) -> list[dict]:
    """Returns the spans of the case once they are as expected; fails with what differs if they never are."""
    service = f"interop-{secrets.token_hex(6)}"
    run_client(case, environments, Target(observatory.otlp_http, observatory.otlp_grpc, service))
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        spans = observatory.spans(service_name=service)
        calls = observatory.calls(service_name=service)
        wrong = unmatched(list(case.expect), spans) + wrong_totals(case.totals, calls)
        if not wrong:
            return spans
        assert time.monotonic() < deadline, "\n".join([f"{case.id}: {len(spans)} spans", *wrong])
        time.sleep(0.1)
