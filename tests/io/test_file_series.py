"""Names as microscopes write them: each counter becomes its axis, or a question."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_virtualstain.errors import AxesError, ImageFileError, InputError
from napari_virtualstain.io import open_stack
from napari_virtualstain.io.readers.file_series import FileSeries, arrange
from napari_virtualstain.io.readers.plane_grid import PlaneGrid, gap_notes


def _names(form: str, **values: object) -> list[str]:
    keys = list(values)
    rows = itertools.product(*values.values())  # type: ignore[call-overload]
    return sorted(form.format(**dict(zip(keys, row, strict=True))) for row in rows)


def _arranged(names: list[str], **options: object) -> tuple[FileSeries, list[str]]:
    series = arrange(names, "movie", **options)  # type: ignore[arg-type]
    return series, [names[i] for i in series.files]


T, C, Z = range(3), (1, 2), (0, 1)
KINDS = {
    "micromanager-1.4": ("img_{t:09}_{c}_{z:03}.tif", {"t": T, "c": ("BF", "GFP"), "z": Z}),
    "micromanager-2": (
        "img_channel{c:03}_position000_time{t:09}_z{z:03}.tif",
        {"t": T, "c": C, "z": Z},
    ),
    "leica": ("Exp_Series001_t{t:02}_z{z:02}_ch{c:02}.tif", {"t": T, "c": C, "z": Z}),
    "leica-matrix-screener": (
        "image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T{t:04}--Z{z:02}--C{c:02}.ome.tif",
        {"t": T, "c": C, "z": Z},
    ),
    "nikon": ("exptT{t:03}XY01Z{z:02}C{c}.tif", {"t": T, "c": C, "z": Z}),
    "nikon-lower": ("expt{t:03}xy1z{z}c{c}.tif", {"t": T, "c": C, "z": Z}),
    "zen": ("exp_s1t{t:02}z{z}c{c}_ORG.tif", {"t": T, "c": C, "z": Z}),
    "olympus": ("exp_C{c:03}Z{z:03}T{t:03}.tif", {"t": T, "c": C, "z": Z}),
    "cv8000": ("Plate_B02_T{t:04}F001L01A01Z{z:02}C{c:02}.tif", {"t": T, "c": C, "z": Z}),
    "operetta": ("r01c01f01p{z:02}rc1-ch{c}sk{t}fk1fl1.tiff", {"t": T, "c": C, "z": Z}),
    "phenix": ("r01c01f01p{z:02}-ch{c}sk{t}fk1fl1.tiff", {"t": T, "c": C, "z": Z}),
    "metamorph": ("exp_w{c}_t{t}.TIF", {"t": T, "c": ("1BF", "2GFP")}),
    "incell": (
        "A - 01(fld 1 wv {c} time {t} - {t}000ms).tif",
        {"t": T, "c": ("Blue - DAPI", "TL-Brightfield - BF")},
    ),
    "incell-plane-last": (
        "A - 1(fld 1 wv Green - dsRed time {t:02} - {t}0000ms z {z}).tif",
        {"t": T, "z": Z},
    ),
    "metaxpress-planes": ("TimePoint_{t}/ZStep_{z}/p_A01_s1_w{c}.TIF", {"t": T, "c": C, "z": Z}),
    "metaxpress-flat": ("p_A01_s1_w{c}_z{z}_t{t}.tif", {"t": T, "c": C, "z": Z}),
    "andor": ("exp_t{t:04}_z{z:04}_w{c:04}.tif", {"t": T, "c": C, "z": Z}),
    "squid": ("{t}/A1_0_{z}_{c}.tiff", {"t": T, "c": ("BF_full", "Fluorescence_488_nm"), "z": Z}),
    "incucyte": ("{c}_A1_1_{t:02}d00h00m.tif", {"t": T, "c": ("Green", "Phase")}),
    "two-cameras": ("Cam{c}_T{t}.tif", {"t": T, "c": C}),
    "signed": ("t{t}_z{z}um.tif", {"t": T, "z": ("-1.0", "-0.5", "0.0", "0.5")}),
    "signed-plus": ("t{t}_z{z}.tif", {"t": T, "z": ("-10", "-5", "+0", "+5")}),
    "metaxpress": ("TimePoint_{t}/plate_A01_s1_w{c}.TIF", {"t": T, "c": C}),
    "cytation": ("A1_01_1_1_{c}_{t:03}.tif", {"t": T, "c": ("GFP", "Phase Contrast")}),
    "word": ("t{t:02}_{c}.tif", {"t": T, "c": ("BF", "Cy5")}),
    "scanr": (
        "{c}--W00001--P00001--Z{z:05}--T{t:05}--BF.tif",
        {"t": T, "c": ("BF", "GFP"), "z": Z},
    ),
    "cellomics": ("AS_09125_050118150001_A03f00d{c}.TIF", {"c": (0, 1)}),
    "evos": ("scan_Plate_R_p00_0_A01f00d{c}.TIF", {"c": (0, 1)}),
    "lattice-light-sheet": (
        "scan_Cam1_ch{c}_stack{t:04}_488nm_{t:07}msec_010606{c}{t}msecAbs.tif",
        {"t": T, "c": (0, 1)},
    ),
    "thorimage": ("Chan{c}_0001_0001_0001_{t:04}.tif", {"t": T, "c": "AB"}),
    "channel-label-and-name": ("out_T{t}_C{c}.tif", {"t": T, "c": ("BF", "GFP")}),
    "wavelength": ("t{t:03}_{c}nm.tif", {"t": T, "c": (488, 561)}),
    "excitation": ("t{t:03}_ex{c}.tif", {"t": T, "c": (488, 561)}),
    "zen-detector": ("exp_{c}_t{t:02}.tif", {"t": T, "c": ("AF488", "T PMT")}),
    "folder-and-name": ("T{t:04}/Image_T{t:04}_XY01_CH{c}.tif", {"t": T, "c": C}),
    "number-and-channel": ("img_{t:04}_ch{c:02}.tif", {"t": T, "c": C}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_counters_become_axes_in_their_order(kind: str) -> None:
    form, values = KINDS[kind]
    series, files = _arranged(_names(form, **values))
    axes = "".join(axis for axis in "tcz" if axis in values)
    assert series.axes == axes
    assert series.shape == tuple(len(values[axis]) for axis in axes)
    assert series.notes == ()
    wanted = itertools.product(*(values[axis] for axis in axes))
    assert files == [form.format(**dict(zip(axes, row, strict=True))) for row in wanted]


@pytest.mark.parametrize(
    ("form", "values", "second"),
    [
        ("cell_Pos{p}_t{t:02}.tif", {"p": (0, 1), "t": T}, "Pos1"),
        ("exp_w1BF_s{p}_t{t}.TIF", {"p": (1, 2), "t": T}, "s2"),
        ("fov{p}_{t}.tif", {"p": (1, 2), "t": T}, "fov2"),
        ("{p}_t{t}.tif", {"p": ("A01", "A02", "B01"), "t": T}, "A02"),
        ("Phase_{p}_2020y05m21d_{t:02}h30m.tif", {"p": ("B2_1", "B2_2"), "t": T}, "B2_2"),
        ("Pl_{p}_T{t:04}F001L01A01Z01C01.tif", {"p": ("B02", "B03"), "t": T}, "Pl_B03"),
        ("Sample_Seq000{p}T{t}.tif", {"p": (1, 2), "t": T}, "Seq0002"),
        ("AS_1234_A03f{p:02}d0_t{t}.TIF", {"p": (0, 1), "t": T}, "f01"),
        ("WellA0{p}_T{t:04}.tif", {"p": (1, 2), "t": T}, "WellA02"),
        ("Well{p}_T{t:04}.tif", {"p": ("A01", "B01"), "t": T}, "WellB01"),
        ("tile[0{p} x 00]_t{t}.tif", {"p": (0, 1), "t": T}, "01"),
    ],
)
def test_of_several_positions_one_is_opened_and_the_others_are_said(
    form: str, values: dict[str, object], second: str
) -> None:
    names = _names(form, **values)
    series, files = _arranged(names)
    assert (series.axes, series.shape) == ("t", (3,))
    assert len(series.notes) == 1
    assert second in series.notes[0]
    assert "--position" in series.notes[0]
    other = _arranged(names, position=second)
    assert not set(other[1]) & set(files)
    assert other[0].notes == ()
    assert _arranged(names, position=1)[1] == other[1]
    with pytest.raises(InputError, match="There is no position 'Pos9'"):
        arrange(names, "movie", position="Pos9")


def test_two_counters_without_a_name_are_asked_for() -> None:
    names = _names("img_{a:03}_{b:03}.tif", a=(1, 2, 3), b=(1, 2))
    with pytest.raises(AxesError, match=r"2 counters: 'img001' to 'img003' .*--axes tcyx"):
        arrange(names, "movie")
    series, files = _arranged(names, axes="tcyx")
    assert (series.axes, series.shape, files) == ("tc", (3, 2), names)
    series, files = _arranged(names, axes="ztyx")
    assert (series.axes, series.shape) == ("tz", (2, 3))
    assert files[:2] == ["img_001_001.tif", "img_002_001.tif"]
    assert _arranged(names, axes="tyx")[0].shape == (6,)
    with pytest.raises(AxesError, match=r"Axes 'tczyx' .*hold 2 counters"):
        arrange(names, "movie", axes="tczyx")


def test_a_running_number_beside_wells_and_channels_is_no_time() -> None:
    rows = itertools.product(("A01", "A02"), ("BF", "GFP"))
    names = [f"Well{well}_Channel{c}_Seq{i:04}.tif" for i, (well, c) in enumerate(rows)]
    series, files = _arranged(names)
    assert (series.axes, files) == ("c", names[:2])
    assert _arranged(names, position=1)[1] == names[2:]
    names = [f"A_Channel{c}_T{t:04}_Seq{2 * t + i:04}.tif" for t in T for i, c in enumerate("xy")]
    names = [name.replace("x_", "BF_").replace("y_", "GFP_") for name in names]
    series, files = _arranged(names)
    assert (series.axes, series.shape, files) == ("tc", (3, 2), names)


def test_counters_that_form_no_grid_are_asked_for_where_one_is_a_channel() -> None:
    names = [f"Chan{c}_{a:03}_{b:03}.tif" for c in "AB" for a, b in ((1, 1), (1, 2), (2, 1))]
    with pytest.raises(AxesError, match="hold 3 counters"):
        arrange(names, "movie")


def test_hours_after_a_letter_are_times() -> None:
    series, files = _arranged(["c_10h.tif", "c_1h.tif", "c_2h.tif"])
    assert (series.axes, files) == ("t", ["c_1h.tif", "c_2h.tif", "c_10h.tif"])
    assert _arranged(["c_1_s.tif", "c_2_s.tif"])[0].axes == "c"


def test_a_question_leaves_positions_out_of_its_letters() -> None:
    names = _names("p{p}_t{t}_{c}_{n:03}.tif", p=(1, 2), t=T, c=("BF", "GFP"), n=(1, 2))
    with pytest.raises(AxesError, match=r"3 counters: 't0' .*--axes tczyx"):
        arrange(names, "movie")
    series, files = _arranged(names, axes="tczyx")
    assert (series.axes, series.shape) == ("tcz", (3, 2, 2))
    assert files == [name for name in names if name.startswith("p1")]
    assert "2 positions" in series.notes[0]


@pytest.mark.parametrize(
    "names",
    [
        _names("frame{a}_t{b}.tif", a=(1, 2), b=(1, 2, 3)),
        _names("z{a}_plane{b}_t{c}.tif", a=(1, 2), b=(1, 2), c=(1, 2)),
        _names("t{t}_B{p}_1_BF_{n}.tif", t=T, p=(1, 2), n=(1, 2)),
        _names("t{t}_{n}_BF_full.tif", t=T, n=("A1_1", "A1_2", "B1_1", "B1_2")),
    ],
)
def test_two_counters_of_one_axis_are_asked_for(names: list[str]) -> None:
    with pytest.raises(AxesError, match=r"hold 2 counters|hold 3 counters"):
        arrange(names, "movie")


@pytest.mark.parametrize(
    "names",
    [
        [f"{word}_{i}.tif" for word in ("control", "treated") for i in range(3)],
        [f"{word}_{i}.tif" for word, n in (("a", 5), ("b", 3)) for i in range(n)],
        [f"t{i}{end}.tif" for end in ("", "_mask") for i in range(3)],
    ],
)
def test_two_movies_in_one_folder_are_not_one(names: list[str]) -> None:
    with pytest.raises(AxesError, match="glob"):
        arrange(names, "movie")


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((0, 1, 2, 4, 5), "3 is missing"),
        ((0, 10, 20, 40), "30 is missing"),
        ((1, 2, 5), "3, 4 are missing"),
    ],
)
def test_missing_numbers_are_said(numbers: tuple[int, ...], told: str) -> None:
    series, _ = _arranged([f"cell_t{i:03}.tif" for i in numbers])
    assert series.shape == (len(numbers),)
    assert told in series.notes[0]
    assert _arranged([f"cell_t{i:03}.tif" for i in range(7, 12)])[0].notes == ()


def test_decimal_numbers_are_in_order() -> None:
    for names in (
        ["c_1.25h.tif", "c_1.5h.tif", "c_1.75h.tif", "c_2.0h.tif"],
        ["c_0,5min.tif", "c_1min.tif", "c_1,5min.tif"],
        ["c_0.25.tif", "c_0.5.tif", "c_0.75.tif"],
        [f"v1.{i}.tif" for i in range(1, 13)],
    ):
        assert _arranged(sorted(names, reverse=True))[1] == names


def test_a_dash_before_all_numbers_parts_words() -> None:
    names = [f"cell_t-{i}.tif" for i in (1, 2, 10)]
    assert _arranged(names[::-1])[1] == names
    names = ["cell_t-2.tif", "cell_t-1.tif", "cell_t0.tif", "cell_t1.tif"]
    assert _arranged(sorted(names))[1] == names


def test_times_of_day_are_one_counter() -> None:
    names = [f"cell_2020-01-01_{h}-{m}-00.tif" for h in (12, 13) for m in (15, 45)]
    assert _arranged(names)[1] == names
    names = [f"{h:02}h{m:02}m.tif" for h in (9, 10) for m in (0, 30)]
    assert _arranged(names)[1] == names


def test_files_of_another_name_or_kind_are_left_out_and_said() -> None:
    names = ["MAX_cell.tif", *(f"cell_t{i}.tif" for i in range(3))]
    series, files = _arranged(names)
    assert files == names[1:]
    assert "MAX_cell.tif is not named like the other 3" in series.notes[0]
    pictures = [f"t{i}.{end}" for i in range(3) for end in ("png", "tif")]
    series, files = _arranged(pictures)
    assert files == ["t0.tif", "t1.tif", "t2.tif"]
    assert "t0.png, t1.png, t2.png are not named like" in series.notes[0]
    thumbs = [f"p_A01_s1_w{c}{end}.tif" for c in (1, 2) for end in ("", "_thumb")]
    assert _arranged(thumbs)[1] == ["p_A01_s1_w1.tif", "p_A01_s1_w2.tif"]


def test_an_aborted_acquisition_keeps_its_whole_frames() -> None:
    names = _names("t{t}_ch{c}.tif", t=T, c=(0, 1))
    series, files = _arranged(names[:-1])
    assert (series.shape, files) == ((2, 2), names[:4])
    assert "last frame (t2) is not complete" in series.notes[0]
    with pytest.raises(ImageFileError, match="lacks 1 of 6 planes, the first at t1 ch0"):
        arrange([name for name in names if name != "t1_ch0.tif"], "movie")
    with pytest.raises(ImageFileError, match="have the same place"):
        arrange(["t1.tif", "t01.tif", "t2.tif"], "movie")


@pytest.mark.parametrize("letters", ["s", "x", "f", "img_", "cell", "c"])
def test_a_lone_counter_of_no_certain_meaning_is_time(letters: str) -> None:
    names = [f"{letters}{i:03}.png" for i in range(20)]
    assert _arranged(names)[0].axes == "t"


def test_a_random_part_of_metaxpress_is_no_counter() -> None:
    tails = ["A4A4D6D6-4B4E-4C4C-8E8E-0123456789AB", "B5A4D6D6-4B4E-4C4C-8E8E-0123456789AC"]
    names = [f"pl_A01_s1_w{c}{tail}.tif" for c, tail in zip((1, 2), tails, strict=True)]
    series, _ = _arranged(names)
    assert (series.axes, series.channel_names) == ("c", ("w1", "w2"))


def _write(folder: Path, names: list[str]) -> Path:
    for value, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, np.full((8, 9), value, np.uint16))
    return folder


def test_a_folder_opens_with_its_axes_channels_and_notes(tmp_path: Path) -> None:
    names = [f"img_{t:09}_{c}_000.tif" for t in range(3) for c in ("BF", "GFP")]
    stack = open_stack(_write(tmp_path / "m", names))
    assert (stack.axes, stack.shape) == ("tcyx", (3, 2, 8, 9))
    assert stack.channel_names == ("BF", "GFP")
    np.testing.assert_array_equal(np.asarray(stack.data)[..., 0, 0], [[0, 1], [2, 3], [4, 5]])
    chosen = open_stack(tmp_path / "m", channel="GFP")
    np.testing.assert_array_equal(np.asarray(chosen.data)[:, 0, 0], [1, 3, 5])
    positions = [f"Pos{p}/img_{t:09}_BF_000.tif" for p in range(2) for t in range(3)]
    folder = _write(tmp_path / "p", positions)
    assert "2 positions" in open_stack(folder).notes[0]
    second = open_stack(folder, position=1)
    np.testing.assert_array_equal(np.asarray(second.data)[:, 0, 0], [3, 4, 5])


def test_folders_of_time_points_are_one_movie(tmp_path: Path) -> None:
    names = [f"TimePoint_{t}/p_A01_s1_w1.TIF" for t in (1, 2, 10)]
    stack = open_stack(_write(tmp_path, names))
    assert np.asarray(stack.data)[:, 0, 0].tolist() == [0, 1, 2]
    assert "3, 4, 5" in stack.notes[0]


def test_a_folder_of_folders_names_those_with_frames(tmp_path: Path) -> None:
    _write(tmp_path, ["day1/t0.tif", "day2/t0.tif"])
    with pytest.raises(ImageFileError, match=r"one of its folders \(day1, day2\)"):
        open_stack(tmp_path)


def test_brackets_in_the_folder_of_a_pattern_are_letters(tmp_path: Path) -> None:
    folder = _write(tmp_path / "movie [1]", [f"t{i}.tif" for i in range(3)])
    assert open_stack(f"{folder}/*.tif").shape == (3, 8, 9)
    tifffile.imwrite(tmp_path / "a[1].tif", np.zeros((8, 9), np.uint8))
    assert open_stack(tmp_path / "a[1].tif").name == "a[1]"


@pytest.mark.parametrize(("last", "is_said"), [(349, False), (351, True)])
def test_times_of_day_may_vary_by_half_of_the_shortest_step(last: int, is_said: bool) -> None:
    times = [Fraction(100), Fraction(200), Fraction(last)]
    words = {("t", time): str(time) for time in times}
    grid = PlaneGrid("t", {"t": [(time,) for time in times]}, words, {})
    assert bool(gap_notes(grid, (3,))) is is_said


@pytest.mark.parametrize(("count", "axes"), [(12, "c"), (13, "t")])
def test_a_microscope_has_at_most_twelve_channels(count: int, axes: str) -> None:
    assert _arranged([f"ch{i:03}.png" for i in range(count)])[0].axes == axes


@pytest.mark.parametrize(
    ("lights", "are_channels"),
    [((350, 1100), True), ((349, 561), False), ((488, 1101), False)],
)
def test_numbers_of_nanometres_are_channels_where_they_can_be_light(
    lights: tuple[int, int], are_channels: bool
) -> None:
    names = _names("t{t:03}_{c}nm.tif", t=T, c=lights)
    if are_channels:
        assert _arranged(names)[0].axes == "tc"
    else:
        with pytest.raises(AxesError, match="counters"):
            _arranged(names)


def test_all_wells_of_a_plate_are_positions() -> None:
    wells = [f"{row}{column:02}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
    series, _ = _arranged(_names("{well}_t{t}.tif", well=wells, t=T))
    assert (series.axes, series.shape) == ("t", (len(T),))
