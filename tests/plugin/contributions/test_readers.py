from __future__ import annotations

import functools
import hashlib
import http.server
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.layers import Image, Tracks

from napari_virtualstain import simulate
from napari_virtualstain.errors import AxesError, InputError
from napari_virtualstain.io import Stack, write_image
from napari_virtualstain.plugin.contributions.download import fetch_h9c2_pairs, registry
from napari_virtualstain.plugin.contributions.readers import get_reader, read_time_lapse
from napari_virtualstain.plugin.contributions.samples import SCENE, simulated_time_lapse
from napari_virtualstain.plugin.contributions.writers import write_csv
from napari_virtualstain.plugin.layers.description import axes_of, sampling_of
from napari_virtualstain.plugin.layers.from_stack import (
    contrast_limits,
    role_of,
    stack_to_layers,
)
from napari_virtualstain.plugin.load.remembered import remember


def _movie(path: Path, **settings: Any) -> np.ndarray:
    movie = np.random.default_rng(0).integers(0, 4000, (4, 32, 40)).astype(np.uint16)
    write_image(path, movie, axes="tyx", pixel_size_um=0.1, frame_interval_s=3.0, **settings)
    return movie


@pytest.mark.parametrize("name", ["movie.ome.tif", "movie.ome.zarr"])
def test_files_become_lazy_layers_with_their_geometry(tmp_path: Path, name: str) -> None:
    movie = _movie(tmp_path / name)
    reader = get_reader(str(tmp_path / name))
    assert reader is not None
    [(data, settings, kind)] = reader(str(tmp_path / name))
    assert kind == "image"
    assert hasattr(data, "dask")
    layer = Image(data, **settings)
    assert axes_of(layer) == "tyx"
    assert sampling_of(layer).pixel_size_um == pytest.approx(0.1)
    assert sampling_of(layer).frame_interval_s == pytest.approx(3.0)
    np.testing.assert_array_equal(np.asarray(layer.data), movie)


def test_two_channels_become_two_layers(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 99, (3, 2, 32, 40)).astype(np.uint16)
    path = tmp_path / "pair.ome.tif"
    write_image(path, data, axes="tcyx", pixel_size_um=0.1, channel_names=["BF", "mCherry"])
    reader = get_reader(str(path))
    assert reader is not None
    layers = reader(str(path))
    assert [settings["name"] for _, settings, _ in layers] == ["pair BF", "pair mCherry"]
    assert layers[1][1]["colormap"] == "magenta"
    for channel, (lazy, _, _) in enumerate(layers):
        np.testing.assert_array_equal(np.asarray(lazy), data[:, channel])


def test_what_is_no_time_lapse_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert get_reader([]) is None
    assert get_reader(str(tmp_path / "empty")) is None
    assert get_reader(str(tmp_path / "notes.txt")) is None


def test_display_limits_read_one_plane_only() -> None:
    import dask.array as da

    read: list[Any] = []

    def block(block_info: Any = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"])
        return np.full((1, 16, 16), float(block_info[None]["chunk-location"][0]))

    lazy = da.map_blocks(block, chunks=((1,) * 9, (16,), (16,)), dtype=float)
    contrast_limits(lazy)
    assert read == [(4, 0, 0)]


def test_a_constant_or_empty_plane_has_display_limits() -> None:
    for plane in (np.zeros((1, 4, 4)), np.full((1, 4, 4), np.nan), np.full((1, 4, 4), 65535)):
        low, high = contrast_limits(plane)
        assert low < high


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Bright field", "bright_field"),
        ("BF", "bright_field"),
        ("POL", "bright_field"),
        ("mCherry-OMP25", "fluorescence"),
        ("FITC", "fluorescence"),
        ("channel 0", ""),
    ],
)
def test_roles_are_read_from_channel_names(name: str, role: str) -> None:
    assert role_of(name) == role


def test_a_folder_s_corrections_hold_for_files_that_are_dropped_too(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    remember(tmp_path, {"axes": "zyx", "pixel_size_um": 0.065, "frame_interval_s": 3.0})
    [(_, settings, _)] = read_time_lapse(str(tmp_path / "a.tif"))
    np.testing.assert_allclose(settings["scale"], (3.0, 0.065, 0.065))
    assert settings["axis_labels"] == ("t", "y", "x")


def test_tracks_are_written_as_csv_with_physical_positions(tmp_path: Path) -> None:
    data = np.array([[1, 0, 10, 20], [1, 1, 11, 22], [2, 1, 5, 5], [3, 2, 8, 9]], float)
    layer = Tracks(
        data,
        scale=(2.0, 0.1, 0.1),
        units=("s", "um", "um"),
        graph={3: [1, 2]},
        features={"quality": [0.9, 0.8, 0.7, 0.6]},
    )
    path = tmp_path / "tracks.csv"
    assert write_csv(str(path), *layer.as_layer_data_tuple()[:2]) == [str(path)]
    table = pd.read_csv(path, dtype={"parents": str})
    assert list(table["track_id"]) == [1, 1, 2, 3]
    np.testing.assert_allclose(table["y_um"], [1.0, 1.1, 0.5, 0.8])
    assert table["parents"].iloc[-1] == "1;2"
    np.testing.assert_allclose(table["quality"], [0.9, 0.8, 0.7, 0.6])


def test_the_simulated_sample_opens_at_once_and_needs_no_network() -> None:
    layers = simulated_time_lapse()
    assert [kind for _, _, kind in layers] == ["image", "image", "labels"]
    assert layers[0][0].shape == (20, 256, 256)
    assert (SCENE["frames"], SCENE["size"]) == (20, 256)  # of which it was made
    assert layers[0][1]["units"] == ("second", "micrometer", "micrometer")


@pytest.mark.slow
def test_the_stored_sample_is_the_simulated_scene() -> None:
    """Run ``recipes/simulated_sample.py`` again where the simulation has changed."""
    scene = simulate(**{**SCENE, "frames": 2})
    bright, glow, truth = (data for data, _, _ in simulated_time_lapse())
    np.testing.assert_array_equal(bright[:2], scene.bright_field)
    np.testing.assert_array_equal(glow[:2], scene.fluorescence)
    np.testing.assert_array_equal(truth[:2], scene.labels)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


def test_the_pairs_come_from_a_pinned_place_with_checksums(tmp_path: Path) -> None:
    """A local folder stands for the repository; the real addresses are only looked at."""
    source, checksums = tmp_path / "source", {}
    for folder in ("train_A", "train_B"):
        (source / folder).mkdir(parents=True)
        for number in range(2):
            path = source / folder / f"{number}.png"
            path.write_bytes(bytes([number]) * 100)
            checksums[f"{folder}/{number}.png"] = hashlib.sha256(path.read_bytes()).hexdigest()
    handler = functools.partial(_QuietHandler, directory=str(source))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        folder = fetch_h9c2_pairs(tmp_path / "cache", base_url=address, checksums=checksums)
        (source / "train_A" / "0.png").write_bytes(b"something else")
        with pytest.raises(InputError, match="hash of downloaded file"):
            fetch_h9c2_pairs(tmp_path / "other", base_url=address, checksums=checksums)
        server.shutdown()
    assert sorted(os.listdir(folder / "bright_field")) == ["0.png", "1.png"]


def test_the_list_of_pairs_is_one_cell() -> None:
    known = registry()
    bright = {Path(path).name for path in known if path.startswith("train_A/")}
    glowing = {Path(path).name for path in known if path.startswith("train_B/")}
    assert bright == glowing
    assert len(bright) == 17
    assert all("TL_012" in name for name in bright)
    assert all(len(checksum) == 64 for checksum in known.values())


def test_without_a_network_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pooch

    def refuse(*_: Any, **__: Any) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    with pytest.raises(InputError, match=r"Connect to the internet.*needs no network"):
        fetch_h9c2_pairs(tmp_path)


def test_the_sample_of_real_cells_opens_with_its_truth_and_says_its_honest_score(
    real_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The score is that of the fold without this cell, as the evidence has it."""
    from napari.utils.notifications import notification_manager

    from napari_virtualstain.plugin.contributions import download, samples

    for name in ("bright_field", "fluorescence"):
        (tmp_path / name).mkdir()
        for file in real_data("h9c2_pairs", name).glob("*TL_012*.png"):
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(download, "fetch_h9c2_pairs", lambda: tmp_path)
    opened = samples.h9c2_pairs()
    assert [looks["name"] for _, looks, _ in opened] == ["H9c2 bright-field", "H9c2 fluorescence"]
    assert [data.shape for data, _, _ in opened] == [(17, 256, 256)] * 2
    said = notification_manager.records[-1].message
    evidence = Path(__file__).parents[3] / "docs" / "evidence" / "models.md"
    rows = evidence.read_text(encoding="utf-8").splitlines()
    row = next(line for line in rows if line.startswith("| without TL_012"))
    cells = [cell.strip() for cell in row.split("|")]
    pearson, band_pass = float(cells[3]), float(cells[4])
    light, light_band = (float(value) for value in cells[8].split("/"))
    expected = f"Pearson {pearson:.2f} ({light:.2f}), band-pass Pearson {band_pass:.2f} "
    assert f"{expected}({light_band:.2f})" in said


def test_axes_that_nobody_knows_are_asked_for_in_the_dock(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 2, 2, 32, 40), np.uint8))
    with pytest.raises(AxesError) as caught:
        read_time_lapse(str(tmp_path / "a.tif"))
    said = str(caught.value)
    assert "for instance axes='tczyx' (Axes of the dock Load time-lapse): t time" in said
    assert "--" not in said


def test_only_movies_and_folders_of_images_are_taken(tmp_path: Path) -> None:
    movie, notes = tmp_path / "a.TIF", tmp_path / "notes.txt"
    write_image(tmp_path / "a.ome.tif", np.zeros((2, 8, 9), "u2"), axes="tyx").rename(movie)
    notes.write_text("")
    frames, table = tmp_path / "frames", tmp_path / "masks"
    for folder, name in ((frames, "0.PNG"), (table, "mask000.tif")):
        folder.mkdir()
        (folder / "notes.txt").write_text("")
        assert get_reader(str(folder)) is None
        (folder / name).write_bytes(b"")
        assert get_reader(str(folder)) is read_time_lapse
    (table / "res_track.txt").write_text("")  # tracks, which have a reader of their own
    assert get_reader(str(table)) is None
    assert get_reader([str(movie), str(notes)]) is None
    assert get_reader([str(movie), str(frames)]) is read_time_lapse
    assert len(read_time_lapse([str(movie), str(movie)])) == 2


def test_a_sample_that_is_incomplete_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.plugin.contributions import download, samples

    (tmp_path / "bright_field").mkdir()
    tifffile.imwrite(tmp_path / "bright_field" / "0.tif", np.zeros((8, 9), np.uint8))
    monkeypatch.setattr(download, "fetch_h9c2_pairs", lambda: tmp_path)
    with pytest.raises(InputError):
        samples.h9c2_pairs()
    monkeypatch.setattr(samples, "SAMPLE", tmp_path / "none.npz")
    with pytest.raises(InputError, match="cannot be read: install it again"):
        simulated_time_lapse()


@pytest.mark.parametrize(
    ("visible", "active", "chosen"),
    [
        ((True, False), 1, 0),
        ((True, True), 1, 1),
        ((True, True), 0, 0),
        ((False, False), 1, 1),
        ((True, False), None, None),
    ],
)
def test_of_a_sample_no_hidden_layer_stays_active(
    qtbot: Any,
    viewer_model: Any,
    monkeypatch: pytest.MonkeyPatch,
    visible: tuple[bool, bool],
    active: int | None,
    chosen: int | None,
) -> None:
    from napari_virtualstain.plugin.contributions import samples

    monkeypatch.setattr(samples.napari, "current_viewer", lambda: viewer_model)
    samples._choose_visible_soon()
    for shown in visible:
        viewer_model.add_image(np.zeros((4, 4)), visible=shown)
    layers = viewer_model.layers
    layers.selection.active = None if active is None else layers[active]
    qtbot.wait(20)
    assert layers.selection.active is (None if chosen is None else layers[chosen])


@pytest.mark.parametrize(("letters", "shown"), [(160, 160), (161, 160)])
def test_long_reasons_of_a_failed_download_are_cut(letters: int, shown: int) -> None:
    from napari_virtualstain.plugin.contributions.download import _advice

    said = _advice("train_A/0.png", Path("cache"), OSError("x" * letters + "\nmore"))
    assert f"0.png could not be downloaded (OSError: {'x' * shown}). Connect" in said


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, [("cell", "gray")]),
        (("BF", ""), [("cell BF", "gray"), ("cell channel 1", "gray")]),
        (("", "GFP"), [("cell channel 0", "gray"), ("cell GFP", "magenta")]),
    ],
)
def test_layers_have_the_names_and_colours_of_their_channels(
    names: tuple[str, ...] | None, expected: list[tuple[str, str]]
) -> None:
    shape, axes = ((2, 8, 9), "tyx") if names is None else ((2, 2, 8, 9), "tcyx")
    stack = Stack(np.zeros(shape), axes, name="cell", channel_names=names or (), notes=("guessed",))
    made = [Image(data, **settings) for data, settings, _ in stack_to_layers(stack)]
    assert [(layer.name, layer.colormap.name) for layer in made] == expected
    assert all(layer.metadata["virtualstain"]["notes"] == ["guessed"] for layer in made)
    blending = [layer.blending == "additive" for layer in made]
    assert blending == [colour == "magenta" for _, colour in expected]
    nameless = Stack(np.zeros((2, 8, 9)), "tyx")
    [(_, settings, _)] = stack_to_layers(nameless)
    assert settings["name"] == "time-lapse"
    assert "notes" not in settings["metadata"]["virtualstain"]
