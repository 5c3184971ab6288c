"""Runs the clients of the matrix against a sink and writes what they sent to tests/captures/.

    record.py [--only TEXT] [--venvs DIR]

A capture is the raw body of one request; the JSON file beside it says how it came and what must be made of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import date
from pathlib import Path

from cases import CASES
from matrix import SERVICE, Case
from run_case import Environments, Target, run_client, versions
from scrub import scrub
from sink import OtlpRequest, Sink

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
# Token histograms say nothing that the spans do not say; one capture of them is kept by the exporters' cases.
_KEPT = {"otel-sdk": ("traces", "logs", "metrics")}


def forget(case: Case, folder: Path) -> None:
    """Removes an earlier recording of the case, whatever the version of its client was."""
    for path in folder.glob("*.json"):
        old = json.loads(path.read_text())
        if (old["client"], old["case"]) != (case.client, case.name):
            continue
        for request in old["requests"]:
            (folder / request["file"]).unlink(missing_ok=True)
        path.unlink()


def write_capture(case: Case, found: dict[str, str], requests: list[OtlpRequest]) -> Path:
    folder = CAPTURES / case.convention
    folder.mkdir(parents=True, exist_ok=True)
    forget(case, folder)
    stem = f"{case.client.lstrip('@').replace('/', '-')}-{found[case.client]}-{case.name}"
    listed = []
    for number, request in enumerate(requests, start=1):
        name = f"{stem}.{number}.{request.signal}.otlp"
        (folder / name).write_bytes(scrub(request.signal, request.encoding, request.body))
        listed.append(
            {
                "file": name,
                "signal": request.signal,
                "encoding": request.encoding,
                "transport": request.transport,
                "compression": request.compression,
            }
        )
    sidecar = {
        "client": case.client,
        "versions": found,
        "convention": case.convention,
        "case": case.name,
        "recorded": date.today().isoformat(),
        "requests": listed,
        "expect": list(case.expect),
        "totals": case.totals,
    }
    path = folder / f"{stem}.json"
    path.write_text(json.dumps(sidecar, indent=1, ensure_ascii=False) + "\n")
    return path


def record(case: Case, environments: Environments) -> Path:
    with Sink() as sink:
        run_client(case, environments, Target(sink.http_url, sink.grpc_address, SERVICE))
        kept = _KEPT.get(case.convention, ("traces", "logs"))
        requests = [request for request in sink.requests if request.signal in kept]
    if not requests:
        raise RuntimeError(f"{case.id}: the client sent nothing")
    return write_capture(case, versions(case, environments), requests)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="record only the cases whose id contains this text")
    parser.add_argument("--venvs", type=Path, default=Environments.default_root)
    arguments = parser.parse_args()
    failed = 0
    for case in CASES:
        if not case.recorded or arguments.only not in case.id:
            continue
        began = time.monotonic()
        try:
            path = record(case, Environments(arguments.venvs))
            print(f"recorded {path.relative_to(CAPTURES)} in {time.monotonic() - began:.1f} s")
        except (RuntimeError, OSError) as error:
            failed += 1
            print(f"FAILED {case.id}: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
