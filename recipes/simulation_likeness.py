"""Likeness of simulated pairs to real ones, by statistics of both channels together.

    python -m recipes.simulation_likeness --data h9c2_pairs --cells TL_009 v_002 --number 200

Prints each statistic of the real and of the simulated pairs, and the log ratio of densities
that a logistic regression on these statistics gives to every real cell and to the simulated
pairs. `train_shipped_models.py` draws its simulated pairs by this ratio.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu
from sklearn.linear_model import LogisticRegression

from napari_virtualstain.simulation import simulate_frames
from recipes.h9c2 import h9c2_pairs

FloatArray = NDArray[np.float64]
SCALES_PX = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 16.0)
SHAPED = (1, 3, 5, 7)
JOINT, MAGNITUDE = (1, 3, 5, 6, 7), (1, 3, 5)
NAMES = (
    *(f"bright-field, log rms of band {k}" for k in range(len(SCALES_PX))),
    *(f"bright-field, log kurtosis of band {k}" for k in SHAPED),
    *(f"bright-field, root of skewness of band {k}" for k in SHAPED),
    *("fluorescence, mean", "log sd", "log band-pass share", "log fine share"),
    *("coarse 10 %", "coarse 50 %", "coarse 90 %", "root of skewness", "Otsu share"),
    *("texture with coarse fluorescence, log", "texture with coarse fluorescence"),
    "log range of texture",
    *(f"band {k} with band-passed fluorescence" for k in JOINT),
    *(f"magnitude of band {k} with it" for k in MAGNITUDE),
    *("bright-field on the brightest structures, mean", "sd"),
)


def statistics(bright_field: NDArray[np.generic], fluorescence: NDArray[np.generic]) -> FloatArray:
    """Return the statistics :data:`NAMES` of one pair (Y, X), free of gain and offset."""
    light = np.asarray(bright_field, np.float64)
    light -= np.median(light)
    light /= 1.4826 * np.median(np.abs(light)) + 1e-6
    smooth = [light, *(gaussian_filter(light, s) for s in SCALES_PX)]
    bands = [fine - coarse for fine, coarse in pairwise(smooth)]
    dark = np.asarray(fluorescence, np.float64)
    low, high = np.percentile(dark, (5, 99.5))
    dark = (dark - low) / max(high - low, 1e-6)
    once, twice, coarse = (gaussian_filter(dark, s) for s in (1, 2, 8))
    band = once - coarse
    texture = np.sqrt(gaussian_filter((smooth[1] - smooth[6]) ** 2, 8))
    brightest = band > np.percentile(band, 95)
    structure = (smooth[1] - smooth[7])[brightest]
    return np.array(
        [
            *(np.log(b.std()) for b in bands),
            *(np.log(_moment(bands[k], 4)) for k in SHAPED),
            *(np.cbrt(_moment(bands[k], 3)) for k in SHAPED),
            *(dark.mean(), np.log(dark.std()), np.log(band.std() / dark.std())),
            np.log((once - twice).std() / band.std()),
            *np.percentile(coarse, (10, 50, 90)),
            *(np.cbrt(_moment(dark, 3)), (once > threshold_otsu(once)).mean()),
            *(_pearson(np.log(texture + 1e-3), coarse), _pearson(texture, coarse)),
            np.log(np.percentile(texture, 90) / np.percentile(texture, 10)),
            *(_pearson(bands[k], band) for k in JOINT),
            *(_pearson(np.abs(bands[k]), band) for k in MAGNITUDE),
            *(structure.mean(), structure.std()),
        ]
    )


def _moment(image: FloatArray, order: int) -> float:
    return float((((image - image.mean()) / image.std()) ** order).mean())


def _pearson(first: FloatArray, second: FloatArray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


class Likeness:
    """The log ratio of the densities of real and of simulated pairs.

    Parameters
    ----------
    real, simulated : array of shape (N, S)
        Statistics of each pair.
    """

    def __init__(self, real: FloatArray, simulated: FloatArray) -> None:
        self._middle, self._spread = simulated.mean(0), simulated.std(0) + 1e-9
        rows = self._terms(np.concatenate([real, simulated]))
        is_real = np.repeat([True, False], [len(real), len(simulated)])
        self._model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=3000)
        self._model.fit(rows, is_real)

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Return the log ratio of each pair, above 0 where it is rather real."""
        return np.asarray(self._model.decision_function(self._terms(rows)), np.float64)

    def _terms(self, rows: FloatArray) -> FloatArray:
        scaled = np.clip((rows - self._middle) / self._spread, -4, 4)
        return np.concatenate([scaled, scaled**2], axis=1)


def likeness_shares(real: FloatArray, simulated: FloatArray) -> FloatArray:
    """Return how often to draw each simulated pair; the shares add up to 1."""
    ratio = np.exp(np.clip(Likeness(real, simulated)(simulated), -8, 2))
    return np.asarray(ratio / ratio.sum(), np.float64)


def table_of(
    bright_field: Sequence[NDArray[np.generic]], fluorescence: Sequence[NDArray[np.generic]]
) -> FloatArray:
    """Return the statistics of many pairs, (N, S)."""
    return np.stack(
        [
            statistics(np.squeeze(one), np.squeeze(other))
            for one, other in zip(bright_field, fluorescence, strict=True)
        ]
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder h9c2_pairs")
    parser.add_argument("--cells", nargs="+", default=("TL_009", "v_002"))
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    pairs = h9c2_pairs(given.data)
    real = table_of(pairs.bright_field, pairs.fluorescence)
    stills = list(simulate_frames(given.number, seed=given.seed, density=(3.0, 20.0)))
    simulated = table_of(
        [still.bright_field for still in stills], [still.fluorescence for still in stills]
    )
    groups = np.array(pairs.groups)
    known = np.isin(groups, given.cells)
    ratio = Likeness(real[known], simulated)
    print("| statistic | real: 25, 50, 75 % | simulated: 25, 50, 75 % |\n|---|---|---|")
    for name, one, other in zip(NAMES, real.T, simulated.T, strict=True):
        print(f"| {name} | {_quartiles(one)} | {_quartiles(other)} |")
    print("\n| pairs | log ratio: 25, 50, 75 % |\n|---|---|")
    for group in np.unique(groups):
        print(f"| {group} | {_quartiles(ratio(real[groups == group]))} |")
    print(f"| simulated | {_quartiles(ratio(simulated))} |")


def _quartiles(values: FloatArray) -> str:
    return ", ".join(f"{value:.3g}" for value in np.percentile(values, (25, 50, 75)))


if __name__ == "__main__":
    main()
