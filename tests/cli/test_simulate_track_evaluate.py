"""``simulate``, ``track`` and ``evaluate``: outputs, and bad input answered in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.io import open_stack, write_image

Run = Callable[..., Any]

SMALL = ["--frames", 3, "--size", 64, "--count", 3]


def test_simulate_writes_the_scene_and_the_same_seed_gives_the_same(
    run: Run, tmp_path: Path
) -> None:
    result = run("simulate", "a", *SMALL, "--seed", 5)
    assert result.stdout.startswith("a: 3 frames, ")
    run("simulate", "b", *SMALL, "--seed", 5)
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {
        "bright_field.ome.tif",
        "fluorescence.ome.tif",
        "labels.ome.tif",
        "tracks.csv",
        "events.csv",
        "scene.json",
    }
    for name in names - {"scene.json"}:
        if name.endswith(".csv"):
            assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()
        else:
            first, second = open_stack(tmp_path / "a" / name), open_stack(tmp_path / "b" / name)
            np.testing.assert_array_equal(np.asarray(first.data), np.asarray(second.data))
            assert (first.pixel_size_um, first.frame_interval_s) == (0.08, 2.0)
    assert json.loads((tmp_path / "a" / "scene.json").read_text())["seed"] == 5


def test_simulate_replaces_nothing_unasked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "tracks.csv").write_text("mine")
    result = run("simulate", "a", *SMALL, code=2)
    assert "tracks.csv exists already" in result.stderr
    assert "--overwrite" in result.stderr
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["tracks.csv"]
    run("simulate", "a", *SMALL, "--overwrite")


@pytest.mark.parametrize(
    "options", [["--frames", 0], ["--size", 3], ["--count", -1], ["--pixel-size-um", 0]]
)
def test_simulate_refuses_what_cannot_be(run: Run, tmp_path: Path, options: list[object]) -> None:
    run("simulate", "a", *SMALL, *options, code=2)
    assert not list((tmp_path / "a").glob("*"))


def test_track_follows_labels(run: Run, labels: Path, tmp_path: Path) -> None:
    result = run("track", labels, "-o", "tracks.csv", "--labels-out", "by_track.ome.tif")
    assert "tracks.csv: 2 tracks, 0 fissions, 0 fusions" in result.stdout
    table = pd.read_csv(tmp_path / "tracks.csv")
    assert {"track_id", "frame", "y_um", "x_um", "label", "interpolated"} <= set(table)
    per_label = table.groupby("label")["track_id"].nunique()
    assert per_label.tolist() == [1, 1]
    second = table[table["label"] == 2].sort_values("frame")
    np.testing.assert_allclose(np.diff(second["x_um"]), 0.2, atol=1e-6)
    relabelled = open_stack(tmp_path / "by_track.ome.tif")
    assert relabelled.pixel_size_um == 0.1
    assert len(np.unique(np.asarray(relabelled.data))) == 3


def test_the_linker_that_was_asked_for_links_a_table(run: Run, tmp_path: Path) -> None:
    rows = [{"frame": t, "y_um": 1.0, "x_um": 0.1 * t} for t in range(3)]
    pd.DataFrame(rows).to_csv(tmp_path / "short.csv", index=False)
    result = run("track", "short.csv", "-o", "none.csv", "--min-length", 5)
    assert result.exit_code == 0, result.output
    assert pd.read_csv(tmp_path / "none.csv").empty


def test_track_links_a_table_of_detections(run: Run, tmp_path: Path) -> None:
    rows = [{"frame": t, "y_um": 5.0 * k, "x_um": 0.1 * t} for t in range(6) for k in range(3)]
    pd.DataFrame(rows).to_csv(tmp_path / "detections.csv", index=False)
    result = run("track", "detections.csv", "-o", "tracks.csv", "--search-radius-um", 1)
    assert "3 tracks" in result.stdout


def test_track_says_when_units_are_unknown(run: Run, tmp_path: Path) -> None:
    movie = np.zeros((3, 20, 20), np.int32)
    movie[:, 5:9, 5:9] = 1
    write_image(tmp_path / "bare.ome.tif", movie, axes="tyx")
    result = run("track", "bare.ome.tif", "-o", "tracks.csv")
    assert "the pixel size is unknown; positions and speeds are in pixels" in result.stderr


def test_track_refuses_what_it_cannot_use(run: Run, labels: Path, tmp_path: Path) -> None:
    assert "nothing.csv does not exist" in run("track", "nothing.csv", "-o", "t.csv", code=2).stderr
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    result = run("track", "bad.csv", "-o", "t.csv", code=2)
    assert "y_um" in result.stderr
    (tmp_path / "empty.csv").write_text("")
    assert "is no table" in run("track", "empty.csv", "-o", "t.csv", code=2).stderr
    volume = np.zeros((2, 3, 20, 20), np.int32)
    write_image(tmp_path / "volume.ome.tif", volume, axes="tzyx")
    result = run("track", "volume.ome.tif", "-o", "t.csv", "--z-plane", "3", code=2)
    assert "no plane 3" in result.stderr
    write_image(tmp_path / "float.ome.tif", np.zeros((2, 20, 20), "f4"), axes="tyx")
    assert "float32" in run("track", "float.ome.tif", "-o", "t.csv", code=2).stderr
    write_image(tmp_path / "other.ome.tif", np.zeros((5, 9, 9), "u2"), axes="tyx")
    result = run("track", labels, "-o", "t.csv", "--intensity", "other.ome.tif", code=2)
    assert "expected the same" in result.stderr
    assert not (tmp_path / "t.csv").exists()


def test_an_output_never_replaces_its_input(run: Run, labels: Path) -> None:
    before = labels.read_bytes()
    result = run("track", labels, "-o", labels, "--overwrite", code=2)
    assert "is the input itself" in result.stderr
    assert labels.read_bytes() == before


def test_evaluate_scores_every_frame_beside_baselines(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(100, 20, (3, 32, 32)).astype("f4")
    write_image(tmp_path / "truth.ome.tif", truth, axes="tyx", pixel_size_um=0.08)
    noisy = truth + rng.normal(0, 20, truth.shape).astype("f4")
    write_image(tmp_path / "stain.ome.tif", noisy, axes="tyx", pixel_size_um=0.08)
    result = run("evaluate", "stain.ome.tif", "truth.ome.tif", "-o", "report")
    assert "mean of 3 frames: band-pass Pearson 0.698, Pearson 0.704, SSIM" in result.stdout
    table = pd.read_csv(tmp_path / "report" / "metrics.csv")
    assert len(table) == 3
    expected = np.corrcoef(noisy[1].ravel(), truth[1].ravel())[0, 1]
    assert table["pearson"][1] == pytest.approx(expected, abs=1e-6)
    assert "<html" in (tmp_path / "report" / "report.html").read_text()
    assert (
        "exists already"
        in run("evaluate", "stain.ome.tif", "truth.ome.tif", "-o", "report", code=2).stderr
    )


def test_evaluate_refuses_unlike_movies(run: Run, tmp_path: Path, movie: Path) -> None:
    write_image(tmp_path / "short.ome.tif", np.zeros((2, 40, 48), "f4"), axes="tyx")
    result = run("evaluate", "short.ome.tif", movie, "-o", "report", code=2)
    assert "expected the same" in result.stderr
    assert not (tmp_path / "report" / "metrics.csv").exists()


@pytest.mark.parametrize("form", ["csv", "trackmate", "geff"])
def test_every_format_comes_back_with_the_same_tracks(
    run: Run, labels: Path, tmp_path: Path, form: str
) -> None:
    from napari_virtualstain import Tracks

    if form == "geff":
        pytest.importorskip("geff")
    run("track", labels, "-o", f"out.{form}", "--format", form)
    back = getattr(Tracks, f"from_{form}")(tmp_path / f"out.{form}")
    assert len(back) == 2
    assert len(back.table) == 10


def test_the_challenge_layout_has_masks_by_track(run: Run, labels: Path, tmp_path: Path) -> None:
    run("track", labels, "-o", "ctc", "--format", "ctc")
    lines = (tmp_path / "ctc" / "res_track.txt").read_text().splitlines()
    assert [line.split()[1:3] for line in lines] == [["0", "4"], ["0", "4"]]
    masks = sorted((tmp_path / "ctc").glob("mask*.tif"))
    assert len(masks) == 5
    truth, mask = np.asarray(open_stack(labels).data[2]), np.asarray(open_stack(masks[2]).data)
    np.testing.assert_array_equal(mask > 0, truth > 0)


@pytest.mark.parametrize("name", ["--intensity", "--uncertainty", "--labels-out"])
def test_a_table_of_detections_is_linked_alone(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "d.csv").write_text("frame,y_um,x_um\n0,1,1\n1,1,1\n")
    result = run("track", "d.csv", "-o", "t.csv", name, "other.ome.tif", code=2)
    assert "d.csv is a table of detections" in result.stderr
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize(("given", "interval_s"), [([], 1.0), (["--frame-interval-s", 5], 5.0)])
def test_the_frame_interval_of_a_table_is_a_second_unless_given(
    run: Run, tmp_path: Path, given: list[object], interval_s: float
) -> None:
    rows = "".join(f"{t},1,{0.1 * t}\n" for t in range(4))
    (tmp_path / "d.CSV").write_text(f"frame,y_um,x_um\n{rows}")
    run("track", "d.CSV", "-o", "t.csv", *given)
    assert vs.Tracks.from_csv(tmp_path / "t.csv").frame_interval_s == interval_s


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        ({"pixel_size_um": 0.1}, ["the frame interval is unknown; positions and speeds are in fr"]),
        ({"frame_interval_s": 2.0}, ["the pixel size is unknown; positions and speeds are in pi"]),
        ({"pixel_size_um": 0.1, "frame_interval_s": 2.0}, []),
    ],
)
def test_only_what_is_unknown_is_warned_of(
    run: Run, tmp_path: Path, geometry: dict[str, float], said: list[str]
) -> None:
    movie = np.zeros((3, 20, 20), np.int32)
    movie[:, 5:9, 5:9] = 1
    write_image(tmp_path / "l.ome.tif", movie, axes="tyx", **geometry)
    lines = run("track", "l.ome.tif", "-o", "t.csv").stderr.splitlines()
    unknown = [line.removeprefix("Warning: ") for line in lines if "is unknown" in line]
    assert [line[: len(said[0])] for line in unknown] == said
