"""Accuracy of shifts between bright-field and fluorescence, on small and large fields.

    python docs/registration_table.py H9C2_PAIRS

The six real cells of the public sample and three simulated ones, stained by `mito-simulated`,
which saw no real cell. Their fluorescence is moved by (0, 0), (6, -5) and (12, 0) px; the truth is
that plus the shift of the whole cell (none for simulated ones). A line for each size of field and
number of frames: share that is called certain; of those the median and largest error, and the
share whose error is within twice the stated one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from napari_virtualstain.data import measure_alignment
from napari_virtualstain.simulation import simulate
from napari_virtualstain.staining import stain

CELLS = ("TL_008", "TL_009", "TL_010", "TL_011", "TL_012", "v_002")
SHIFTS = ((0, 0), (6, -5), (12, 0))
CORNERS = {100: ((20, 20), (130, 130), (20, 130)), 200: ((28, 28),)}
FRAMES = (1, 4, 8)
Movie = np.ndarray


def real_cell(folder: Path, cell: str) -> tuple[Movie, Movie]:
    """Return up to eight bright-field and fluorescence images of a cell."""
    from skimage.io import imread

    names = sorted(path.name for path in (folder / "bright_field").glob(f"*{cell}*"))
    names = names[:: max(1, len(names) // 8)][:8]
    light, glow = (
        np.stack([imread(folder / kind / name) for name in names]).astype(float)
        for kind in ("bright_field", "fluorescence")
    )
    return light, glow


def movies(folder: Path) -> dict[str, tuple[Movie, Movie]]:
    """Return bright-field and fluorescence of each cell."""
    found = {cell: real_cell(folder, cell) for cell in CELLS}
    for seed in range(3):
        scene = simulate(frames=8, size=256, seed=20 + seed)
        found[f"simulated {seed}"] = (
            scene.bright_field.astype(float),
            scene.fluorescence.astype(float),
        )
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    rows: dict[tuple[int, int], list[tuple[bool, float, float]]] = {}
    for name, (light, glow) in movies(parser.parse_args().pairs).items():
        stains = np.asarray(stain(light, "mito-simulated", pixel_size_um=0.08))
        whole = measure_alignment(list(stains), list(glow))
        home = (0.0, 0.0) if name.startswith("simulated") else (whole.dy, whole.dx)
        for size, corners in CORNERS.items():
            for y, x in corners:
                for dy, dx in SHIFTS:
                    there = np.s_[:, y : y + size, x : x + size]
                    moved = np.s_[:, y - dy : y - dy + size, x - dx : x - dx + size]
                    for count in FRAMES:
                        found = measure_alignment(
                            list(stains[there][:count]), list(glow[moved][:count])
                        )
                        error = max(abs(found.dy - dy - home[0]), abs(found.dx - dx - home[1]))
                        rows.setdefault((size, count), []).append(
                            (found.is_certain, error, found.spread_px)
                        )
    for (size, count), found_rows in sorted(rows.items()):
        sure = np.array([row[1:] for row in found_rows if row[0]]).reshape(-1, 2)
        share = len(sure) / len(found_rows)
        text = f"{size} px, {count} frames: certain {share:.2f}"
        if len(sure):
            covered = np.mean(sure[:, 0] <= 2 * sure[:, 1] + 0.1)
            text += f", error median {np.median(sure[:, 0]):.2f} largest {sure[:, 0].max():.2f} px"
            text += f", within twice the stated {covered:.2f}"
        print(text)


if __name__ == "__main__":
    main()
