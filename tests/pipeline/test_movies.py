"""Movies through all steps with networks replaced by a threshold: what is kept, said and listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.errors import AxesError, CancelledError, DeviceError, InputError
from napari_virtualstain.io import Stack, open_stack, write_image
from napari_virtualstain.pipeline import (
    PipelineSettings,
    load_settings,
    many,
    movie,
    track_stack,
)
from napari_virtualstain.pipeline.many import SUMMARY, Movie, one_channel, process_movies
from napari_virtualstain.pipeline.movie import LABELS, MovieResult, process_movie
from napari_virtualstain.pipeline.stages import trusted
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.settings import TrackSettings
from napari_virtualstain.staining import FrameFit
from napari_virtualstain.tracking import Tracks


def _bright_field(frames: int = 4, *, step_px: int = 2) -> Stack:
    """Return a dark square that moves `step_px` of 0.1 µm each 5 s."""
    data = np.full((frames, 32, 64), 100, np.uint16)
    for t in range(frames):
        data[t, 12:18, 4 + step_px * t : 12 + step_px * t] = 50
    lazy = da.from_array(data, chunks=(1, 32, 64))
    return Stack(lazy, "tyx", pixel_size_um=0.1, frame_interval_s=5.0, name="cell")


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace both networks by a threshold; return the list of what they were called for."""
    called: list[str] = []

    def stain(stack: Stack, out: Path, settings: Any, *, on_fit: Any, **more: Any) -> None:
        called.append("stain resumed" if more["resume"] else "stain")
        stained = (100 - np.asarray(stack.data)).astype(np.float32)
        _write(out, stained, stack)
        if more["uncertainty_out"] is not None:
            _write(more["uncertainty_out"], np.full_like(stained, 10), stack)
        for frame in range(stack.sizes.get("t", 1)):
            on_fit(FrameFit(frame, "green" if frame else "red", ("dark",)))

    def segment(stack: Stack, out: Path, settings: Any, **more: Any) -> None:
        called.append("segment")
        _write(out, (np.asarray(stack.data) > 25).astype(np.int32), stack)

    monkeypatch.setattr(movie, "stain_stack", stain)
    monkeypatch.setattr(movie, "segment_stack", segment)
    monkeypatch.setattr(many, "fit_of", lambda stack, model: None)
    return called


def _write(out: Path, data: np.ndarray, like: Stack) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    scale = {"pixel_size_um": like.pixel_size_um, "frame_interval_s": like.frame_interval_s}
    write_image(out, data, axes=like.axes, overwrite=True, **scale)


def test_the_second_run_keeps_what_the_first_has_done(tmp_path: Path, steps: list[str]) -> None:
    names = ["stain", "segment", "track", "measure"]
    first = process_movie(_bright_field(), tmp_path)
    assert (first.done, first.kept) == (names, [])
    again = process_movie(_bright_field(), tmp_path)
    assert (again.done, again.kept) == ([], names)
    assert again.fit == first.fit != ""
    assert steps == ["stain", "segment"]
    table = pd.read_csv(tmp_path / "measures.csv")
    assert (table["track_id"] > 0).all()
    assert table["trust"].notna().all()
    (tmp_path / LABELS).unlink()
    third = process_movie(_bright_field(), tmp_path)
    assert (third.done, third.kept) == (["segment"], ["stain", "track", "measure"])


@pytest.mark.parametrize(("frames", "is_said"), [(1, False), (2, True)])
def test_frames_that_do_not_fit_are_said_of_movies(
    tmp_path: Path, frames: int, is_said: bool
) -> None:
    fit = process_movie(_bright_field(frames), tmp_path).fit
    assert bool(fit) == is_said
    assert ("red" in fit) == is_said


def test_channels_are_refused(tmp_path: Path) -> None:
    stack = Stack(np.zeros((2, 2, 8, 8)), "tcyx", name="two")
    with pytest.raises(AxesError, match="two has axes 'tcyx'"):
        process_movie(stack, tmp_path)


def test_a_reference_gives_scores(tmp_path: Path) -> None:
    stack = _bright_field()
    result = process_movie(stack, tmp_path, reference=stack)
    assert result.done[-1] == "evaluate"
    assert result.score.startswith("mean of 4 frames: ")
    assert process_movie(stack, tmp_path, reference=stack).score == result.score
    assert process_movie(stack, tmp_path).score == ""


def _movies(tmp_path: Path, **opens: Callable[[], Stack]) -> list[Movie]:
    return [Movie(name, tmp_path / name, opened) for name, opened in opens.items()]


def _missing() -> Stack:
    raise InputError("There is no\nsuch file.")


def _wordless() -> Stack:
    raise ValueError


def test_the_table_lists_each_movie_and_why_one_failed(tmp_path: Path) -> None:
    movies = _movies(tmp_path, a=_bright_field, b=_missing, c=_wordless)
    movies[0] = Movie("a", tmp_path / "a", _bright_field, reference=_bright_field)
    outcomes = list(process_movies(movies, tmp_path))
    table = pd.read_csv(tmp_path / SUMMARY)
    assert table["movie"].tolist() == ["a", "b", "c"]
    assert table.loc[0, ["frames", "tracks", "fissions", "fusions"]].tolist() == [4, 1, 0, 0]
    assert table.loc[0, "mean_speed_um_s"] == pytest.approx(0.2 / 5, rel=0.1)
    assert table["message"].fillna("").tolist() == ["", "There is no such file.", "ValueError"]
    assert [outcome.error is None for outcome in outcomes] == [True, False, False]
    assert outcomes[0].result is not None
    assert outcomes[0].result.score


@pytest.mark.parametrize(("failing", "is_written"), [(1, False), (2, True)])
def test_a_single_refused_movie_leaves_no_table(
    tmp_path: Path, failing: int, is_written: bool
) -> None:
    opens = dict.fromkeys(["a", "b"][:failing], _missing)
    assert len(list(process_movies(_movies(tmp_path, **opens), tmp_path))) == failing
    assert (tmp_path / SUMMARY).exists() == is_written


def test_a_single_movie_has_its_table_and_no_speed_in_one_frame(tmp_path: Path) -> None:
    opens = {"a": lambda: _bright_field(1)}
    (outcome,) = process_movies(_movies(tmp_path, **opens), tmp_path)
    assert (outcome.row.frames, outcome.row.mean_speed_um_s) == (1, None)
    assert (tmp_path / SUMMARY).exists()


def test_the_speed_of_a_movie_is_the_mean_of_its_tracks_and_each_the_mean_of_its_steps(
    tmp_path: Path,
) -> None:
    # one of three goes 0.6 µm in the last of three steps of 5 s, the others rest
    rows = [(k, t, 9.0 * k, 0.6 * (k == 1 and t == 3)) for k in (1, 2, 3) for t in range(4)]
    table = pd.DataFrame(rows, columns=["track_id", "frame", "y_um", "x_um"])
    Tracks.from_table(table, frame_interval_s=5.0).to_csv(tmp_path / "tracks.csv")
    _write(tmp_path / LABELS, np.zeros((4, 8, 8), np.int32), _bright_field())
    movie = Movie("a", tmp_path, _bright_field)
    row = many._row(movie, MovieResult(tmp_path), None)
    assert row.mean_speed_um_s == pytest.approx(0.6 / 3 / 3 / 5)


def test_cancelling_ends_all(tmp_path: Path) -> None:
    cancel = CancelToken()
    outcomes = process_movies(
        _movies(tmp_path, a=_bright_field, b=_bright_field), tmp_path, cancel=cancel
    )
    next(outcomes)
    cancel.cancel()
    with pytest.raises(CancelledError):
        next(outcomes)
    assert len(pd.read_csv(tmp_path / SUMMARY)) == 1
    assert not (tmp_path / "b").exists()


def test_the_settings_given_reach_each_step(tmp_path: Path) -> None:
    settings = PipelineSettings(track=TrackSettings(min_length=9))
    (outcome,) = process_movies(_movies(tmp_path, a=_bright_field), tmp_path, settings)
    assert (outcome.row.frames, outcome.row.tracks) == (4, 0)
    assert load_settings(tmp_path / "a" / "settings.json") == settings
    options = {"device": "cpu", "tile": 64, "overwrite": True}
    (other,) = process_movies(_movies(tmp_path, a=_bright_field), tmp_path, **options)
    assert other.row.tracks == 1


def test_one_of_several_channels_is_to_be_chosen() -> None:
    stack = Stack(np.zeros((2, 3, 4, 4)), "tcyx", channel_names=("BF", "", "GFP"))
    with pytest.raises(InputError, match=r"x.tif has 3 channels: 0 \(BF\), 1, 2 \(GFP\). Choose"):
        one_channel(stack, "x.tif")
    plain = _bright_field()
    assert one_channel(plain, "x.tif") is plain


def test_a_result_is_opened_with_its_units(tmp_path: Path) -> None:
    process_movie(_bright_field(), tmp_path)
    labels = open_stack(tmp_path / LABELS)
    assert labels.pixel_size_um == pytest.approx(0.1)
    assert labels.frame_interval_s == pytest.approx(5.0)


def test_a_label_that_was_not_seen_has_no_trust_and_keeps_its_row() -> None:
    labels = _bright_field()
    labels = replace(labels, data=(labels.data < 75).astype(np.int32))
    tracks = track_stack(labels)
    unseen = replace(labels, data=labels.data * (np.arange(4) != 2)[:, None, None])
    light = replace(labels, data=labels.data * 50.0)
    table = trusted(tracks, unseen, light, replace(light, data=light.data * 0 + 10.0)).table
    assert len(table) == len(tracks.table) == 4
    assert table["trust"].isna().tolist() == [False, False, True, False]
    assert table["track_trust"].nunique() == 1
    assert table["track_trust"].iloc[0] == pytest.approx(table["trust"].mean())


def test_images_of_other_shapes_and_trust_without_light_are_refused() -> None:
    labels = replace(_bright_field(), data=(_bright_field().data < 75).astype(np.int32))
    with pytest.raises(InputError, match="The intensity cell has shape"):
        track_stack(labels, _bright_field(3))
    with pytest.raises(InputError, match="only the uncertainty was given"):
        track_stack(labels, uncertainty=_bright_field())


def test_a_cluster_that_is_not_there_ends_the_run_before_the_first_movie(tmp_path: Path) -> None:
    opened: list[str] = []
    movies = _movies(tmp_path, a=lambda: opened.append("a"), b=lambda: opened.append("b"))
    with pytest.raises(DeviceError, match="no dask scheduler at"):
        list(process_movies(movies, tmp_path, scheduler="nonsense://x"))
    assert not opened
    assert not list(tmp_path.iterdir())
