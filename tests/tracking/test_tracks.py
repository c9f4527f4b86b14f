"""The Tracks value: napari's layout, relabelled masks, and files that come back exactly."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import ImageFileError, InputError, OutputExistsError
from napari_virtualstain.tracking.detections import read_detections
from napari_virtualstain.tracking.formats import geff
from napari_virtualstain.tracking.mask_detections import measure_plane
from napari_virtualstain.tracking.track_masks import _mask_pixels


def moving_squares() -> np.ndarray:
    """Return labels of two squares that move; their values mean nothing across frames."""
    labels = np.zeros((4, 24, 24), np.int32)
    for t in range(4):
        labels[t, 2 + t : 6 + t, 2:6] = 10 - t
        labels[t, 14:18, 10 + t : 14 + t] = 3 + 5 * t
    return labels


def test_masks_are_tracked_and_relabelled() -> None:
    labels = moving_squares()
    tracks = vs.track(labels, pixel_size_um=0.1)
    assert len(tracks) == 2
    relabelled = tracks.relabel(labels)
    assert np.array_equal(relabelled > 0, labels > 0)
    for name in (1, 2):
        assert len(set(np.unravel_index(np.flatnonzero(relabelled == name), labels.shape)[0])) == 4
    table = tracks.table
    assert np.allclose(table.y_px * 0.1, table.y_um)
    assert np.allclose(table.area_um2, 16 * 0.01)


def test_relabelling_dask_is_lazy_and_the_same() -> None:
    labels = moving_squares()
    tracks = vs.track(labels)
    lazy = tracks.relabel(da.from_array(labels, chunks=(2, 24, 24)))
    assert isinstance(lazy, da.Array)
    assert np.array_equal(lazy.compute(), tracks.relabel(labels))


def test_csv_comes_back_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    seen = pd.DataFrame(
        {"frame": np.repeat(np.arange(9), 5), "y_um": rng.random(45) * 9, "x_um": rng.random(45)}
    )
    linked = vs.link(seen, frame_interval_s=2.5, pixel_size_um=0.07)
    tracks = vs.Tracks.from_table(
        linked.table, {2: [1], 3: [1, 2]}, pixel_size_um=0.07, frame_interval_s=2.5
    )
    path = tracks.to_csv(tmp_path / "Spuren µm.csv")
    back = vs.Tracks.from_csv(path)
    pd.testing.assert_frame_equal(back.table, tracks.table, check_exact=True)
    assert back.graph == tracks.graph
    assert (back.pixel_size_um, back.frame_interval_s) == (0.07, 2.5)
    with pytest.raises(OutputExistsError):
        tracks.to_csv(path)
    tracks.to_csv(path, overwrite=True)


def test_parents_may_be_empty_or_no_tracks_of_the_table(tmp_path: Path) -> None:
    layers = pytest.importorskip("napari.layers")
    table = pd.DataFrame({"track_id": [1, 2, 3, 4], "frame": [0, 1, 1, 2]})
    table = table.assign(y_um=0.0, x_um=[0.0, 1, 2, 3])
    tracks = vs.Tracks.from_table(table, {2: [1], 3: [1, 7], 4: [7], 9: [1]})
    data, properties, graph = tracks.to_napari()
    assert layers.Tracks(data, properties=properties, graph=graph).graph == {2: [1], 3: [1]}
    # by hand: nothing stands for no parent
    path = tmp_path / "tracks.csv"
    table.assign(parent=["", 1, 1, ""]).to_csv(path, index=False)
    assert vs.Tracks.from_csv(path).graph == {2: [1], 3: [1]}


def test_napari_takes_data_and_graph() -> None:
    layers = pytest.importorskip("napari.layers")
    table = pd.DataFrame(
        {
            "track_id": [1, 1, 2, 2, 3, 3],
            "frame": [0, 1, 0, 1, 2, 3],
            "y_um": np.arange(6.0),
            "x_um": 0.0,
        }
    )
    data, properties, graph = vs.Tracks.from_table(table, {3: [1, 2]}).to_napari()
    layer = layers.Tracks(data, properties=properties, graph=graph)
    assert layer.graph == {3: [1, 2]}


def test_a_track_twice_in_a_frame_is_refused() -> None:
    table = pd.DataFrame({"track_id": [1, 1], "frame": [0, 0], "y_um": 0.0, "x_um": 0.0})
    with pytest.raises(InputError, match="twice"):
        vs.Tracks.from_table(table)


def family() -> tuple[vs.Tracks, np.ndarray]:
    """Return tracks with a gap, a fission and a fusion, and their labels."""
    labels = np.zeros((6, 30, 40), np.int32)
    names = {1: (5, range(3)), 2: (2, range(3, 6)), 3: (9, range(3, 6)), 4: (20, (0, 1, 3, 4))}
    names |= {5: (26, range(5)), 6: (23, range(5, 6))}
    rows = []
    for name, (y, frames) in names.items():
        for t in frames:
            labels[t, y : y + 2, 3 + t : 7 + t] = name
            row = {"track_id": name, "frame": t, "y_um": (y + 0.5) * 0.1, "label": name}
            rows.append(row | {"x_um": (4.5 + t) * 0.1, "area_um2": 8 * 0.1**2})
    rows.append({"track_id": 4, "frame": 2, "y_um": 2.05, "label": 0, "x_um": 0.65})
    rows[-1]["interpolated"] = True
    events = pd.DataFrame(
        {
            "kind": ["fission", "fusion"],
            "frame": [3, 5],
            "time_s": [6.0, 10.0],
            "y_um": [0.55, 1 / 3],
            "x_um": 0.1,
            "probability": [0.9, 2 / 3],
            "parents": ["1", "4;5"],
            "children": ["2;3", "6"],
        }
    )
    table = pd.DataFrame(rows)
    table["interpolated"] = table.interpolated.eq(True)
    table["quality"] = np.random.default_rng(0).random(len(table))
    graph = {2: [1], 3: [1], 6: [4, 5]}
    tracks = vs.Tracks.from_table(table, graph, events, pixel_size_um=0.1, frame_interval_s=2.0)
    return tracks, labels


def same(one: vs.Tracks, other: vs.Tracks) -> None:
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    pd.testing.assert_frame_equal(one.events, other.events, check_exact=True)
    assert one.graph == other.graph
    assert (one.pixel_size_um, one.frame_interval_s) == (
        other.pixel_size_um,
        other.frame_interval_s,
    )


@pytest.mark.parametrize("form", ["csv", "trackmate", "geff"])
def test_files_come_back_exactly(form: str, tmp_path: Path) -> None:
    if form == "geff":
        pytest.importorskip("geff")
    tracks, _ = family()
    path = getattr(tracks, f"to_{form}")(tmp_path / "file.csv")
    same(getattr(vs.Tracks, f"from_{form}")(path), tracks)
    with pytest.raises(OutputExistsError):
        getattr(tracks, f"to_{form}")(path)
    getattr(tracks, f"to_{form}")(path, overwrite=True)


@pytest.mark.parametrize("form", ["csv", "trackmate", "geff", "ctc"])
def test_empty_tracks_can_be_written(form: str, tmp_path: Path) -> None:
    if form == "geff":
        pytest.importorskip("geff")
    empty = vs.link(pd.DataFrame({"frame": [], "y_um": [], "x_um": []}))
    assert getattr(empty, f"to_{form}")(tmp_path / "none").exists()


def test_the_challenge_layout_keeps_all_but_fusions(tmp_path: Path) -> None:
    tracks, labels = family()
    with pytest.warns(UserWarning, match="1 fusion is lost"):
        folder = tracks.to_ctc(tmp_path / "ctc", labels)
    back = vs.Tracks.from_ctc(folder, pixel_size_um=0.1, frame_interval_s=2.0)
    columns = ["track_id", "frame", "y_um", "x_um", "area_um2", "interpolated"]
    pd.testing.assert_frame_equal(back.table[columns], tracks.table[columns], atol=1e-12)
    assert back.graph == {2: [1], 3: [1], 6: [4]}


def test_the_challenge_layout_without_labels_draws_discs(tmp_path: Path) -> None:
    tracks, _ = family()
    with pytest.warns(UserWarning, match="lost"):
        back = vs.Tracks.from_ctc(tracks.to_ctc(tmp_path / "ctc"), pixel_size_um=0.1)
    assert len(back) == len(tracks)


def test_foreign_trackmate_is_cut_into_branches(tmp_path: Path) -> None:
    spots = "".join(
        f'<SpotsInFrame frame="{t}">'
        + "".join(
            f'<Spot ID="{i}" FRAME="{t}" POSITION_X="{x}" POSITION_Y="1.5" RADIUS="0.5"/>'
            for i, x in some
        )
        + "</SpotsInFrame>"
        for t, some in enumerate([[(1, 5.0)], [(2, 4.0), (3, 6.0)], [(4, 3.0)]])
    )
    edges = "".join(
        f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}"/>' for a, b in [(1, 2), (1, 3), (2, 4)]
    )
    path = tmp_path / "foreign.xml"
    path.write_text(
        f"<TrackMate><Model><AllSpots>{spots}</AllSpots><AllTracks><Track>{edges}</Track>"
        '</AllTracks></Model><Settings><ImageData pixelwidth="0.5" timeinterval="3"/></Settings>'
        "</TrackMate>"
    )
    tracks = vs.Tracks.from_trackmate(path)
    assert len(tracks) == 3
    assert len(tracks.graph) == 2
    assert tracks.frame_interval_s == 3
    assert tracks.table.groupby("track_id").size().max() == 2


def test_the_summary_puts_the_riskiest_track_first() -> None:
    tracks, _ = family()
    worst = tracks.table.loc[tracks.table.quality.idxmin()]
    first = tracks.summary.iloc[0]
    assert (first.track_id, first.weakest_frame) == (worst.track_id, worst.frame)
    assert tracks.summary.missing.sum() == 1


def test_events_of_a_run_folder_are_read_beside_its_tracks(tmp_path: Path) -> None:
    vs.track(moving_squares()).to_csv(tmp_path / "tracks.csv")
    event = {"kind": "fission", "frame": 2, "y_um": 1.0, "x_um": 2.0, "probability": 0.9}
    event |= {"parents": "1", "children": "2;3"}
    columns = vs.track(moving_squares()).events.columns
    pd.DataFrame([event]).reindex(columns=columns).to_csv(tmp_path / "events.csv", index=False)
    back = vs.Tracks.from_csv(tmp_path / "tracks.csv").events
    assert back.children.tolist() == ["2;3"]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [("y_um", np.nan, "finite"), ("x_um", np.inf, "finite"), ("track_id", 1.5, "whole")],
)
def test_a_table_of_impossible_numbers_is_refused(column: str, value: float, expected: str) -> None:
    rows = pd.DataFrame({"track_id": [1, 1], "frame": [0, 1], "y_um": 0.0, "x_um": 0.0})
    rows[column] = [1.0, value]
    with pytest.raises(InputError, match=rf"{value} in column {column}, row 1.*{expected}"):
        vs.Tracks.from_table(rows)


@pytest.mark.parametrize("what", ["garbage", "nothing", "folder"])
@pytest.mark.parametrize("kind", ["csv", "trackmate", "geff", "ctc"])
def test_files_that_hold_no_tracks_are_refused(kind: str, what: str, tmp_path: Path) -> None:
    if kind == "geff":
        pytest.importorskip("geff")
    path = tmp_path / "tracks"
    if what == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"\x00\xff,\n" if what == "garbage" else b"")
    with pytest.raises((ImageFileError, InputError), match=str(path)):
        getattr(vs.Tracks, f"from_{kind}")(path)


def test_masks_of_another_movie_are_not_written(tmp_path: Path) -> None:
    labels = np.zeros((3, 8, 8), int)
    labels[:, 2:5, 2:5] = 1
    tracks = vs.track(labels)
    with pytest.raises(InputError, match="frames 0 to 2, the masks of 0 to 1"):
        tracks.to_ctc(tmp_path / "short", labels[:2])
    nothing = vs.track(np.zeros_like(labels)).to_ctc(tmp_path / "none")
    assert len(vs.Tracks.from_ctc(nothing)) == 0
    written = tracks.to_ctc(tmp_path / "ctc", labels)
    (written / "res_track.txt").write_text("1 0 two 0\n")
    with pytest.raises(InputError, match="four whole numbers"):
        vs.Tracks.from_ctc(written)


@pytest.mark.parametrize(("area_um2", "pixels"), [(np.nan, 9), (2.0, 9), (9 * np.pi, 29)])
def test_a_disc_has_the_area_of_its_object_and_nine_pixels_at_least(
    area_um2: float, pixels: int, tmp_path: Path
) -> None:
    table = pd.DataFrame({"track_id": 1, "frame": [0, 1], "y_um": 9.0, "x_um": 9.0})
    folder = vs.Tracks.from_table(table.assign(area_um2=area_um2)).to_ctc(tmp_path / "ctc")
    mask = vs.open_stack(folder / "mask000.tif").data
    assert np.count_nonzero(np.asarray(mask)) == pixels


@pytest.mark.parametrize(("frames", "lines"), [([0, 1, 2], 1), ([0, 2], 2), ([0, 3], 2)])
def test_a_missing_frame_begins_a_line_of_the_challenge_layout(
    frames: list[int], lines: int, tmp_path: Path
) -> None:
    table = pd.DataFrame({"track_id": 1, "frame": frames, "y_um": 9.0, "x_um": 9.0})
    folder = vs.Tracks.from_table(table).to_ctc(tmp_path / "ctc")
    assert len((folder / "res_track.txt").read_text().splitlines()) == lines
    assert len(vs.Tracks.from_ctc(folder)) == 1


def test_one_parent_that_goes_on_as_two_after_a_gap_stays_a_parent(tmp_path: Path) -> None:
    table = pd.DataFrame({"track_id": [1, 2, 3], "frame": [0, 2, 2], "y_um": 9.0})
    tracks = vs.Tracks.from_table(table.assign(x_um=[9.0, 5.0, 15.0]), {2: [1], 3: [1]})
    assert vs.Tracks.from_ctc(tracks.to_ctc(tmp_path / "ctc")).graph == {2: [1], 3: [1]}


def test_a_file_of_trackmate_has_an_end(tmp_path: Path) -> None:
    table = pd.DataFrame({"track_id": 1, "frame": range(300), "y_um": 0.0, "x_um": 0.0})
    path = vs.Tracks.from_table(table).to_trackmate(tmp_path / "long.xml")
    assert path.stat().st_size > 2**16
    assert len(vs.Tracks.from_trackmate(path).table) == 300
    with path.open("ab") as file:
        file.truncate(2**31 + 1)  # takes no room on the disk
    with pytest.raises(ImageFileError, match="more than 2 GB"):
        vs.Tracks.from_trackmate(path)


@pytest.mark.parametrize(("values", "allowed"), [(2**25, True), (2**25 + 1, False)])
def test_arrays_of_a_geff_are_refused_above_268_mb(
    values: int, allowed: bool, tmp_path: Path
) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(tmp_path / "x", shape=(values,), chunks=(1024,), dtype="float64")
    if allowed:
        geff._check_sizes(tmp_path)
    else:
        with pytest.raises(ImageFileError, match="at most those of 268 MB"):
            geff._check_sizes(tmp_path)


def test_objects_at_the_border_have_a_pixel_of_the_frames_rim() -> None:
    labels = np.zeros((1, 9, 9), np.int32)
    places = [(0, 4), (8, 4), (4, 0), (4, 8), (1, 2), (7, 2), (2, 7), (6, 1)]
    for name, place in enumerate(places, 1):
        labels[0][place] = name
    table, pixels = measure_plane(labels[0], None, 0, 1.0)
    masks = _mask_pixels(read_detections(table), [pixels], (9, 9), 1.0)
    assert masks.at_border.tolist() == [True] * 4 + [False] * 4


def test_labels_that_no_track_has_become_background() -> None:
    table = pd.DataFrame({"track_id": 5, "frame": [0], "y_um": 0.0, "x_um": 0.0, "label": 3})
    relabelled = vs.Tracks.from_table(table).relabel(np.array([[[0, 1, 3, 4, 9]]]))
    assert relabelled.tolist() == [[[0, 0, 5, 0, 0]]]


@pytest.mark.parametrize(("frame", "tracks"), [(1, 2), (2, 1)])
def test_an_only_child_after_a_gap_is_the_same_track(
    frame: int, tracks: int, tmp_path: Path
) -> None:
    table = pd.DataFrame({"track_id": [1, 2], "frame": [0, frame], "y_um": 9.0, "x_um": 9.0})
    folder = vs.Tracks.from_table(table, {2: [1]}).to_ctc(tmp_path / "ctc")
    assert len(vs.Tracks.from_ctc(folder)) == tracks
