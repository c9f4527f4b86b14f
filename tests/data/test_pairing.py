"""Pairs from folders, patterns, lists and stacks, and every way they can be wrong."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_virtualstain import io
from napari_virtualstain.data import CorrelativePairs, Region, match_pairs
from napari_virtualstain.data.pairing import _joined
from napari_virtualstain.errors import AxesError, InputError
from napari_virtualstain.progress import CancelledError, CancelToken


def _write(folder: Path, names: list[str], seed: int, shape=(24, 32), dtype="uint8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for name in names:
        tifffile.imwrite(folder / name, rng.integers(0, 200, shape).astype(dtype))
    return folder


def test_folders_are_paired_by_name_and_grouped(tmp_path: Path) -> None:
    names = [f"c{c}_t{t:03d}.tif" for c in (1, 2) for t in range(3)]
    mixed = [names[i] for i in (3, 0, 5, 1, 4, 2)]
    bf = _write(tmp_path / "bf", mixed, 0)
    fl = _write(tmp_path / "fl", mixed[::-1], 1)
    pairs = match_pairs(bf, fl, pixel_size_um=0.08)
    assert [f"{name}.tif" for name in pairs.names] == names
    assert pairs.group_names == ("c1", "c2")
    assert pairs.pixel_size_um == 0.08
    for name, image in zip(pairs.names, pairs.fluorescence, strict=True):
        np.testing.assert_array_equal(image, tifffile.imread(fl / f"{name}.tif"))
    assert "6 pairs matched" in pairs.notes[0]
    by_pattern = match_pairs(str(bf / "*_t00*.tif"), str(fl / "*.tif"), group_by=r"t\d+")
    assert by_pattern.group_names == ("t000", "t001", "t002")


def test_folders_of_folders_tell_cells_apart(tmp_path: Path) -> None:
    for cell in ("a", "b"):
        _write(tmp_path / "bf" / cell, ["001.tif", "002.tif"], 0)
        _write(tmp_path / "fl" / cell, ["001.tif", "002.tif"], 1)
    pairs = match_pairs(tmp_path / "bf", tmp_path / "fl")
    assert len(pairs) == 4
    assert len(pairs.group_names) == 2


def test_csv_lists_pairs_and_groups(tmp_path: Path) -> None:
    _write(tmp_path, ["x.tif", "y.tif", "p.tif", "q.tif"], 3)
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["bright_field", "fluorescence", "group"]])
        writer.writerows([["x.tif", "q.tif", "one"], ["y.tif", "p.tif", "two"]])
    pairs = match_pairs(tmp_path / "list.csv")
    assert pairs.groups == ("one", "two")
    np.testing.assert_array_equal(pairs.fluorescence[0], tifffile.imread(tmp_path / "q.tif"))


def test_one_fluorescence_image_belongs_to_the_middle_of_its_stack(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 9000, (5, 24, 32)).astype("uint16")
    tifffile.imwrite(tmp_path / "bf.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    _write(tmp_path, ["fl.tif"], 1)
    pairs = match_pairs(tmp_path / "bf.tif", tmp_path / "fl.tif", planes=3, plane_axis="z")
    assert len(pairs) == 1
    np.testing.assert_array_equal(pairs.bright_field[0], stack[1:4])
    assert "middle plane" in pairs.notes[0]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "bright_field,fluorescence\nno.tif,no.tif\n"])
def test_bad_csv_says_what_is_expected(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match=r"bright_field|no file"):
        match_pairs(tmp_path / "list.csv")


def test_two_channel_stack_gives_one_pair_a_plane(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 99, (3, 2, 24, 32)).astype("uint16")
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, data, metadata={"axes": "TCYX"})
    pairs = match_pairs(path)
    assert len(pairs) == 3
    assert pairs.names[1] == "movie_t001"
    assert len(set(pairs.groups)) == len(set(pairs.movies)) == 1
    np.testing.assert_array_equal(pairs.bright_field[2][0], data[2, 0])
    np.testing.assert_array_equal(pairs.fluorescence[2], data[2, 1])
    swapped = match_pairs(path, bright_field_channel=1, fluorescence_channel=0)
    np.testing.assert_array_equal(swapped.fluorescence[2], data[2, 0])


@pytest.mark.parametrize("option", ["bright_field_channel", "fluorescence_channel"])
def test_a_channel_that_a_grey_file_lacks_is_refused(tmp_path: Path, option: str) -> None:
    for name in ("bf", "fl"):
        _write(tmp_path, [f"{name}.tif"], 1)
    files = (tmp_path / "bf.tif", tmp_path / "fl.tif")
    assert len(match_pairs(*files, **{option: 0})) == 1
    with pytest.raises(AxesError, match="'GFP' was asked for but .* has one channel only"):
        match_pairs(*files, **{option: "GFP"})


def test_neighbouring_planes_are_read_and_repeat_at_the_ends(tmp_path: Path) -> None:
    data = np.arange(5)[:, None, None] + np.zeros((5, 20, 20))
    for name in ("bf", "fl"):
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif", data.astype("uint8"), metadata={"axes": "ZYX"}
        )
    files = (tmp_path / "bf.ome.tif", tmp_path / "fl.ome.tif")
    pairs = match_pairs(*files, planes=3, plane_axis="z", plane_step=2)
    assert [[int(p[0, 0]) for p in stack] for stack in pairs.bright_field] == [
        [0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 4], [2, 4, 4],
    ]  # fmt: skip
    with pytest.raises(InputError, match="planes along t"):
        match_pairs(*files, planes=3)


def test_z_stacks_are_read_with_neighbours_unless_one_plane_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(2):
        both = rng.integers(0, 200, (5, 2, 24, 32)).astype("uint16")
        path = tmp_path / f"s{index}.tif"
        tifffile.imwrite(path, both, imagej=True, metadata={"axes": "ZCYX"})
    usual = match_pairs(tmp_path, planes=None, plane_axis="z")
    assert usual.planes == 3
    assert "--planes 1" in " ".join(usual.notes)
    single = match_pairs(tmp_path, plane_axis="z")
    for index, planes in enumerate(usual.bright_field):
        np.testing.assert_array_equal(planes[1], single.bright_field[index][0])
    assert match_pairs(tmp_path, planes=None, plane_axis="t").planes == 1


def test_each_file_is_opened_once_and_the_shallowest_stack_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for index, depth in enumerate((5, 2)):
        both = rng.integers(0, 200, (depth, 2, 24, 32)).astype("uint16")
        path = tmp_path / f"s{index}.tif"
        tifffile.imwrite(path, both, imagej=True, metadata={"axes": "ZCYX"})
    opened: list[Path] = []
    original = io.open_stack
    monkeypatch.setattr(io, "open_stack", lambda p, **kw: (opened.append(p), original(p, **kw))[1])
    pairs = match_pairs(tmp_path, planes=None, plane_axis="z")
    assert len(opened) == len(set(opened)) == 2
    assert pairs.planes == 1
    single = match_pairs(tmp_path, plane_axis="z")
    for image, expected in zip(pairs.bright_field, single.bright_field, strict=True):
        np.testing.assert_array_equal(image, expected)


def test_an_unnamed_axis_is_what_the_partner_or_the_user_calls_it(tmp_path: Path) -> None:
    bf = _write(tmp_path / "bf", ["a.tif"], 0, (5, 24, 32))
    fl = tmp_path / "fl" / "a.tif"
    fl.parent.mkdir()
    stack = np.arange(5 * 24 * 32).reshape(5, 24, 32).astype("uint16")
    tifffile.imwrite(fl, stack, imagej=True, metadata={"axes": "ZYX"})
    assert match_pairs(bf, fl).names[3:] == ("a_z003", "a_z004")
    tifffile.imwrite(fl, stack)
    assert match_pairs(bf, fl).names[0] == "a_t000"
    assert "--axes zyx" in " ".join(match_pairs(bf, fl).notes)
    assert match_pairs(bf, fl, planes=3, plane_axis="z").names[0] == "a_z000"


def test_stacks_with_mere_numbers_are_told_apart_by_their_looks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 4000, (2, 3, 64, 64))
    later = cells[0] + rng.integers(0, 1000, (3, 64, 64))
    for index, stack in enumerate([*cells, later]):
        both = np.stack([stack, stack], 1).astype("uint16")
        path = tmp_path / f"{index:03d}.tif"
        tifffile.imwrite(path, both, imagej=True, metadata={"axes": "ZCYX"})
    pairs = match_pairs(tmp_path)
    assert pairs.groups == ("000",) * 3 + ("001",) * 3 + ("000",) * 3
    assert "do not look alike" in " ".join(pairs.notes)
    assert match_pairs(tmp_path, group_by=r"\d+").groups[-1] == "002"


def test_unlike_counts_stop_unless_ignoring_is_asked_for(tmp_path: Path) -> None:
    bf = _write(tmp_path / "bf", ["a.tif", "b.tif", "c.tif"], 0)
    fl = _write(tmp_path / "fl", ["a.tif", "b.tif"], 1)
    with pytest.raises(InputError, match=r"without partner: c\.tif"):
        match_pairs(bf, fl)
    pairs = match_pairs(bf, fl, unmatched="ignore")
    assert len(pairs) == 2
    assert "c.tif" in pairs.notes[0]


def test_unlike_sizes_name_both(tmp_path: Path) -> None:
    bf = _write(tmp_path / "bf", ["a.tif"], 0, (24, 32))
    fl = _write(tmp_path / "fl", ["a.tif"], 1, (24, 30))
    with pytest.raises(InputError, match=r"24 x 32 pixels.*24 x 30 pixels"):
        match_pairs(bf, fl)


def test_nothing_in_common_and_nothing_there(tmp_path: Path) -> None:
    bf = _write(tmp_path / "bf", ["a.tif", "b.tif"], 0)
    fl = _write(tmp_path / "fl", ["x.tif", "y.tif"], 0)
    with pytest.raises(InputError, match="No names match"):
        match_pairs(bf, fl)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="No bright-field image was found"):
        match_pairs(tmp_path / "empty", fl)
    with pytest.raises(InputError, match="one channel"):
        match_pairs(bf)


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    bf = _write(tmp_path / "bf", ["a.tif", "b.tif"], 0)
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        match_pairs(bf, bf, cancel=token)


def test_regions_cut_both_images_alike() -> None:
    images = np.random.default_rng(0).normal(size=(2, 20, 30))
    pairs = CorrelativePairs.from_arrays(images, images)
    parts = pairs.within([Region(2, 3, 12, 20), Region(0, 0, 5, 5, pair=1)])
    assert [image.shape for image in parts.fluorescence] == [(10, 17), (10, 17), (5, 5)]
    np.testing.assert_array_equal(parts.bright_field[1][0], parts.fluorescence[1])
    with pytest.raises(InputError, match="does not lie inside"):
        pairs.within([Region(0, 0, 21, 5)])


def test_arrays_must_agree() -> None:
    with pytest.raises(InputError, match="2 bright-field and 3 fluorescence"):
        CorrelativePairs.from_arrays(np.zeros((2, 8, 8)), np.zeros((3, 8, 8)))
    with pytest.raises(InputError, match="same field at the same size"):
        CorrelativePairs.from_arrays(np.zeros((2, 8, 8)), np.zeros((2, 8, 9)))
    stacks = CorrelativePairs.from_arrays(np.zeros((2, 3, 8, 8)), np.zeros((2, 8, 8)))
    assert stacks.planes == 3


def test_real_pairs_fall_into_the_six_known_positions(real_data) -> None:
    folder = real_data("h9c2_pairs")
    pairs = match_pairs(folder / "bright_field", folder / "fluorescence")
    counts = {group[-6:]: pairs.groups.count(group) for group in pairs.group_names}
    assert len(pairs) == 187
    assert sorted(counts.values()) == [8, 17, 17, 18, 51, 76]


@pytest.mark.parametrize(("other_um", "is_joined"), [(0.0815, True), (0.0817, False)])
def test_pixel_sizes_within_two_per_cent_are_one(other_um: float, is_joined: bool) -> None:
    images = np.random.default_rng(0).normal(size=(1, 8, 8))
    parts = [
        replace(CorrelativePairs.from_arrays(images, images), pixel_size_um=size_um)
        for size_um in (0.08, other_um)
    ]
    if is_joined:
        assert _joined(parts, ["a", "b"]).pixel_size_um == 0.08
    else:
        with pytest.raises(InputError, match=r"different pixel sizes \(0\.08 to 0\.0817"):
            _joined(parts, ["a", "b"])
