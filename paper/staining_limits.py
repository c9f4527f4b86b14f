"""Limits of the stain of an unseen cell: scale by scale, noise, registration, fit.

    python -m paper.staining_limits h9c2_pairs --model FOLD --cell TL_012

Four questions about a model and a cell that it was not trained on. On which scales does it see
what (Pearson between octaves, and the share of the target's variance that each holds)? How much
of the target's fine structure is noise (its power beyond the optical cut-off)? How much is lost
because the two exposures of a frame do not lie on each other (best shift of each frame)? And how
well does the same network do on the cells that it did train on: is it the data that it has not
seen, or what the bright-field shows?
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter

import napari_virtualstain as vs
from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.metrics import band_pass, bandpass_pearson, pearson
from napari_virtualstain.models import Model
from recipes.h9c2 import frame_of, h9c2_pairs, stop_if_seen

PIXEL_UM = 0.08
NUMERICAL_APERTURE, EMISSION_UM = 1.42, 0.61
SCALES_PX = (0, 1, 2, 4, 8, 16, 32)
SEARCH_PX = 6

Image = npt.NDArray[np.float64]


def octaves(image: Image) -> list[Image]:
    """Return what lies between each two scales, and what is coarser than the last."""
    blurred = [gaussian_filter(image, scale) if scale else image for scale in SCALES_PX]
    return [fine - coarse for fine, coarse in pairwise(blurred)] + [blurred[-1]]


def by_scale(stained: list[Image], targets: list[Image]) -> pd.DataFrame:
    """Return the Pearson correlation, and the share of the target's variance, of each octave."""
    rows = [
        {"scale": f"from {scale} px", "Pearson": pearson(ours, theirs), "variance": theirs.var()}
        for image, target in zip(stained, targets, strict=True)
        for scale, ours, theirs in zip(
            SCALES_PX, octaves(image), octaves(target / target.std()), strict=True
        )
    ]
    return pd.DataFrame(rows).groupby("scale", sort=False).mean()


def noise_ceiling(target: Image) -> float:
    """Return the band-pass Pearson that a noise-free truth would reach against `target`.

    No light reaches beyond the optical cut-off, so that the power there is that of the noise,
    taken as equal at all frequencies.
    """
    window = np.hanning(len(target))[:, None] * np.hanning(target.shape[1])
    power = np.abs(np.fft.fft2((target - target.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(len(target))[:, None], np.fft.fftfreq(target.shape[1]))
    cut_off = 2 * NUMERICAL_APERTURE / EMISSION_UM * PIXEL_UM
    noise = power[frequency > 1.1 * cut_off].mean()
    impulse = np.zeros_like(target)
    impulse[len(target) // 2, target.shape[1] // 2] = 1
    passed = np.abs(np.fft.fft2(band_pass(impulse))) ** 2
    share = noise * passed.sum() / (power * passed).sum()
    return float(np.sqrt(max(0.0, 1 - share)))


def shifted_scores(image: Image, target: Image) -> Image:
    """Return the band-pass Pearson at each shift of `image` up to SEARCH_PX."""
    ours, theirs = band_pass(image), band_pass(target)[SEARCH_PX:-SEARCH_PX, SEARCH_PX:-SEARCH_PX]
    height, width = theirs.shape
    steps = range(2 * SEARCH_PX + 1)
    return np.array(
        [[pearson(ours[y : y + height, x : x + width], theirs) for x in steps] for y in steps]
    )


def at_best_shift(stained: list[Image], targets: list[Image], frames: list[str]) -> float:
    """Return the mean band-pass Pearson, each frame moved as suits it best (an upper bound)."""
    maps = pd.Series(
        [shifted_scores(image, target) for image, target in zip(stained, targets, strict=True)]
    )
    of_frames = [
        (len(group), np.mean(group.tolist(), 0).max()) for _, group in maps.groupby(frames)
    ]
    return float(np.average([best for _, best in of_frames], weights=[n for n, _ in of_frames]))


def stained_crops(pairs: CorrelativePairs, model: Model) -> tuple[list[Image], list[Image]]:
    """Return the stain and the fluorescence of each pair."""
    stained = [
        vs.stain(image[0], model, pixel_size_um=PIXEL_UM).astype(float)
        for image in pairs.bright_field
    ]
    return stained, [np.asarray(target, float) for target in pairs.fluorescence]


def fit_by_cell(pairs: CorrelativePairs, model: Model) -> pd.DataFrame:
    """Return the mean scores of each cell."""
    stained, targets = stained_crops(pairs, model)
    rows = [
        {"Pearson": pearson(a, b), "band-pass": bandpass_pearson(a, b), "crops": 1}
        for a, b in zip(stained, targets, strict=True)
    ]
    found = pd.DataFrame(rows).groupby(list(pairs.groups))
    return found.mean().assign(crops=found["crops"].sum())


def main() -> None:
    """Print the four answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cell", required=True)
    given = parser.parse_args()
    stop_if_seen(given.model, given.cell)
    model = vs.load_model(given.model)
    pairs = h9c2_pairs(given.folder)
    unseen = pairs.subset(i for i, group in enumerate(pairs.groups) if group == given.cell)
    stained, targets = stained_crops(unseen, model)
    frames = [frame_of(name) for name in unseen.names]
    both = list(zip(stained, targets, strict=True))
    print(by_scale(stained, targets).round(2).T.to_string())
    print(f"band-pass Pearson {np.mean([bandpass_pearson(a, b) for a, b in both]):.3f}")
    print(f"  each frame at its best shift {at_best_shift(stained, targets, frames):.3f}")
    print(f"  of a noise-free truth {np.mean([noise_ceiling(target) for target in targets]):.3f}")
    print(f"cells, {given.cell} unseen:\n{fit_by_cell(pairs, model).round(3).to_string()}")


if __name__ == "__main__":
    main()
