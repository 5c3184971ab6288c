"""Runs the client of one case as a process of its own, against the stub and an OTLP endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from matrix import ENVIRONMENT, HERE, RELEASE, Case

sys.path.insert(0, str(HERE.parent))

from stubs.providers import Providers  # noqa: E402

_BUILD = HERE.parents[1] / "build"
# A client that hangs is a failure, not a reason to wait: the slowest of them imports for about 15 s on two cores.
_DEADLINE_SECONDS = 120


@dataclass(frozen=True)
class Environments:
    """Where the clients are installed: one virtual environment per requirements file, one folder for Node."""

    root: Path
    default_root = _BUILD / "interop"

    def python(self, name: str) -> Path:
        return self.root / name / "bin" / "python"

    def node_folder(self, name: str) -> Path:
        return self.root / name

    def has(self, case: Case) -> bool:
        if case.runtime == "python":
            return self.python(case.venv).exists()
        return (self.node_folder(case.venv) / "node_modules").exists()


def _command(case: Case, environments: Environments) -> list[str]:
    if case.runtime == "python":
        return [str(environments.python(case.venv)), str(HERE / case.command[0]), *case.command[1:]]
    if case.runtime == "node":
        program = environments.node_folder(case.venv) / Path(case.command[0]).name
        return ["node", str(program), *case.command[1:]]
    raise ValueError(f"{case.id}: nobody runs {case.runtime}")


def _client_environment(case: Case, stub: Providers, http_url: str, grpc_address: str, service: str) -> dict[str, str]:
    # Nothing of ours may leak into what a client says about itself.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    grpc = case.protocol == "grpc"
    client = (
        inherited
        | stub.environment()
        | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{grpc_address}" if grpc else http_url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": case.protocol,
            "OTEL_SERVICE_NAME": service,
            "OTEL_RESOURCE_ATTRIBUTES": f"service.version={RELEASE},deployment.environment.name={ENVIRONMENT}",
            # The vendors' SDKs know a server of their own; ours takes its place.
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "" if grpc else f"{http_url}/v1/traces",
            "LANGFUSE_BASE_URL": http_url,
            "LANGSMITH_ENDPOINT": http_url,
            "PYTHONDONTWRITEBYTECODE": "1",
            "DO_NOT_TRACK": "1",
        }
        | case.env
    )
    return {name: value for name, value in client.items() if value}


def run_client(case: Case, environments: Environments, http_url: str, grpc_address: str, service: str) -> str:
    """Returns what the client printed. Raises RuntimeError with its last words if it failed."""
    with Providers() as stub:
        environment = _client_environment(case, stub, http_url, grpc_address, service)
        try:
            ran = subprocess.run(
                _command(case, environments),
                env=environment,
                cwd=environments.root,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_DEADLINE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as hung:
            raise RuntimeError(f"{case.id} did not end within {_DEADLINE_SECONDS} s") from hung
    if ran.returncode != 0:
        raise RuntimeError(f"{case.id} ended with {ran.returncode}: {ran.stderr[-2000:]}")
    return ran.stdout


_VERSIONS_OF = "import json,sys,importlib.metadata as m;print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


def versions(case: Case, environments: Environments) -> dict[str, str]:
    """The versions of the packages that made the spans."""
    names = [case.client, *case.also]
    if case.runtime == "python":
        command = [str(environments.python(case.venv)), "-c", _VERSIONS_OF, *names]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    modules = environments.node_folder(case.venv) / "node_modules"
    return {name: json.loads((modules / name / "package.json").read_text())["version"] for name in names}
