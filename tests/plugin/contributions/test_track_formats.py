"""Formats of tracks that are told by a name and a few bytes, and what their layers hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_virtualstain import Tracks
from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.contributions import track_readers
from napari_virtualstain.plugin.contributions.track_readers import (
    format_of,
    get_track_reader,
    read_tracks,
    tracks_layer,
)
from napari_virtualstain.plugin.contributions.writers import tracks_of


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", "track_id,frame,y_um\n", "csv"),
        ("a.CSV", '"track_id";"frame"\n', "csv"),
        ("a.csv", "frame\ttrack_id\n", "csv"),
        ("a.csv", ",".join(["feature"] * 500) + ",track_id,frame\n", "csv"),  # 4 kB of names
        ("a.csv", "track_id,y_um\n", None),
        ("a.txt", "track_id,frame\n", None),
        ("a.csv", "track_id,verdict\n", "verdicts"),
        ("a.csv", "track_id,verdict,frame\n", "csv"),
        ("a.csv", "kind,frame,parents,children\n", "events"),
        ("a.csv", "kind,frame,parents\n", None),
        ("a.xml", '<?xml version="1.0"?>\n<TrackMate version="8">', "trackmate"),
        ("a.XML", "<TrackMate>", "trackmate"),
        ("a.xml", "<Tracks>", None),
        ("a.txt", "<TrackMate>", None),
    ],
)
def test_a_file_is_known_by_its_ending_and_its_first_line(
    tmp_path: Path, name: str, text: str, kind: str | None
) -> None:
    (tmp_path / name).write_text(text)
    assert format_of(tmp_path / name) == kind


@pytest.mark.parametrize(
    ("folder", "holds", "kind"),
    [
        ("a", "res_track.txt", "ctc"),
        ("a", "man_track.txt", "ctc"),
        ("a", "track.txt", None),
        ("a.geff", "zarr.json", "geff"),
        ("a.GEFF", "zarr.json", "geff"),
    ],
)
def test_a_folder_is_known_by_its_ending_or_its_table(
    tmp_path: Path, folder: str, holds: str, kind: str | None
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / holds).write_text("")
    assert format_of(tmp_path / folder) == kind


def test_all_files_that_are_opened_together_must_hold_tracks(tmp_path: Path) -> None:
    names = {"tracks.csv": "track_id,frame\n", "points.csv": "axis-0,axis-1\n", "a.txt": ""}
    paths = {name: str(tmp_path / name) for name in names}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    assert get_track_reader(paths["tracks.csv"]) is read_tracks
    assert get_track_reader([paths["tracks.csv"]] * 2) is read_tracks
    assert get_track_reader([]) is None
    assert get_track_reader([paths["tracks.csv"], paths["a.txt"]]) is None
    both = get_track_reader([paths["tracks.csv"], paths["points.csv"]])
    assert both is not None  # napari's own reader
    assert both is not read_tracks


def test_a_long_list_of_foreign_columns_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(["column"] * 40) + "\n1\n")
    said = track_readers._no_tracks_text(path)
    listed = said.partition("but it has ")[2].partition(". Rename")[0]
    assert len(listed) == 80


def _tracks(**columns: Any) -> Tracks:
    table = pd.DataFrame(
        {
            "track_id": [1, 1, 2, 2],
            "frame": [0, 1, 0, 1],
            "y_px": [1.0, 2.0, 5.0, 6.0],
            "x_px": [3.0, 4.0, 7.0, 8.0],
            **columns,
        }
    )
    size = columns.pop("size_um", 0.1)
    table["y_um"], table["x_um"] = table["y_px"] * size, table["x_px"] * size
    return Tracks.from_table(table, {}, pixel_size_um=0.1, frame_interval_s=2.0)


def test_only_verdicts_that_were_given_come_back() -> None:
    _, settings, _ = tracks_layer(
        _tracks(verdict=["ok", "ok", "", ""], link_verdict=["", "wrong", "", ""]), "a", "a.csv"
    )
    assert settings["metadata"]["verdicts"] == {1: "ok"}
    assert settings["metadata"]["link_verdicts"] == {(1, 1): "wrong"}
    _, settings, _ = tracks_layer(_tracks(), "a", "a.csv")
    assert not {"verdicts", "link_verdicts"} & set(settings["metadata"])


@pytest.mark.parametrize(
    ("size_um", "interval_s", "units"),
    [
        (0.1, 2.0, ["s", "um", "um"]),
        (1.0, 2.0, ["s", "pixel", "pixel"]),
        (0.1, 1.0, ["pixel", "um", "um"]),
    ],
)
def test_a_scale_of_one_is_no_unit(size_um: float, interval_s: float, units: list[str]) -> None:
    tracks = Tracks.from_table(
        _tracks().table, {}, pixel_size_um=size_um, frame_interval_s=interval_s
    )
    data, settings, kind = tracks_layer(tracks, "a", "a.csv")
    assert (settings["units"], settings["axis_labels"], kind) == (units, ("t", "y", "x"), "tracks")
    assert settings["scale"] == [interval_s, size_um, size_um]
    assert data.shape == (4, 4)
    deep = Tracks.from_table(
        _tracks(z_px=[2.0, 2.0, 5.0, 5.0]).table,
        {},
        pixel_size_um=size_um,
        frame_interval_s=interval_s,
    )
    data, settings, _ = tracks_layer(deep, "a", "a.csv")
    np.testing.assert_array_equal(data[:, 2], [2, 2, 5, 5])
    assert settings["scale"] == [interval_s, 1.0, size_um, size_um]
    assert settings["units"] == [units[0], "pixel", *units[1:]]
    assert settings["axis_labels"] == ("t", "z", "y", "x")


@pytest.mark.parametrize(
    ("events", "tracks"), [("mine.events.csv", "mine.csv"), ("events.csv", "tracks.csv")]
)
def test_events_lead_to_the_tracks_beside_them(
    tmp_path: Path, viewer_model: Any, monkeypatch: pytest.MonkeyPatch, events: str, tracks: str
) -> None:
    (tmp_path / events).write_text("kind,frame,y_um,x_um,parents,children\n")
    with pytest.raises(InputError, match=f"holds the events of {tracks}, which is not beside it"):
        read_tracks(str(tmp_path / events))
    _tracks().to_csv(tmp_path / tracks, overwrite=True)
    (tmp_path / events).write_text("kind,frame,y_um,x_um,parents,children\n")
    [(data, settings, kind)] = read_tracks(str(tmp_path / events))
    assert (len(data), kind) == (4, "tracks")
    monkeypatch.setattr("napari.current_viewer", lambda: viewer_model)
    assert len(read_tracks(str(tmp_path / events))[0]) == 3  # another layer is open, not these
    viewer_model.add_tracks(data, metadata=settings["metadata"])
    assert read_tracks(str(tmp_path / events)) == [(None,)]  # they are open already


def test_verdicts_without_a_window_are_refused_in_words(
    tmp_path: Path, viewer_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v.csv").write_text("track_id,verdict\n1,ok\n")
    for viewer in (None, viewer_model):
        monkeypatch.setattr("napari.current_viewer", lambda viewer=viewer: viewer)
        with pytest.raises(InputError, match="holds verdicts and no tracks"):
            read_tracks(str(tmp_path / "v.csv"))


@pytest.mark.parametrize(
    ("units", "size_um", "interval_s"),
    [
        (("pixel", "pixel", "pixel"), 0.1, 2.0),  # as the tracks know
        (("s", "um", "um"), 0.5, 3.0),  # what the layer says counts more
    ],
)
def test_a_layer_without_units_has_those_of_its_tracks(
    units: tuple[str, ...], size_um: float, interval_s: float
) -> None:
    core = _tracks()
    rows = core.table[["track_id", "frame", "y_px", "x_px"]].to_numpy()
    attributes = {"scale": (3.0, 0.5, 0.5), "units": units, "metadata": {"tracks": core}}
    made = tracks_of(rows, attributes)
    assert (made.pixel_size_um, made.frame_interval_s) == (size_um, interval_s)


def test_columns_of_tracks_are_kept_while_their_rows_are_the_same() -> None:
    core = _tracks(quality=[0.1, 0.2, 0.3, 0.4], reason=["gap", "", "", ""], note=["a"] * 4)
    rows = core.table[["track_id", "frame", "y_px", "x_px"]].to_numpy()
    given = {"features": {"trust": [1.0, 0.5, 1.0, 0.5]}, "metadata": {"tracks": core}}
    made = tracks_of(rows, given).table
    assert made["quality"].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert made["trust"].tolist() == [1.0, 0.5, 1.0, 0.5]
    assert made["reason"].tolist() == ["gap", "", "", ""]
    assert "note" not in made  # texts of others may mean anything
    for edited in (rows[:3], np.where(rows == 2, 3, rows)):  # a row away, a track renumbered
        made = tracks_of(edited, {**given, "features": {}}).table
        assert not made["reason"].any()
        assert (made["quality"] == 1).all()


@pytest.mark.parametrize("stem", ["mask", "man_track"])
def test_masks_are_read_in_the_order_of_their_frames(tmp_path: Path, stem: str) -> None:
    for frame in (3, 0, 11, 7, 1, 10, 2):
        tifffile.imwrite(tmp_path / f"{stem}{frame:03}.tif", np.full((4, 5), frame, np.uint16))
    tifffile.imwrite(tmp_path / "t000.tif", np.full((4, 5), 99, np.uint16))  # the raw image
    data, settings, kind = track_readers._labels(tmp_path)
    assert data[:, 0, 0].tolist() == [0, 1, 2, 3, 7, 10, 11]
    assert (data.dtype, kind) == (np.int32, "labels")
    assert settings["name"] == f"{tmp_path.name} [mitochondria]"
