"""The sentence that a run says about scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_virtualstain.metrics import BASELINES
from napari_virtualstain.pipeline.stages import _HEADLINE, _sentence


def test_the_best_of_the_baselines_stands_beside_each_score() -> None:
    names = list(BASELINES)
    summary = pd.DataFrame(0.25, index=list(_HEADLINE), columns=["mean", *names])
    summary["mean"], summary[names[-1]] = 0.75, 0.5
    summary.loc["psnr", names] = np.nan
    text = _sentence(summary, 3)
    assert text.startswith("mean of 3 frames: band-pass Pearson 0.75 (best baseline 0.5), ")
    assert "PSNR 0.75, mask IoU 0.75 (best baseline 0.5)" in text
    assert _sentence(summary, 1).startswith("mean of 1 frame: ")
