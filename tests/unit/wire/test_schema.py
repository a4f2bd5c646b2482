"""The generated code beside the schema."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import asynqpy._wire

FOLDER = Path(asynqpy._wire.__file__).parent

# protoc 29, whose code runs on every protobuf that asynqpy allows.
COMPILER = ["run", "--isolated", "--no-project", "--with", "grpcio-tools==1.71.2", "--with", "setuptools<81"]
COMPILER += ["python", "-m", "grpc_tools.protoc"]


@pytest.mark.timeout(180)
def test_the_generated_code_is_that_of_the_schema(tmp_path: Path) -> None:
    """Whoever changes asynq.proto regenerates what is made of it."""
    uv = os.environ.get("UV") or shutil.which("uv")  # `uv run` names itself
    if uv is None:
        pytest.skip("uv is not on PATH")
    done = subprocess.run(
        [uv, *COMPILER, "-I", str(FOLDER), f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", "asynq.proto"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("asynq_pb2.py", "asynq_pb2.pyi"):
        assert (tmp_path / name).read_text() == (FOLDER / name).read_text(), f"{name} is out of date: run `make proto`"
