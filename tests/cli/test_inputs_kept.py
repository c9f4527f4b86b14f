"""Files of the user are never lost, whatever output is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import napari_virtualstain as vs
from napari_virtualstain.errors import OutputError
from napari_virtualstain.io import write_image

Run = Callable[..., Result]

OVER_AN_INPUT = {
    "labels over labels": ("segment", "in/movie.ome.tif", "-o", "in/movie.ome.tif"),
    "measures over movie": (
        "segment", "in/movie.ome.tif", "-o", "new.ome.tif", "--measures", "in/movie.ome.tif",
    ),
    "measures over uncertainty": (
        "segment", "in/movie.ome.tif", "-o", "new.ome.tif", "--measures", "in/labels.ome.tif",
        "--uncertainty", "in/labels.ome.tif",
    ),
    "stain over the image around its level": (
        "stain", "in/image.ome.zarr/0", "--axes", "tyx", "-o", "in/image.ome.zarr",
        "--model", "mito-simulated",
    ),
    "tracks over the folder of labels": ("track", "in/labels.ome.tif", "-o", "in"),
    "masks over the folder of labels": (
        "track", "in/labels.ome.tif", "-o", "in", "--format", "ctc",
    ),
    "masks over another folder": (
        "track", "in/labels.ome.tif", "-o", "notes", "--format", "ctc",
    ),
    "tracks over another folder": ("track", "in/labels.ome.tif", "-o", "notes"),
}  # fmt: skip


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in ("in", "notes")
        for path in (folder / name).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("case", OVER_AN_INPUT)
def test_an_input_or_its_folder_is_never_replaced(
    case: str, run: Run, movie: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "day1.txt").write_text("cells divide")
    movie.rename(tmp_path / "in" / "movie.ome.tif")
    planes = np.zeros((3, 24, 24), np.int32)
    planes[:, 4:8, 4:8] = 1
    write_image(tmp_path / "in" / "labels.ome.tif", planes, axes="tyx", pixel_size_um=0.08)
    write_image(tmp_path / "in" / "image.ome.zarr", planes, axes="tyx", pixel_size_um=0.08)
    before = _contents(tmp_path)
    run(*OVER_AN_INPUT[case], "--overwrite", code=2)
    assert _contents(tmp_path) == before


def test_an_earlier_result_that_is_a_folder_is_replaced(tmp_path: Path) -> None:
    planes = np.zeros((3, 24, 24), np.int32)
    planes[:, 4:8, 4:8] = 1
    tracks = vs.track(planes, pixel_size_um=0.1, frame_interval_s=1.0)
    for write in (tracks.to_ctc, tracks.to_geff):
        folder = tmp_path / write.__name__
        folder.mkdir()
        for _ in range(2):  # over an empty folder, then over its own
            write(folder, overwrite=True)
        assert any(folder.iterdir())
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / "notes.txt").write_text("kept")
        with pytest.raises(OutputError, match="no earlier result"):
            write(tmp_path / "mine", overwrite=True)
        assert (tmp_path / "mine" / "notes.txt").read_text() == "kept"
