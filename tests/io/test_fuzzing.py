"""Some hundred damaged inputs of every kind: none escapes its reader, hangs or takes memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def _fuzz(*arguments: object) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz_readers", *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each case is read in a fork")
def test_no_mutation_of_any_kind_gets_through() -> None:
    table = _fuzz("--count", 312, "--seed", 20261128)
    total = table.splitlines()[-2].split()
    assert int(total[1]) > 50, "some mutations leave a file readable"
    assert int(total[2]) > 100, "most do not"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each case is read in a fork")
def test_inputs_that_once_got_through() -> None:
    folder = REPOSITORY.parent / "shared" / "cases" / "mutated"
    if not folder.is_dir():
        pytest.skip(f"the cases are not here: {folder}")
    _fuzz("--cases", folder)
