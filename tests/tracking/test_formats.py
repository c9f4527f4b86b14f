"""Tracks as other programs write them: the right rows, or an error in words."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_virtualstain as vs
from napari_virtualstain.errors import AxesError, InputError, VirtualStainError
from napari_virtualstain.tracking.mask_detections import check_objects


def _trackmate(
    path: Path,
    spots: list[tuple[int, int, float, float]],
    tracks: dict[int, list[tuple[int, int]]],
    *,
    shown: tuple[int, ...] | None = None,
    hidden: tuple[int, ...] = (),
    units: tuple[str, str] = ("micron", "sec"),
    image: tuple[str, str] = ("0.1", "2.0"),
    encoding: str = "UTF-8",
    declared: str | None = None,
    comma: bool = False,
) -> Path:
    """Write what TrackMate would: spots (ID, frame, y, x) and the edges of each track."""

    def number(value: float) -> str:
        return str(value).replace(".", ",") if comma else str(value)

    frames: dict[int, str] = {}
    for spot, frame, y, x in spots:
        seen = int(spot not in hidden)
        frames[frame] = frames.get(frame, "") + (
            f'<Spot ID="{spot}" name="µ{spot}" FRAME="{frame}" POSITION_Y="{number(y)}" '
            f'POSITION_X="{number(x)}" RADIUS="{number(0.5)}" VISIBILITY="{seen}"/>'
        )
    edges = "".join(
        f'<Track name="Track_{name}" TRACK_ID="{name}">'
        + "".join(f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}"/>' for a, b in own)
        + "</Track>"
        for name, own in tracks.items()
    )
    kept = tracks if shown is None else shown
    text = (
        f'<?xml version="1.0" encoding="{declared or encoding}"?><TrackMate version="7.11.1">'
        f'<Model spatialunits="{units[0]}" timeunits="{units[1]}"><AllSpots>'
        + "".join(f'<SpotsInFrame frame="{f}">{held}</SpotsInFrame>' for f, held in frames.items())
        + f"</AllSpots><AllTracks>{edges}</AllTracks><FilteredTracks>"
        + "".join(f'<TrackID TRACK_ID="{name}"/>' for name in kept)
        + "</FilteredTracks></Model><Settings>"
        f'<ImageData filename="m.tif" pixelwidth="{image[0]}" timeinterval="{image[1]}"/>'
        "</Settings></TrackMate>"
    )
    path.write_bytes(text.encode(encoding))
    return path


LINE = [(1, 0, 1.0, 1.0), (2, 1, 1.0, 1.2), (3, 2, 1.0, 1.4)]
OTHER = [(4, 0, 5.0, 5.0), (5, 1, 5.0, 5.1)]


def test_what_trackmate_hides_is_left_out(tmp_path: Path) -> None:
    tracks = {0: [(1, 2), (2, 3)], 1: [(4, 5)]}
    filtered = _trackmate(tmp_path / "f.xml", LINE + OTHER, tracks, shown=(0,))
    hidden = _trackmate(tmp_path / "h.xml", LINE + OTHER, {0: tracks[0]}, hidden=(4, 5))
    for path in (filtered, hidden):
        read = vs.Tracks.from_trackmate(path)
        assert (len(read), len(read.table)) == (1, 3)


def test_spots_of_no_track_are_left_out_and_said(tmp_path: Path) -> None:
    path = _trackmate(tmp_path / "a.xml", LINE + OTHER, {0: [(1, 2), (2, 3)]})
    with pytest.warns(UserWarning, match="2 of 5 spots .* are in no track"):
        read = vs.Tracks.from_trackmate(path)
    assert read.table.frame.tolist() == [0, 1, 2]
    only_spots = vs.Tracks.from_trackmate(_trackmate(tmp_path / "b.xml", LINE, {}))
    assert (len(only_spots), len(only_spots.table)) == (3, 3)


@pytest.mark.parametrize(
    ("units", "pixel_um", "interval_s", "y_um"),
    [
        (("micron", "sec"), 0.1, 2.0, 1.0),
        (("µm", "min"), 0.1, 120.0, 1.0),
        (("nm", "ms"), 1e-4, 0.002, 1e-3),
        (("mm", "h"), 100.0, 7200.0, 1000.0),
        (("", "frame"), 0.1, 2.0, 1.0),
        (("Âµm", "sec"), 0.1, 2.0, 1.0),
    ],
)
def test_units_become_micrometres_and_seconds(
    tmp_path: Path, units: tuple[str, str], pixel_um: float, interval_s: float, y_um: float
) -> None:
    path = _trackmate(tmp_path / "m.xml", LINE, {0: [(1, 2), (2, 3)]}, units=units)
    read = vs.Tracks.from_trackmate(path)
    assert read.pixel_size_um == pytest.approx(pixel_um)
    assert read.frame_interval_s == pytest.approx(interval_s)
    assert read.table.y_um.iloc[0] == pytest.approx(y_um)
    assert read.table.area_um2.iloc[0] == pytest.approx(np.pi * (0.5 * y_um) ** 2)


@pytest.mark.parametrize(
    ("unit", "told"), [("furlong", "'furlong' .* are not known"), ("pixel", "are in pixels")]
)
def test_units_that_are_no_lengths_are_said(tmp_path: Path, unit: str, told: str) -> None:
    path = _trackmate(tmp_path / "m.xml", LINE, {}, units=(unit, "sec"))
    with pytest.warns(UserWarning, match=told):
        read = vs.Tracks.from_trackmate(path)
    assert read.table.y_um.iloc[0] == 1.0


def test_depths_are_left_out_and_said(tmp_path: Path) -> None:
    path = _trackmate(tmp_path / "m.xml", LINE, {0: [(1, 2), (2, 3)]})
    flat = path.read_text(encoding="utf-8")
    for depths, is_said in ((("1.0", "1.0", "1.0"), False), (("1.0", "1.0", "2.0"), True)):
        text = flat
        for depth in depths:
            text = text.replace('RADIUS="0.5" VIS', f'POSITION_Z="{depth}" RADIUS="0.5"  VIS', 1)
        path.write_text(text, encoding="utf-8")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert len(vs.Tracks.from_trackmate(path).table) == 3
        assert any("2 depths" in str(warning.message) for warning in said) is is_said


def test_other_files_of_trackmate_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    path.write_text('<Tracks nTracks="1" frameInterval="2.0"><particle nSpots="0"/></Tracks>')
    with pytest.raises(InputError, match="'Export tracks to XML file'.*Save the session"):
        vs.Tracks.from_trackmate(path)
    (tmp_path / "s.csv").write_text("LABEL,TRACK_ID,POSITION_X,POSITION_Y,FRAME\nID0,0,1,2,0\n")
    with pytest.raises(InputError, match="table that TrackMate exported"):
        vs.Tracks.from_csv(tmp_path / "s.csv")


def test_edges_have_no_direction(tmp_path: Path) -> None:
    spots = [(1, 0, 1.0, 1.0), (2, 1, 1.0, 1.2), (3, 1, 1.2, 1.4), (4, 2, 1.0, 1.2)]
    edges = [(1, 2), (1, 3), (2, 4)]
    for turned in (edges, [(b, a) for a, b in edges]):
        read = vs.Tracks.from_trackmate(_trackmate(tmp_path / "m.xml", spots, {0: turned}))
        assert read.graph == {2: [1], 3: [1]}


def test_edges_to_spots_that_are_not_there_are_said(tmp_path: Path) -> None:
    path = _trackmate(tmp_path / "m.xml", LINE, {0: [(1, 2), (2, 3), (3, 99)]})
    with pytest.warns(UserWarning, match="1 of 3 edges"):
        read = vs.Tracks.from_trackmate(path)
    assert (len(read), len(read.table)) == (1, 3)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("UTF-8", None), ("ISO-8859-1", None), ("UTF-16", None), ("cp1252", "UTF-8")],
)
def test_encodings_and_decimal_commas(tmp_path: Path, encoding: str, declared: str | None) -> None:
    path = _trackmate(
        tmp_path / "m.xml",
        LINE,
        {0: [(1, 2), (2, 3)]},
        encoding=encoding,
        declared=declared,
        image=("0,1", "2,0"),
        comma=True,
    )
    read = vs.Tracks.from_trackmate(path)
    assert read.table.x_um.tolist() == [1.0, 1.2, 1.4]
    assert (read.pixel_size_um, read.frame_interval_s) == (0.1, 2.0)


def test_a_spot_that_is_there_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="spot 1 twice"):
        vs.Tracks.from_trackmate(_trackmate(tmp_path / "m.xml", [*LINE, LINE[0]], {}))


# --- Cell Tracking Challenge ----------------------------------------------------------------------


def _ctc(
    folder: Path, lineage: str, frames: range, *, name: str = "mask", text: str = "res_track.txt"
) -> Path:
    folder.mkdir(exist_ok=True)
    for frame in frames:
        plane = np.zeros((12, 12), np.uint16)
        plane[2:5, 2:5] = 1
        tifffile.imwrite(folder / f"{name}{frame:03}.tif", plane)
    (folder / text).write_text(lineage)
    return folder


def test_the_number_in_the_name_is_the_frame(tmp_path: Path) -> None:
    read = vs.Tracks.from_ctc(_ctc(tmp_path / "c", "1 5 9 0\n", range(5, 10)))
    assert read.table.frame.tolist() == [5, 6, 7, 8, 9]
    (tmp_path / "c" / "mask007.tif").unlink()
    with pytest.warns(UserWarning, match="no masks of the frames 7"):
        read = vs.Tracks.from_ctc(tmp_path / "c")
    assert read.table.frame.tolist() == [5, 6, 7, 8, 9]
    assert read.table.interpolated.tolist() == [False, False, True, False, False]


def test_masks_and_reference_in_one_folder_are_read_once(tmp_path: Path) -> None:
    _ctc(tmp_path / "c", "1 0 4 0\n", range(5))
    _ctc(tmp_path / "c", "1 0 2 0\n", range(3), name="man_track", text="man_track.txt")
    assert len(vs.Tracks.from_ctc(tmp_path / "c").table) == 5
    (tmp_path / "c" / "res_track.txt").unlink()
    assert len(vs.Tracks.from_ctc(tmp_path / "c").table) == 3


def test_parents_below_zero_are_none(tmp_path: Path) -> None:
    assert vs.Tracks.from_ctc(_ctc(tmp_path / "c", "1 0 4 -1\n", range(5))).graph == {}


@pytest.mark.parametrize(
    ("lineage", "told"),
    [
        ("2 0 4 0\n", "the lineage lacks the labels 1 of the masks; the masks lack the tracks 2"),
        ("1 0 2 0\n", "the tracks 1 are in other frames"),
        ("1 0 4 7\n", "the parents of 1 are not there"),
    ],
)
def test_masks_and_lineage_that_contradict_each_other_are_said(
    tmp_path: Path, lineage: str, told: str
) -> None:
    with pytest.warns(UserWarning, match=told):
        read = vs.Tracks.from_ctc(_ctc(tmp_path / "c", lineage, range(5)))
    assert (read.table.track_id.tolist(), read.graph) == ([1] * 5, {})


@pytest.mark.parametrize("lineage", ["1 0 4 1\n", "1 4 0 0\n", "1 0 4 0\n1 0 4 0\n", "1 0 4 x\n"])
def test_an_impossible_lineage(tmp_path: Path, lineage: str) -> None:
    with pytest.raises(InputError, match=r"res_track\.txt"):
        vs.Tracks.from_ctc(_ctc(tmp_path / "c", lineage, range(5)))


def test_masks_of_two_sizes_are_refused(tmp_path: Path) -> None:
    folder = _ctc(tmp_path / "c", "1 0 2 0\n", range(3))
    tifffile.imwrite(folder / "mask001.tif", np.zeros((12, 13), np.uint16))
    with pytest.raises(InputError, match=r"mask001\.tif is \(12, 13\).*are \(12, 12\)"):
        vs.Tracks.from_ctc(folder)


def test_masks_of_three_dimensions_are_refused_in_words(tmp_path: Path) -> None:
    folder = _ctc(tmp_path / "c", "1 0 0 0\n", range(1))
    tifffile.imwrite(folder / "mask000.tif", np.zeros((5, 12, 12), np.uint16))
    with pytest.raises(AxesError, match="Project each stack along z"):
        vs.Tracks.from_ctc(folder)


# --- tables ---------------------------------------------------------------------------------------


def test_what_simulate_writes_is_read(tmp_path: Path) -> None:
    scene = vs.simulate(frames=3, size=48, count=4, seed=2)
    scene.save(tmp_path)
    read = vs.Tracks.from_csv(tmp_path / "tracks.csv")
    assert len(read) == scene.tracks.track_id.nunique()
    assert len(read.events) == len(scene.events)


def _rows() -> pd.DataFrame:
    return pd.DataFrame({"track_id": [1, 1], "frame": [0, 1], "y_um": [0.5, 1.5], "x_um": 2.25})


def test_events_of_another_movie_are_not_taken(tmp_path: Path) -> None:
    _rows().to_csv(tmp_path / "tracks.csv", index=False)
    _rows().to_csv(tmp_path / "mine.csv", index=False)
    event = {"kind": "fission", "frame": 1, "time_s": 1.0, "y_um": 1.0, "x_um": 2.0}
    event |= {"probability": 0.9, "parents": "7", "children": "8;9"}
    pd.DataFrame([event]).to_csv(tmp_path / "events.csv", index=False)
    assert len(vs.Tracks.from_csv(tmp_path / "mine.csv").events) == 0
    with pytest.warns(UserWarning, match="another movie"):
        assert len(vs.Tracks.from_csv(tmp_path / "tracks.csv").events) == 0


@pytest.mark.parametrize(
    "text",
    [
        "track_id;frame;y_um;x_um\n1;0;0,5;2,25\n1;1;1,5;2,25\n",
        " track_id , frame,y_um , x_um\n1, 0, 0.5, 2.25\n1, 1, 1.5, 2.25\n",
        "sep=;\ntrack_id;frame;y_um;x_um\n1;0;0,5;2,25\n1;1;1,5;2,25\n",
        "Track_ID,Frame,Y_um,x_um\n1,0,0.5,2.25\n1,1,1.5,2.25\n,,,\n,,,\n",
        "\ufefftrack_id\tframe\ty_um\tx_um\n1\t0\t0.5\t2.25\n1\t1\t1.5\t2.25\n",
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, text: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "t.csv").write_text(text.removeprefix("\ufeff"), encoding=encoding)
        if text.startswith("\ufeff") and encoding == "utf-8":
            (tmp_path / "t.csv").write_text(text, encoding=encoding)
        read = vs.Tracks.from_csv(tmp_path / "t.csv").table
        assert read.track_id.tolist() == [1, 1]
        assert read.y_um.tolist() == [0.5, 1.5]
        assert read.x_um.tolist() == [2.25, 2.25]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("frame", 1e300),
        ("frame", 2.0**63),
        ("frame", "two"),
        ("y_um", 1e200),
        ("y_um", "1+2j"),
        ("area_um2", -1.0),
        ("area_um2", np.inf),
        ("interpolated", "maybe"),
        ("track_id", 1e30),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, column: str, value: Any) -> None:
    rows = _rows().astype(object)
    rows[column] = [value, value] if column not in rows else [rows[column][0], value]
    rows.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=column):
        vs.Tracks.from_csv(tmp_path / "t.csv")
    if column in ("frame", "y_um", "area_um2"):
        with pytest.raises(InputError):
            vs.link(rows.drop(columns="track_id"))


def test_impossible_graphs_are_refused() -> None:
    for graph in ({2: 1}, {1: [1]}, {1: [2], 2: [1]}, {"a": [1]}, {1: ["x"]}):
        with pytest.raises(InputError):
            vs.Tracks.from_table(_rows(), graph)  # type: ignore[arg-type]
    assert vs.Tracks.from_table(_rows(), {2: [1]}).graph == {2: [1]}


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("track_id,frame,y_um,x_um,y_um\n1,0,1,1,1\n")
    with pytest.raises(InputError, match="'y_um' twice"):
        vs.Tracks.from_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match="twice"):
        vs.link(pd.concat([_rows(), _rows()], axis=1))


def test_a_search_radius_of_the_solar_system() -> None:
    with pytest.raises(InputError, match="search radius"):
        vs.link(_rows(), search_radius_um=1e300)


def test_geff_of_impossible_edges_and_sizes(tmp_path: Path) -> None:
    pytest.importorskip("geff")
    path = vs.Tracks.from_table(_rows()).to_geff(tmp_path / "t.geff")
    assert len(vs.Tracks.from_geff(path).table) == 2
    for mark in (*path.rglob("zarr.json"), *path.rglob(".zarray")):
        held = json.loads(mark.read_text())
        if "shape" in held:
            mark.write_text(json.dumps({**held, "shape": [10**12]}))
            break
    with pytest.raises(VirtualStainError):
        vs.Tracks.from_geff(path)


# --- labels ---------------------------------------------------------------------------------------


def _labels() -> np.ndarray:
    movie = np.zeros((3, 24, 24), np.int32)
    for t in range(3):
        movie[t, 3:7, 3 + t : 7 + t] = 1
        movie[t, 14:18, 12:16] = 2
    return movie


def test_labels_of_other_programs_give_the_same_tracks() -> None:
    expected = vs.track(_labels()).table
    movie = _labels()
    floats = movie.astype(np.float32)
    below = np.where(movie == 0, -1, movie)
    for given in (floats, below, movie.astype(">i4"), movie.astype(np.uint64)):
        tracks = vs.track(given)
        pd.testing.assert_frame_equal(tracks.table, expected)
        np.testing.assert_array_equal(tracks.relabel(given) > 0, movie > 0)


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf])
def test_labels_that_are_fractions(bad: float) -> None:
    movie = _labels().astype(float)
    movie[1, 3, 5] = bad
    with pytest.raises(InputError, match="fractions"):
        vs.track(movie)


def test_two_backgrounds_are_asked_about() -> None:
    movie = _labels()
    movie[0, 0, 0] = -1
    with pytest.raises(InputError, match="hold -1 and 0"):
        vs.track(movie)


def test_a_mask_is_said_and_a_grey_image_refused() -> None:
    with pytest.warns(UserWarning, match="only 0 and 1 in 2 separate places"):
        vs.track((_labels() > 0).astype(np.uint8))
    grey = np.random.default_rng(0).integers(0, 200, (3, 64, 64)).astype(np.uint8)
    with pytest.raises(InputError, match="looks like a grey image"):
        vs.track(grey)
    deep = np.random.default_rng(0).integers(1, 60000, (3, 64, 64)).astype(np.uint16)
    with pytest.raises(InputError, match="looks like a grey image"):
        vs.track(deep)


@pytest.mark.parametrize(("empty", "is_grey"), [(8, True), (12, False)])
def test_objects_of_two_pixels_that_fill_nine_tenths_are_grey_values(
    empty: int, is_grey: bool
) -> None:
    plane = np.repeat(np.arange(1, 51), 2)
    plane[100 - empty :] = 0
    if is_grey:
        with pytest.raises(InputError, match="looks like a grey image"):
            check_objects(plane.reshape(10, 10))
    else:
        assert check_objects(plane.reshape(10, 10)) is None


def test_one_object_in_two_parts_is_no_mask_where_the_movie_has_another() -> None:
    movie = np.zeros((2, 16, 16), np.int32)
    movie[0, 2:5, 2:5] = movie[0, 2:5, 7:10] = 1  # a segmenter may bridge a gap
    movie[1, 2:5, 2:5], movie[1, 2:5, 7:10] = 1, 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vs.track(movie)
    with pytest.warns(UserWarning, match="only 0 and 1 in 2 separate places"):
        vs.track(movie[:1])


def test_a_background_that_is_no_zero_is_said() -> None:
    labels = _labels()
    assert (labels > 0).any(axis=(1, 2)).all()
    with pytest.warns(UserWarning, match="hold no 0, and 65535 covers most"):
        vs.track(np.where(labels == 0, 65535, labels).astype(np.uint16))


@pytest.mark.parametrize("given", [None, 5, b"x", []])
@pytest.mark.parametrize("kind", ["csv", "trackmate", "ctc", "geff"])
def test_what_is_no_path_is_refused_in_words(kind: str, given: Any) -> None:
    if kind == "geff":
        pytest.importorskip("geff")
    with pytest.raises(InputError, match="expected the path of a file or folder"):
        getattr(vs.Tracks, f"from_{kind}")(given)


def test_numbers_beyond_any_movie_are_refused() -> None:
    for gap in (10**30, 1e300, float("nan"), -1, 1.5):
        with pytest.raises(InputError, match="max_gap"):
            vs.link(_rows(), max_gap=gap)  # type: ignore[arg-type]
    for wrong in ({"density": "a"}, {"pixel_size_um": "a"}, {"frames": 10**12}, {"size": "a"}):
        with pytest.raises(InputError):
            vs.simulate(**{"frames": 1, "size": 32, "count": 1, **wrong})  # type: ignore[arg-type]
    assert vs.simulate(frames=1, size=32.0, count=1).labels.shape == (1, 32, 32)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("area_um2", "radius_um"),
    [(4 * np.pi, 2.0), (0.04 * np.pi, 0.2), (0.0, 0.5), (np.nan, 0.5)],
)
def test_trackmate_draws_spots_of_the_area_of_the_object(
    tmp_path: Path, area_um2: float, radius_um: float
) -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 1], "y_um": 1.0, "x_um": 1.0})
    tracks = vs.Tracks.from_table(rows.assign(area_um2=area_um2))
    root = ElementTree.parse(tracks.to_trackmate(tmp_path / "tracks.xml")).getroot()
    radii = [float(spot.get("RADIUS", "nan")) for spot in root.iter("Spot")]
    assert radii == pytest.approx([radius_um] * 2)


def test_splits_and_merges_of_trackmate_are_events(tmp_path: Path) -> None:
    spots = [(1, 0, 1.0, 1.0), (2, 1, 1.0, 1.2), (3, 2, 0.5, 1.4), (4, 2, 1.5, 1.4)]
    spots.append((5, 3, 1.0, 1.6))
    edges = [(1, 2), (2, 3), (4, 2), (3, 5), (5, 4)]  # in either direction, as TrackMate has them
    events = vs.Tracks.from_trackmate(_trackmate(tmp_path / "m.xml", spots, {0: edges})).events
    assert events[["kind", "frame", "time_s", "y_um", "x_um"]].to_numpy().tolist() == [
        ["fission", 2, 4.0, 0.5, 1.4],
        ["fusion", 3, 6.0, 1.0, 1.6],
    ]
    assert events.children[0] == events.parents[1] == "2;3"
    line = vs.Tracks.from_trackmate(_trackmate(tmp_path / "l.xml", LINE, {0: [(1, 2), (2, 3)]}))
    assert len(line.events) == 0


def test_a_mask_of_an_absurd_frame_is_refused(tmp_path: Path) -> None:
    folder = _ctc(tmp_path / "c", "1 0 2 0\n", range(3))
    mask = next(path for path in folder.iterdir() if path.name.endswith("002.tif"))
    mask.rename(folder / mask.name.replace("002", "99999999999"))
    with pytest.raises(InputError, match="is frame 99999999999 by its name"):
        vs.Tracks.from_ctc(folder)
