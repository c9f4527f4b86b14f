"""Accuracy of shifts between bright-field and fluorescence, on small and large fields.

    python docs/registration_table.py H9C2_PAIRS

The six real cells of the public sample and six simulated ones, stained by `mito-simulated`,
which saw no real cell. Their fluorescence is moved by (0, 0), (6, -5) and (12, 0) px; the truth is
that plus the shift of the whole field of the same frames: the frames of the sample are displaced
against each other by 1 to 2 px, because mitochondria moved between the exposures. A line for
each limit of the standard error: how many are below it, the share within 0.3 px, and the share
within twice the standard error; then the same for each size of field and number of frames, and
what a limit chosen on the other cells gives on each cell that is left out. First a line for
each whole recording, moved by each of five shifts: what is stated, and the largest error.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_virtualstain.data import CorrelativePairs, measure_alignment, measure_alignments
from napari_virtualstain.simulation import simulate
from napari_virtualstain.staining import stain

CELLS = ("TL_008", "TL_009", "TL_010", "TL_011", "TL_012", "v_002")
SHIFTS = ((0, 0), (6, -5), (12, 0))
CORNERS = {100: ((20, 20), (130, 130), (20, 130), (130, 20)), 200: ((28, 28),)}
RECORDING_SHIFTS = ((0, 0), (3, 2), (6, -5), (-8, 4), (12, 0))
RIM = 20
FRAMES = (1, 4, 8)
LIMITS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.8, 1.2)
FINE_PX = 0.3
Movie = np.ndarray


def recording(folder: Path, cell: str) -> tuple[Movie, Movie]:
    """Return all bright-field and fluorescence images of a cell."""
    from skimage.io import imread

    names = sorted(path.name for path in (folder / "bright_field").glob(f"*{cell}*"))
    light, glow = (
        np.stack([imread(folder / kind / name) for name in names]).astype(float)
        for kind in ("bright_field", "fluorescence")
    )
    return light, glow


def real_cell(folder: Path, cell: str) -> list[tuple[Movie, Movie]]:
    """Return sets of eight bright-field and fluorescence images of a cell, three at most."""
    light, glow = recording(folder, cell)
    step = max(1, len(light) // 24)
    light, glow = light[::step][:24], glow[::step][:24]
    sets = len(light) // 8
    return [(light[k::sets][:8], glow[k::sets][:8]) for k in range(sets)]


def movies(folder: Path) -> dict[str, list[tuple[Movie, Movie]]]:
    """Return sets of bright-field and fluorescence images of each cell."""
    found = {cell: real_cell(folder, cell) for cell in CELLS}
    for seed in range(6):
        scene = simulate(frames=8, size=256, seed=20 + seed)
        light, glow = scene.bright_field.astype(float), scene.fluorescence.astype(float)
        found[f"simulated {seed}"] = [(light, glow)]
    return found


def measured(cell: str, light: Movie, glow: Movie) -> list[dict[str, Any]]:
    """Return a row for each field, shift and number of frames of a set."""
    stains = np.asarray(stain(light, "mito-simulated", pixel_size_um=0.08))
    rows = []
    for count in FRAMES:
        home = measure_alignment(list(stains[:count]), list(glow[:count]))
        for size, corners in CORNERS.items():
            for (y, x), (dy, dx) in product(corners, SHIFTS):
                found = measure_alignment(
                    list(stains[:count, y : y + size, x : x + size]),
                    list(glow[:count, y - dy : y - dy + size, x - dx : x - dx + size]),
                )
                error = max(abs(found.dy - dy - home.dy), abs(found.dx - dx - home.dx))
                rows.append(
                    {
                        "cell": cell,
                        "size": size,
                        "frames": count,
                        "error": error,
                        "spread": found.spread_px,
                        "is_certain": found.is_certain,
                        "is_fine": found.is_fine,
                        "covered": error <= found.within_px,
                    }
                )
    return rows


def chosen_limit(rows: pd.DataFrame) -> float:
    """Return the largest standard error up to which nine of ten are within 0.3 px."""
    ordered = rows.sort_values("spread")
    right = (ordered["error"] <= FINE_PX).cumsum() / np.arange(1, len(ordered) + 1)
    fitting = ordered["spread"][(right >= 0.9) & (np.arange(len(ordered)) >= 20)]
    return float(fitting.iloc[-1]) if len(fitting) else 0.0


def print_group(name: str, rows: pd.DataFrame, total: int) -> None:
    """Print how many rows there are, and how near to the truth they lie."""
    if not len(rows):
        print(f"{name}: none of {total}")
        return
    right = (rows["error"] <= FINE_PX).mean()
    print(
        f"{name}: {len(rows)} of {total}, within {FINE_PX} px {right:.2f}, error median "
        f"{rows['error'].median():.2f} largest {rows['error'].max():.2f} px, within what is said "
        f"{rows['covered'].mean():.2f}"
    )


def print_recording(cell: str, light: Movie, glow: Movie) -> None:
    """Print how a whole recording that is moved is found, as the dock measures it."""
    stains = np.asarray(stain(light, "mito-simulated", pixel_size_um=0.08))
    inside = slice(RIM, -RIM)

    def found_of(dy: int, dx: int) -> Any:
        moved = np.roll(glow, (dy, dx), (1, 2))[:, inside, inside]
        pairs = CorrelativePairs.from_arrays(stains[:, inside, inside], moved)
        return measure_alignments(pairs, stain=lambda planes: planes[0])["all"]

    home = found_of(0, 0)
    moves = [(found_of(dy, dx), dy, dx) for dy, dx in RECORDING_SHIFTS]
    errors = [max(abs(one.dy - dy - home.dy), abs(one.dx - dx - home.dx)) for one, dy, dx in moves]
    print(
        f"{cell}, {len(light)} pairs, {home.pairs} looked at: {home.text}; "
        f"{len(errors)} shifts found within {max(errors):.2f} px"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    folder = parser.parse_args().pairs
    for cell in CELLS:
        print_recording(cell, *recording(folder, cell))
    found = movies(folder)
    rows = pd.DataFrame(
        [row for cell, sets in found.items() for one in sets for row in measured(cell, *one)]
    )
    known = rows[rows["is_certain"]]
    print_group("known", known, len(rows))
    print_group("known without 'about'", rows[rows["is_fine"]], len(rows))
    for limit in LIMITS:
        print_group(f"standard error up to {limit} px", known[known["spread"] <= limit], len(rows))
    for (size, frames), group in rows.groupby(["size", "frames"]):
        name = f"{size} px, {frames} frames"
        print_group(f"{name}, known", group[group["is_certain"]], len(group))
        print_group(f"{name}, without 'about'", group[group["is_fine"]], len(group))
    for cell, group in known.groupby("cell"):
        limit = chosen_limit(known[known["cell"] != cell])
        below = group[group["spread"] <= limit]
        print_group(f"{cell}, limit {limit:.2f} px of the others", below, len(group))


if __name__ == "__main__":
    main()
