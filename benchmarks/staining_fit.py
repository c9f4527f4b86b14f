"""Check of fit on foreign images and held-out cells.

    python -m benchmarks.staining_fit FOLDER/h9c2_pairs --model FOLD-1 FOLD-2 FOLD-3

Each cell is judged by a card of the other cells; foreign images are made from the cell
itself. Printed for each cell: how many single crops have each level, and the verdict on all
its crops together, as on a movie. The last lines judge the cells that a model was not trained
on by the card of that model; train_shipped_models.py leaves such folds of mito-h9c2.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.io import imread

from napari_virtualstain.data import image_statistics, summarise_statistics
from napari_virtualstain.models import ModelCard, load_model
from napari_virtualstain.staining.model_fit import assess_frame, combine


def zoomed(image: np.ndarray, factor: float) -> np.ndarray:
    """Return the image as at another magnification, at most 256 pixels wide."""
    if factor < 1:
        image = ndimage.gaussian_filter(image, 0.5 / factor - 0.3)
    return ndimage.zoom(image, factor, order=1, mode="grid-mirror", grid_mode=True)[:256, :256]


def phase_contrast(image: np.ndarray) -> np.ndarray:
    """Return a crude phase contrast of the same cell: dark detail with bright halos."""
    detail = ndimage.gaussian_filter(image, 1.0) - ndimage.gaussian_filter(image, 12.0)
    return 100 - 2 * detail + 2 * ndimage.gaussian_filter(abs(detail), 3.0)


def main() -> None:
    """Print the verdicts on held-out cells and on foreign images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="judge every n-th crop only")
    parser.add_argument("--model", nargs="*", default=[], help="judge the cells they never saw")
    given = parser.parse_args()
    folder = given.folder
    rng = np.random.default_rng(0)
    cells: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for path in sorted((folder / "bright_field").glob("*.png")):
        cell = re.search(r"TL_\d+|v_\d+", path.name).group()
        both = (imread(path).astype(float), imread(folder / "fluorescence" / path.name))
        cells.setdefault(cell, []).append(both)
    statistics = {c: [image_statistics(b) for b, _ in both] for c, both in cells.items()}
    kinds = {
        "held out": lambda b, f: b,
        "phase contrast": lambda b, f: phase_contrast(b),
        "fluorescence": lambda b, f: f.astype(float),
        "magnification x2": lambda b, f: zoomed(b, 2),
        "magnification x1.5": lambda b, f: zoomed(b, 1.5),
        "magnification x0.67": lambda b, f: zoomed(b, 0.67),
        "magnification x0.5": lambda b, f: zoomed(b, 0.5),
        "blur 1 px, same noise": lambda b, f: (
            ndimage.gaussian_filter(b, 1) + rng.normal(0, 3.9, b.shape)
        ),
        "blur 1.5 px, same noise": lambda b, f: (
            ndimage.gaussian_filter(b, 1.5) + rng.normal(0, 4.0, b.shape)
        ),
        "blur 2 px, same noise": lambda b, f: (
            ndimage.gaussian_filter(b, 2) + rng.normal(0, 4.1, b.shape)
        ),
        "blur 4 px, same noise": lambda b, f: (
            ndimage.gaussian_filter(b, 4) + rng.normal(0, 4.3, b.shape)
        ),
        "blur 2 px": lambda b, f: ndimage.gaussian_filter(b, 2),
        "empty field": lambda b, f: rng.normal(60, 4.3, b.shape),
        "inverted": lambda b, f: 255 - b,
    }
    print(f"{'':24s} {'cell':8s} crops  green  amber  red    together")
    for kind, made in kinds.items():
        for cell, both in cells.items():
            others = [s for c, each in statistics.items() if c != cell for s in each]
            card = ModelCard(name="fit", statistics=summarise_statistics(others))
            judge(f"{kind:24s} {cell:8s}", [made(b, f) for b, f in both[:: given.every]], card)
    for model in given.model:
        card = load_model(model).card
        for cell in sorted(set(cells) - set(card.split.get("train_groups", ()))):
            print(f"{cell} by the card of {model}")
            for kind, made in kinds.items():
                images = [made(b, f) for b, f in cells[cell][:: given.every]]
                judge(f"{kind:24s} {cell:8s}", images, card)


def judge(name: str, images: list[np.ndarray], card: ModelCard) -> None:
    """Print the levels of single images, and that of all together."""
    frames = [assess_frame(image, card, None, number) for number, image in enumerate(images)]
    levels = [frame.level for frame in frames]
    counts = [levels.count(level) for level in ("green", "amber", "red")]
    together = combine(frames, card, card.pixel_size_um).level
    print(
        f"{name} {len(levels):5d}  "
        + "  ".join(f"{count:5d}" for count in counts)
        + f"  {together}",
        flush=True,
    )


if __name__ == "__main__":
    main()
