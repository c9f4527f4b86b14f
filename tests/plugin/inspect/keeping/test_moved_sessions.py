"""Sessions that are saved again, moved, or have lost their movie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest

import napari_virtualstain
from napari_virtualstain.errors import ImageFileError
from napari_virtualstain.io import write_image
from napari_virtualstain.plugin.inspect.keeping import session

from ... import inspected

PLUGIN = "napari-virtualstain"
MOVIE = np.random.default_rng(0).integers(0, 4000, (15, 60, 64)).astype(np.uint16)


@pytest.fixture
def viewer(viewer_model: Any, npe2pm: Any, tmp_path: Path) -> Any:
    """Return a viewer with a movie from a file, a foreign picture, and tracks."""
    npe2pm.register(PluginManifest.from_file(_manifest()))
    (tmp_path / "data").mkdir()
    size = {"pixel_size_um": 0.1, "frame_interval_s": 2.0}
    write_image(tmp_path / "data" / "movie.ome.tif", MOVIE, axes="tyx", **size)
    viewer_model.open(str(tmp_path / "data" / "movie.ome.tif"), plugin=PLUGIN)
    viewer_model.add_image(MOVIE[0], name="foreign")
    inspected.add_family(viewer_model)
    return viewer_model


def _manifest() -> Path:
    return Path(napari_virtualstain.__file__).parent / "napari.yaml"


def _opened(path: Path) -> Any:
    from napari.components import ViewerModel

    made = ViewerModel()
    made.open(str(path), plugin=PLUGIN)
    return made


def _names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_a_session_that_was_dropped_can_be_saved_and_opened_again(
    viewer: Any, tmp_path: Path
) -> None:
    names = _names(viewer)
    monday = _opened(session.save_session(viewer, tmp_path / "data" / "monday"))
    tuesday = session.save_session(monday, tmp_path / "data" / "tuesday")
    session.save_session(monday, tmp_path / "data" / "monday")  # over what is open
    for path in (tuesday, tmp_path / "data" / "monday.vsession"):
        again = _opened(path)
        assert _names(again) == names
        np.testing.assert_array_equal(np.asarray(again.layers["movie"].data), MOVIE)
        np.testing.assert_array_equal(again.layers["foreign"].data, MOVIE[0])


def test_a_folder_with_session_and_movie_may_move(viewer: Any, tmp_path: Path) -> None:
    session.save_session(viewer, tmp_path / "data" / "monday")
    (tmp_path / "data").rename(tmp_path / "other disk")
    again = _opened(tmp_path / "other disk" / "monday.vsession")
    assert _names(again) == _names(viewer)
    np.testing.assert_array_equal(np.asarray(again.layers["movie"].data), MOVIE)
    session.save_session(again, tmp_path / "other disk" / "tuesday")
    assert not list((tmp_path / "other disk" / "tuesday.vsession").glob("0.npy"))  # still a path
    assert session.movie_path(again.layers["movie"]) == tmp_path / "other disk" / "movie.ome.tif"


def test_tracks_and_verdicts_open_without_a_movie_that_has_gone(
    viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(session, "show_warning", said.append)
    viewer.layers["tracked · cell [tracks]"].metadata["verdicts"] = {1: "wrong"}
    saved = session.save_session(viewer, tmp_path / "data" / "monday")
    (tmp_path / "data" / "movie.ome.tif").unlink()
    again = _opened(saved)
    assert _names(again) == [name for name in _names(viewer) if name != "movie"]
    assert again.layers["tracked · cell [tracks]"].metadata["verdicts"] == {1: "wrong"}
    assert len(said) == 1
    assert "movie.ome.tif of this session is not there any more" in said[0]


def test_a_session_of_nothing_but_a_movie_that_has_gone_is_an_error(
    viewer: Any, tmp_path: Path
) -> None:
    while len(viewer.layers) > 1:
        viewer.layers.pop()
    saved = session.save_session(viewer, tmp_path / "data" / "monday")
    (tmp_path / "data" / "movie.ome.tif").unlink()
    with pytest.raises(ImageFileError, match="not there any more"):
        session.read_session(saved)
    tifffile.imwrite(tmp_path / "data" / "movie.ome.tif", MOVIE[:3])
    with pytest.raises(Exception, match="has another shape"):
        session.read_session(saved)
