"""Writes the OTLP message definitions as a descriptor set for protoc, read from the Python package that carries them.

The package's modules are read as text, never run: each holds its file's descriptor as a bytes literal.
"""

from __future__ import annotations

import argparse
import ast
import zipfile
from pathlib import Path

# In the order in which they depend on each other.
_MODULES = [
    "opentelemetry/proto/common/v1/common_pb2.py",
    "opentelemetry/proto/resource/v1/resource_pb2.py",
    "opentelemetry/proto/trace/v1/trace_pb2.py",
    "opentelemetry/proto/logs/v1/logs_pb2.py",
    "opentelemetry/proto/metrics/v1/metrics_pb2.py",
    "opentelemetry/proto/collector/trace/v1/trace_service_pb2.py",
    "opentelemetry/proto/collector/logs/v1/logs_service_pb2.py",
    "opentelemetry/proto/collector/metrics/v1/metrics_service_pb2.py",
]


def _descriptor(module: str) -> bytes:
    """The argument of AddSerializedFile."""
    for node in ast.walk(ast.parse(module)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
            return ast.literal_eval(node.args[0])
    raise SystemExit("a module without a descriptor")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    descriptor_set = b""
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for module in _MODULES:
            descriptor = _descriptor(wheel.read(module).decode())
            descriptor_set += b"\x0a" + _varint(len(descriptor)) + descriptor  # FileDescriptorSet.file
    arguments.out.write_bytes(descriptor_set)


if __name__ == "__main__":
    main()
