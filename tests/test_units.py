"""Units travel with the pixels: a Stack in gives a Stack out, step after step."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import AxesError, InputError
from napari_virtualstain.settings import TrackSettings


@pytest.fixture(scope="module")
def scene():
    return vs.simulate(frames=3, size=64, count=3, seed=0)


def _stack(movie, axes="tyx", **units) -> vs.Stack:
    return vs.Stack(da.from_array(movie, chunks=(1,) * (movie.ndim - 2) + (-1, -1)), axes, **units)


UNITS = {"pixel_size_um": 0.1, "frame_interval_s": 3.0}


def test_the_readme_in_a_row_with_units(scene) -> None:
    movie = _stack(scene.bright_field, **UNITS)
    stained = vs.stain(movie, "mito-simulated", device="cpu")
    labels = vs.segment(stained, device="cpu")
    tracks = vs.track(labels, intensity=stained)
    for made, dtype in ((stained, np.float32), (labels, np.int32)):
        assert isinstance(made, vs.Stack)
        assert isinstance(made.data, da.Array)
        assert (made.axes, made.pixel_size_um, made.frame_interval_s) == ("tyx", 0.1, 3.0)
        assert made.dtype == dtype
    assert (tracks.pixel_size_um, tracks.frame_interval_s) == (0.1, 3.0)
    arrays = np.asarray(labels.data)
    expected = vs.track(arrays, intensity=stained.data, pixel_size_um=0.1, frame_interval_s=3.0)
    pd.testing.assert_frame_equal(tracks.table, expected.table)
    assert isinstance(tracks.relabel(labels), vs.Stack)


@pytest.mark.filterwarnings("ignore:The pixel size of the image")
def test_the_readme_in_a_row_without_a_pixel_size(scene) -> None:
    stained = vs.stain(_stack(scene.bright_field), "mito-simulated", device="cpu")
    assert stained.pixel_size_um is None  # what was assumed for the model is not known to be true
    labels = vs.segment(stained, device="cpu")
    tracks = vs.track(labels, intensity=stained)
    assert (tracks.pixel_size_um, tracks.frame_interval_s) == (1.0, 1.0)


def test_a_given_size_wins_over_that_of_the_stack(scene) -> None:
    labels = _stack(scene.labels, **UNITS)
    assert vs.track(labels, pixel_size_um=0.5).pixel_size_um == 0.5
    assert vs.segment(_stack(scene.fluorescence, **UNITS), pixel_size_um=0.2).pixel_size_um == 0.2


def test_one_frame_is_a_movie_of_one_and_channels_are_refused(scene) -> None:
    assert set(vs.track(_stack(scene.labels[0], "yx", **UNITS)).table["frame"]) <= {0}
    with pytest.raises(AxesError, match="'cyx'"):
        vs.track(_stack(scene.labels, "cyx", **UNITS))


@pytest.mark.parametrize("lazy", [False, True])
def test_stain_takes_frames_and_temporal_as_the_file_version_does(scene, lazy, tmp_path) -> None:
    from napari_virtualstain.staining import stain_to_file

    movie = np.concatenate([scene.bright_field, scene.bright_field])
    options = {"pixel_size_um": 0.08, "device": "cpu", "frames": "1:6", "temporal": 1}
    out = stain_to_file(movie, tmp_path / "o.ome.tif", "mito-simulated", **options)
    expected = np.asarray(vs.open_stack(out).data)
    given = da.from_array(movie, chunks=(1, -1, -1)) if lazy else movie
    stained = np.asarray(vs.stain(given, "mito-simulated", **options))
    assert stained.shape == (5, 64, 64)
    np.testing.assert_allclose(stained, expected, atol=1e-4 * np.ptp(expected))
    plain = np.asarray(vs.stain(given, "mito-simulated", **{**options, "temporal": 0}))
    assert np.abs(plain - stained).max() > 1e-3 * np.ptp(expected)


def test_evaluate_uses_the_pixel_size_of_a_stack(scene) -> None:
    movie, other = scene.fluorescence, np.roll(scene.fluorescence, 1, axis=1)
    expected = vs.evaluate(other, movie, pixel_size_um=0.2)
    for pair in (
        (_stack(other, pixel_size_um=0.2), movie),
        (other, _stack(movie, pixel_size_um=0.2)),
    ):
        found = vs.evaluate(*pair)
        assert found["bandpass_pearson"].tolist() == expected["bandpass_pearson"].tolist()
    assert vs.evaluate(other, movie)["bandpass_pearson"][0] != expected["bandpass_pearson"][0]


def test_a_keyword_that_contradicts_the_config_is_refused() -> None:
    seen = pd.DataFrame({"frame": [0, 1, 2], "y_um": 5.0, "x_um": [1.0, 1.2, 1.4]})
    config = TrackSettings(max_gap=2, search_radius_um=1.0)
    assert len(vs.link(seen, config=config).table) == 3
    assert len(vs.link(seen, max_gap=2, config=config).table) == 3
    with pytest.raises(InputError, match="max_gap=9 was given beside config"):
        vs.link(seen, max_gap=9, config=config)


def test_segment_takes_axes_and_precision(scene) -> None:
    movie = scene.fluorescence
    labels = vs.segment(movie, axes="zyx", precision="float32", pixel_size_um=0.08, device="cpu")
    assert labels.shape == movie.shape
    with pytest.raises(AxesError, match="name 2 dimensions"):
        vs.segment(movie, axes="yx")
    with pytest.raises(InputError, match="precision = 'half'"):
        vs.segment(movie, precision="half")
