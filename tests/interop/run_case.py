"""Runs the client of one case as a process of its own, against the stub and an OTLP endpoint."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matrix import ENVIRONMENT, HERE, RELEASE, Case

sys.path.insert(0, str(HERE.parent))

from stubs.providers import Providers  # noqa: E402

_CLIENTS = HERE / "clients"
# A client that hangs is a failure, not a reason to wait: the slowest of them imports for about 15 s on two cores.
_DEADLINE_SECONDS = 120
_UNDELIVERED = re.compile(
    r"(?i)fail\w* to (?:export|upload|send|deliver)|export\w* failed|export: rpc error|partial success"
    r"|transient error|dropp(?:ed|ing) data|OTLPExporterError|\"stack\":\"\w*Error|\bstatus\W+[45]\d\d\b"
)


@dataclass(frozen=True)
class Target:
    """Where a client shall send its telemetry, and under which service name."""

    http_url: str
    grpc_address: str
    service: str


@dataclass(frozen=True)
class Environments:
    """Where the clients are installed: a folder for each virtual environment, Node package and built program."""

    root: Path
    default_root = HERE.parents[1] / "build" / "interop"

    def python(self, name: str) -> Path:
        return self.root / name / "bin" / "python"

    def program(self, case: Case) -> Path:
        """What must exist for the case to run."""
        return {
            "python": lambda: self.python(case.venv),
            "node": lambda: self.root / case.venv / "node_modules",
            "go": lambda: self.root / "bin" / "interop-go",
            "rust": lambda: self.root / "bin" / "interop-rust",
            "java": lambda: self.root / "java" / "interop.jar",
            "telemetrygen": lambda: self.root / "bin" / "telemetrygen",
            "collector": lambda: self.root / "bin" / "interop-collector",
        }[case.runtime]()

    def has(self, case: Case) -> bool:
        return self.program(case).exists()


def _command(case: Case, environments: Environments, target: Target) -> list[str]:
    program = environments.program(case)
    if case.runtime == "python":
        return [str(program), str(HERE / case.command[0]), *case.command[1:]]
    if case.runtime == "node":
        return ["node", str(program.parent / Path(case.command[0]).name), *case.command[1:]]
    if case.runtime == "java":
        return ["java", "-cp", f"{program}:{program.parent}/lib/*", "interop.Main"]
    if case.runtime == "telemetrygen":
        return _telemetrygen_command(case, program, target)
    if case.runtime == "collector":
        return [str(environments.python(case.venv)), str(_CLIENTS / "python" / "exporter.py")]
    return [str(program), *case.command]


def _telemetrygen_command(case: Case, program: Path, target: Target) -> list[str]:
    address = target.grpc_address if case.protocol == "grpc" else target.http_url.removeprefix("http://")
    (signal,) = case.command
    made = [str(program), signal, f"--{signal}", "1", "--otlp-insecure", "--otlp-endpoint", address]
    made += ["--service", target.service, "--otlp-attributes", f'deployment.environment.name="{ENVIRONMENT}"']
    return made + (["--otlp-http"] if case.protocol != "grpc" else [])


def _client_environment(case: Case, stub: Providers, target: Target) -> dict[str, str]:
    # Nothing of ours may leak into what a client says about itself.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    grpc = case.protocol == "grpc"
    client = (
        inherited
        | stub.environment()
        | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{target.grpc_address}" if grpc else target.http_url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": case.protocol,
            "OTEL_SERVICE_NAME": target.service,
            "OTEL_RESOURCE_ATTRIBUTES": f"service.version={RELEASE},deployment.environment.name={ENVIRONMENT}",
            # The vendors' SDKs know a server of their own; ours takes its place.
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "" if grpc else f"{target.http_url}/v1/traces",
            "LANGFUSE_BASE_URL": target.http_url,
            "LANGSMITH_ENDPOINT": target.http_url,
            "PYTHONDONTWRITEBYTECODE": "1",
            "DO_NOT_TRACK": "1",
        }
        | case.env
    )
    return {name: value for name, value in client.items() if value}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_open(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the collector does not listen")
        time.sleep(0.05)


@contextlib.contextmanager
def _collector(case: Case, environments: Environments, target: Target) -> Iterator[Target]:
    """A collector that forwards to the target. Leaving waits until it has delivered everything and ended."""
    port = _free_port()
    exporter, compression = case.command
    environment = {
        "PATH": os.environ["PATH"],
        "RECEIVE": f"127.0.0.1:{port}",
        "FORWARD_GRPC": target.grpc_address,
        "FORWARD_HTTP": target.http_url,
        "EXPORTER": exporter,
        "COMPRESSION": compression,
    }
    command = [str(environments.program(case)), "--config", str(_CLIENTS / "collector" / "collector.yaml")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_open(port, process)
        yield Target(f"http://127.0.0.1:{port}", "", target.service)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        if process.returncode != 0 or "rror" in said:
            raise RuntimeError(f"{case.id}: the collector ended with {process.returncode}: {said[-1500:]}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def run_client(case: Case, environments: Environments, target: Target) -> str:
    """Returns what the client printed. Raises RuntimeError with its last words if it failed."""
    with contextlib.ExitStack() as stack:
        stub = stack.enter_context(Providers())
        if case.runtime == "collector":
            target = stack.enter_context(_collector(case, environments, target))
        try:
            ran = subprocess.run(
                _command(case, environments, target),
                env=_client_environment(case, stub, target),
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
        # Most SDKs lose what they cannot deliver, say so, and end as if nothing had happened.
        if _UNDELIVERED.search(ran.stdout + ran.stderr):
            raise RuntimeError(f"{case.id} could not deliver everything: {(ran.stdout + ran.stderr)[-2000:]}")
    return ran.stdout


_VERSIONS_OF = "import json,sys,importlib.metadata as m;print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
# Where the version of a client that is not a package of Python or Node stands.
_STATED = {
    "go": ("go/go.mod", r"go\.opentelemetry\.io/otel/sdk v(\S+)"),
    "rust": ("rust/Cargo.lock", r'name = "opentelemetry_sdk"\nversion = "([^"]+)"'),
    "java": ("java/pom.xml", r"<opentelemetry.version>([^<]+)<"),
    "telemetrygen": ("go/tools.txt", r"telemetrygen@v(\S+)"),
    "collector": ("collector/builder.yaml", r"receiver/otlpreceiver v(\S+)"),
}


def versions(case: Case, environments: Environments) -> dict[str, str]:
    """The versions of the packages that made the spans."""
    names = [case.client, *case.also]
    if case.runtime == "python":
        command = [str(environments.python(case.venv)), "-c", _VERSIONS_OF, *names]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if case.runtime == "node":
        modules = environments.root / case.venv / "node_modules"
        return {name: json.loads((modules / name / "package.json").read_text())["version"] for name in names}
    file, pattern = _STATED[case.runtime]
    stated = re.search(pattern, (_CLIENTS / file).read_text())
    if stated is None:
        raise RuntimeError(f"{case.id}: {file} does not state a version")
    return {case.client: stated[1]}
