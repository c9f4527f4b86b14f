"""The real correlative pairs that several benchmarks read."""

from __future__ import annotations

import re
from pathlib import Path

from napari_virtualstain.data import CorrelativePairs, match_pairs
from napari_virtualstain.models import read_card


def h9c2_pairs(folder: Path) -> CorrelativePairs:
    """Return the pairs of the folder `h9c2_pairs`, grouped by cell, each crop a movie."""
    return match_pairs(
        folder / "bright_field",
        folder / "fluorescence",
        group_by=r"TL_\d+|v_\d+",
        pixel_size_um=0.08,
    )


def frame_of(name: str) -> str:
    """Return the name of the frame that a crop of that name was cut from."""
    return re.sub(r"_\d+$", "", name)


def stop_if_seen(model: str | Path, cell: str) -> None:
    """End the program if the model trained on the cell, for its figures would flatter."""
    if cell in read_card(model).split.get("train_groups", ()):
        raise SystemExit(
            f"{model} was trained on {cell}. Give the fold that was not: "
            "train_shipped_models.py leaves them in mito-h9c2.training/folds/."
        )
