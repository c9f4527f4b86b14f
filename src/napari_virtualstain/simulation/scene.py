"""A simulated movie with its truth, and how it is written to a folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .scene_config import SceneConfig


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A correlative movie with its truth.

    Attributes
    ----------
    bright_field, fluorescence : ndarray of shape (T, Y, X), uint16
        Camera counts.
    expected_fluorescence : ndarray of shape (T, Y, X), float32
        Photo-electrons per pixel before noise; what no prediction can beat.
    labels : ndarray of shape (T, Y, X), int32
        Mitochondria in focus; the value is the track id, 0 is background.
    tracks : DataFrame
        One row per mitochondrion and frame, the columns of a track table; only where it has
        pixels in `labels`.
    events : DataFrame
        Columns ``kind`` (fission or fusion), ``frame`` (the first with the children),
        ``y_um``, ``x_um``, ``parents``, ``children`` (ids such as ``"3;7"``).
    pixel_size_um, frame_interval_s : float
        Geometry.
    seed : int
        What it was drawn from.
    config : SceneConfig
        All settings.
    """

    bright_field: NDArray[np.uint16]
    fluorescence: NDArray[np.uint16]
    expected_fluorescence: NDArray[np.float32]
    labels: NDArray[np.int32]
    tracks: pd.DataFrame
    events: pd.DataFrame
    pixel_size_um: float
    frame_interval_s: float
    seed: int
    config: SceneConfig

    @property
    def in_focus(self) -> NDArray[np.bool_]:
        """Where a mitochondrion is in focus, shape (T, Y, X)."""
        return np.asarray(self.labels > 0)

    @property
    def graph(self) -> dict[int, list[int]]:
        """Parents of each track that came from a fission or a fusion."""
        return {
            int(child): [int(parent) for parent in parents.split(";")]
            for parents, children in zip(
                self.events["parents"], self.events["children"], strict=True
            )
            for child in children.split(";")
        }

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write the scene to a folder and return it.

        Files: ``bright_field.ome.tif fluorescence.ome.tif labels.ome.tif tracks.csv
        events.csv scene.json``.

        Parameters
        ----------
        directory : path
            Made where it is missing.
        overwrite : bool
            Replace files of these names.

        Raises
        ------
        OutputExistsError
            A file is there already and `overwrite` is False; nothing was written.
        """
        from ..io import check_output, write_image, write_table, write_text_atomically

        folder = Path(directory)
        images = {
            "bright_field.ome.tif": self.bright_field,
            "fluorescence.ome.tif": self.fluorescence,
            "labels.ome.tif": self.labels,
        }
        tables = {"tracks.csv": self.tracks, "events.csv": self.events}
        for name in (*images, *tables, "scene.json"):
            check_output(folder / name, overwrite=overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in images.items():
            write_image(
                folder / name,
                data,
                axes="tyx",
                pixel_size_um=self.pixel_size_um,
                frame_interval_s=self.frame_interval_s,
                channel_names=[name.partition(".")[0]],
                overwrite=overwrite,
            )
        for name, table in tables.items():
            write_table(folder / name, table, overwrite=overwrite)
        write_text_atomically(folder / "scene.json", self._description(), overwrite=overwrite)
        return folder

    def _description(self) -> str:
        frames, height, width = self.labels.shape
        return json.dumps(
            {
                "seed": self.seed,
                "frames": frames,
                "height": height,
                "width": width,
                "pixel_size_um": self.pixel_size_um,
                "frame_interval_s": self.frame_interval_s,
                "config": asdict(self.config),
            },
            indent=2,
        )
