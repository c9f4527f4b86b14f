"""Segmenter and tracker add-ons through the API and the command line."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import napari_virtualstain as vs
from napari_virtualstain.cli.app import app
from napari_virtualstain.errors import InputError, ModelError
from napari_virtualstain.hooks import EXTENSIONS, hook_implementation
from napari_virtualstain.io import write_image
from napari_virtualstain.settings import TrackSettings


def _bright_ones(image, *, pixel_size_um=None):
    return (image > 100).astype(np.uint8)


def _one_track(labels, *, intensity=None, pixel_size_um=1.0, frame_interval_s=1.0):
    frames = range(len(labels))
    return pd.DataFrame(
        {"track_id": 1, "frame": frames, "y_um": 2 * pixel_size_um, "x_um": 0.5, "label": 1}
    )


def _dividing(first, nobody):
    """Return a tracker of a track that divides and of another one, numbered from `first` on."""
    return lambda *_, **__: pd.DataFrame(
        {
            "track_id": first + np.arange(4),
            "frame": [0, 1, 1, 1],
            "y_um": 0.0,
            "x_um": range(4),
            "parent": [nobody, first, first, nobody],
        }
    )


class _Plugin:
    @staticmethod
    @hook_implementation
    def virtualstain_segmenters():
        return {
            "bright": lambda: _bright_ones,
            "fractions": lambda: lambda image, *, pixel_size_um=None: image + 0.5,
        }

    @staticmethod
    @hook_implementation
    def virtualstain_trackers():
        return {
            "one": lambda: _one_track,
            "broken": lambda: lambda *_, **__: 1 / 0,
            "parted from 1": lambda: _dividing(1, 0),
            "parted from 0": lambda: _dividing(0, -1),
            "parted, unknown": lambda: _dividing(1, np.nan),
        }


@pytest.fixture(autouse=True)
def plugin():
    EXTENSIONS.register(_Plugin, "test-add-ons")
    yield
    EXTENSIONS.unregister("test-add-ons")


@pytest.fixture
def movie() -> np.ndarray:
    frames = np.zeros((3, 24, 32), np.uint16)
    frames[:, 5:9, 4:12] = 200
    return frames


def test_a_segmenter_add_on_works_by_its_name_in_memory_lazily_and_with_units(movie) -> None:
    expected = (movie > 100).astype(np.int32)
    for name in ("bright", "addon:bright"):
        labels = vs.segment(movie, name)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, expected)
    stack = vs.Stack(da.from_array(movie, chunks=(1, -1, -1)), "tyx", pixel_size_um=0.2)
    labelled = vs.segment(stack, "bright")
    assert labelled.pixel_size_um == 0.2
    np.testing.assert_array_equal(labelled.data.compute(), expected)


def test_labels_of_an_add_on_must_be_whole_numbers(movie) -> None:
    with pytest.raises(ModelError, match="'fractions' returned numbers with fractions"):
        vs.segment(movie, "fractions")


def test_a_tracker_add_on_is_a_linker(movie) -> None:
    labels = (movie > 100).astype(np.int32)
    tracks = vs.track(labels, pixel_size_um=0.5, config=TrackSettings(linker="one"))
    assert tracks.table["track_id"].tolist() == [1, 1, 1]
    assert tracks.table["y_px"].tolist() == [2, 2, 2]
    with pytest.raises(ModelError, match="'broken' failed"):
        vs.track(labels, config=TrackSettings(linker="broken"))
    with pytest.raises(InputError, match="tracks labels"):
        vs.link(
            pd.DataFrame({"frame": [0], "y_um": 1.0, "x_um": 1.0}),
            config=TrackSettings(linker="one"),
        )


@pytest.mark.parametrize(
    ("linker", "first"), [("parted from 1", 1), ("parted from 0", 0), ("parted, unknown", 1)]
)
def test_parents_of_an_add_on_are_tracks_or_stand_for_none(movie, linker, first) -> None:
    tracks = vs.track((movie > 100).astype(np.int32), config=TrackSettings(linker=linker))
    assert tracks.graph == {first + 1: [first], first + 2: [first]}


def test_both_work_from_the_command_line(movie, tmp_path: Path) -> None:
    image = write_image(tmp_path / "m.ome.tif", movie, axes="tyx", pixel_size_um=0.5)
    labels, tracks = tmp_path / "l.ome.tif", tmp_path / "t.csv"

    def run(*words: object) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        return f"{result.exit_code} {result.output}"

    assert run("segment", image, "-o", labels, "--model", "bright").startswith("0 ")
    np.testing.assert_array_equal(vs.open_stack(labels).data, movie > 100)
    assert run("track", labels, "-o", tracks, "--linker", "one").startswith("0 ")
    assert set(pd.read_csv(tracks)["track_id"]) == {1}
    refused = run("track", labels, "-o", tmp_path / "u.csv", "--linker", "nobody")
    assert refused.startswith("2 ")
    assert "expected one of kalman, trackpy, broken, one" in " ".join(refused.split())
