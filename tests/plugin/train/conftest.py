"""Models folder and movies that the tests of the train dock share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ..models import save_generator


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the user's models, which holds `tiny`."""
    folder = tmp_path / "models"
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(folder))
    save_generator(folder / "tiny.safetensors")
    return folder


def smooth_pair(height: int = 64, width: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Return bright-field and fluorescence of 8 frames; the one darkens where the other shines."""
    rng = np.random.default_rng(0)
    glow = gaussian_filter(rng.random((8, height, width)), (0, 2, 2)).astype(np.float32)
    glow = (glow - glow.min()) * 1000
    bright = (200 - 0.1 * glow + rng.normal(0, 1, glow.shape)).astype(np.float32)
    return bright, glow
