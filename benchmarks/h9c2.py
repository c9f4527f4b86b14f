"""The real correlative pairs that several benchmarks read."""

from __future__ import annotations

from pathlib import Path

from napari_virtualstain.data import CorrelativePairs, match_pairs


def h9c2_pairs(folder: Path) -> CorrelativePairs:
    """Return the pairs of the folder `h9c2_pairs`, grouped by cell."""
    return match_pairs(
        folder / "bright_field",
        folder / "fluorescence",
        group_by=r"TL_\d+|v_\d+",
        pixel_size_um=0.08,
    )
