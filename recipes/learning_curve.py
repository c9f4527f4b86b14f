"""What each further recording brings: one to four of them train, a fifth cell judges.

    python -m recipes.learning_curve --data DATA/h9c2_pairs

Each cell is held out in turn. The others train in a circle that begins after it, so that every
recording is as often first as last. Start, steps and settings are those of ``paper.study``; what is
finished is kept, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from napari_virtualstain.training.presets import PSF_WEIGHT
from paper.study import run
from recipes.h9c2 import h9c2_pairs
from recipes.train_shipped_models import JUDGED, real_config

SCORES = ["pearson", "bandpass_pearson"]


def training_cells(judged: str, recordings: int) -> list[str]:
    """Return so many cells after the judged one, in a circle.

    >>> training_cells("TL_011", 2)
    ['TL_012', 'TL_008']
    """
    first = JUDGED.index(judged) + 1
    return [JUDGED[(first + step) % len(JUDGED)] for step in range(recordings)]


def extrapolated(means: pd.Series, recordings: int) -> tuple[float, float]:
    """Return the score to expect of more recordings, carefully and boldly.

    Carefully: what is missing shrinks with the number of recordings. Boldly: each doubling
    brings the same.
    """
    number = means.index.to_numpy(dtype=float)
    careful = np.polyfit(1 / number, means, 1)
    bold = np.polyfit(np.log2(number), means, 1)
    return (
        float(np.polyval(careful, 1 / recordings)),
        float(np.polyval(bold, np.log2(recordings))),
    )


def main() -> None:
    """Train what is missing and print the curve."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder h9c2_pairs")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/learning_curve"))
    parser.add_argument("--init", type=Path, default=Path("mito-start"), help="model to start from")
    parser.add_argument("--steps", type=int, default=300, help="steps of two crops")
    parser.add_argument("--crop", type=int, default=160, help="side of the crops")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    config = real_config(given.init, given.steps, PSF_WEIGHT).updated(crop_size=given.crop)
    pairs = h9c2_pairs(given.data)
    rows = []
    for recordings in range(1, len(JUDGED)):
        for cell in JUDGED:
            part = pairs.of_groups([cell, *training_cells(cell, recordings)])
            scores = run(f"{recordings} recordings", config, cell, part, given.output)
            means = scores.loc[scores["method"] == "virtual stain", SCORES].mean()
            rows.append({"recordings": recordings, "cell": cell, **means})
            print(*rows[-1].values(), flush=True)
    table = pd.DataFrame(rows)
    for score in SCORES:
        curve = table.pivot(index="recordings", columns="cell", values=score)
        curve["mean"] = curve.mean(axis="columns")
        print(score, curve.round(3).to_string(), sep="\n")
        careful, bold = extrapolated(curve["mean"], 10)
        print(f"ten recordings: {careful:.3f} carefully, {bold:.3f} boldly")


if __name__ == "__main__":
    main()
