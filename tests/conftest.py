"""Fixtures that every room's tests may ask for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Callable[..., Path]:
    """Return ``real_data("readers", "toxo.dv")``: a path of the real data, or skip.

    The data is not part of the repository. The folder is the environment variable
    ``VIRTUALSTAIN_DATA``, else ``../shared/data`` beside the checkout.
    """
    asked = os.environ.get("VIRTUALSTAIN_DATA")
    folder = Path(asked) if asked else REPOSITORY.parent / "shared" / "data"

    def find(*parts: str) -> Path:
        path = folder.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"real data is not here: {path} (set VIRTUALSTAIN_DATA to its folder)")
        return path

    return find
