r"""Gains and losses of fine-tuning a shipped model on a few pairs of another camera.

    OMP_NUM_THREADS=1 python -m benchmarks.fine_tuning --data DATA/h9c2_pairs --model FOLD \
        --steps 60 --crop 96

The pairs are those of TL_012, which the model must not have seen (a fold that
`train_shipped_models.py` leaves beside `mito-h9c2`), with altered contrast, focus,
noise and units. The first half of the movie trains, the second judges: the cell is the same,
so the scores compare settings with each other and are no scores for new cells.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_virtualstain.data import CorrelativePairs, match_pairs
from napari_virtualstain.training import preset, train
from recipes.h9c2 import stop_if_seen

FULL_RATE = {**preset().optimisation.model_dump(), "init_rate_factor": 1.0}
VARIANTS: dict[str, dict[str, object]] = {
    "as it is": {},
    "BatchNorm's statistics move": {"frozen_statistics": 0.0},
    "first_blocks only": {"trainable": "first_blocks"},
    "full learning rate": {"optimisation": FULL_RATE},
}


def other_camera(folder: Path) -> CorrelativePairs:
    """Return the pairs of TL_012 as another microscope would have taken them."""
    pairs = match_pairs(
        str(folder / "bright_field" / "*TL_012*"), str(folder / "fluorescence" / "*TL_012*")
    )
    times = [int(re.search(r"t(\d+)_", name)[1]) for name in pairs.names]  # type: ignore[index]
    halves = ["a" if time < sorted(times)[len(times) // 2] else "b" for time in times]
    rng = np.random.default_rng(0)
    bright = [
        200
        + 40 * (0.7 * ndimage.gaussian_filter(b[0].astype(float), 1) + rng.normal(0, 2, b[0].shape))
        for b in pairs.bright_field
    ]
    return CorrelativePairs.from_arrays(
        [np.clip(image, 0, 65535).astype(np.uint16) for image in bright],
        [image.astype(np.uint16) * 37 + 500 for image in pairs.fluorescence],
        groups=halves,
        names=pairs.names,
        pixel_size_um=0.08,
    )


def main() -> None:
    """Fine-tune with each variant and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder h9c2_pairs")
    parser.add_argument("--model", required=True, help="that has not seen TL_012")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--crop", type=int, default=96)
    given = parser.parse_args()
    stop_if_seen(given.model, "TL_012")
    pairs = other_camera(given.data)
    print("| variant | Pearson | band-pass Pearson | NRMSE |\n|---|---|---|---|")
    for name, changes in VARIANTS.items():
        config = preset().updated(
            init=given.model, steps=given.steps, crop_size=given.crop, validate_every=10**6,
            keep_best=False, patience=None, report=False, validation_groups=("b",),
            allow_leakage=True, **changes,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            scores = train(pairs, config, output=Path(folder) / "tuned.safetensors").scores
        assert scores is not None
        means = scores.groupby("method")[["pearson", "bandpass_pearson", "nrmse"]].mean()
        shown = {"before": "starting model"} if name == next(iter(VARIANTS)) else {}
        for label, method in {**shown, name: "virtual stain"}.items():
            print(f"| {label} | " + " | ".join(f"{v:.3f}" for v in means.loc[method]) + " |")


if __name__ == "__main__":
    main()
