"""Fixtures that every room's tests may ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["small_generators"]
REPOSITORY = Path(__file__).resolve().parents[1]
HAS_DISPLAY = (
    not sys.platform.startswith("linux")
    or os.environ.get("DISPLAY")
    or os.environ.get("WAYLAND_DISPLAY")
)

if not HAS_DISPLAY:
    # Qt aborts the whole run when it finds no screen; this platform needs none
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what opens a window where there is none to be had."""
    if os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        return
    reason = "no display with OpenGL (Qt's offscreen platform has none): run .ci/with-display"
    for item in items:
        if item.get_closest_marker("gui"):
            item.add_marker(pytest.mark.skip(reason=reason))


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
