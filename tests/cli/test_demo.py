"""``demo``: everything on a simulated movie, scored and drawn."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_virtualstain.cli import demo_scores
from napari_virtualstain.cli.demo_scores import Demo, otsu_labels, score_demo
from napari_virtualstain.cli.running import Job
from napari_virtualstain.io import write_image

demo_module = import_module("napari_virtualstain.cli.demo")

Run = Callable[..., Any]


@pytest.mark.slow
def test_demo_writes_images_tables_scores_and_a_picture(
    run: Run, generator: Path, tmp_path: Path
) -> None:
    small = ["--frames", 3, "--size", 96, "--count", 4, "--model", generator]
    result = run("demo", "out", *small)
    folder = tmp_path / "out"
    assert "overview.png: look at this first" in result.stdout
    images = {"virtual_fluorescence.ome.tif", "labels.ome.tif", "overview.png"}
    tables = {"tracks.csv", "events.csv", "measures.csv", "metrics.csv", "scores.csv"}
    for name in images | tables | {"report.html", "settings.json", "view_in_napari.py"}:
        assert (folder / name).exists(), name
    picture = np.asarray(Image.open(folder / "overview.png"))
    assert picture.shape[0] > 900
    assert picture.shape[1] > 1300
    assert picture.std() > 20
    scores = pd.read_csv(folder / "scores.csv").set_index("what")
    assert len(scores) == 7
    assert scores["score"].between(-1, 1).all()
    metrics = pd.read_csv(folder / "metrics.csv")
    expected = metrics["pearson"].mean()
    np.testing.assert_allclose(scores.loc["Stain: Pearson", "score"], expected, atol=1e-6)
    compile((folder / "view_in_napari.py").read_text(), "view_in_napari.py", "exec")
    assert "holds a finished demo" in run("demo", "out", *small, code=2).stderr
    (folder / "overview.png").unlink()
    result = run("demo", "out", *small)
    assert "The simulated movie of the interrupted demo is used" in result.stderr


def test_demo_writes_into_no_folder_of_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    assert "photos is not empty" in run("demo", "photos", code=2).stderr
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_a_perfect_result_scores_one() -> None:
    import napari_virtualstain as vs

    scene = vs.simulate(frames=3, size=96, count=5, seed=2)
    perfect = Demo(
        bright_field=scene.bright_field,
        virtual=scene.fluorescence,
        fluorescence=scene.fluorescence,
        labels=scene.labels,
        true_labels=scene.labels,
        tracks=scene.tracks,
        true_tracks=scene.tracks,
        events=scene.events,
        true_events=scene.events,
        pixel_size_um=scene.pixel_size_um,
        frame_interval_s=scene.frame_interval_s,
    )
    scores = score_demo(perfect)
    np.testing.assert_allclose(scores["score"], 1.0, atol=1e-6)
    assert (scores["baseline_score"].fillna(0) < 1).all()


def test_otsu_labels_are_components_without_specks() -> None:
    movie = np.zeros((2, 30, 40))
    movie[0, 3:9, 3:9] = 1
    movie[0, 20:26, 20:30] = 1
    movie[0, 15, 30:37] = 1  # 7 pixels
    movie[1, 3:9, 3:9] = 1
    movie[1, 15, 30:38] = 1
    labels = otsu_labels(movie)
    assert sorted(np.unique(labels[0])) == [0, 1, 2]
    assert labels[0, 15, 35] == 0
    assert (labels[1, 15, 30:38] == 2).all()
    assert (labels[1] > 0).sum() == 36 + 8


def test_the_best_baseline_that_has_a_score_stands_beside_the_stain() -> None:
    means = pd.DataFrame(
        {
            "bandpass_pearson": [0.2, np.nan, np.nan],
            "pearson": [0.5, -0.5, -0.9],
            "ssim": [0.4, 0.6, np.nan],
            "mask_iou": [0.3, 0.1, 0.2],
        },
        index=["virtual stain", "bright-field", "best constant"],
    )
    rows = {row["what"].partition(": ")[2]: row for row in demo_scores._stain_rows(means)}
    assert [row["score"] for row in rows.values()] == [0.2, 0.5, 0.4, 0.3]
    rivals = [row["baseline"] for row in rows.values()]
    assert rivals == ["none", "bright-field", "bright-field", "best constant"]
    assert [row["baseline_score"] for row in rows.values()][1:] == [-0.5, 0.6, 0.2]
    assert np.isnan(next(iter(rows.values()))["baseline_score"])


def test_outlines_agree_by_the_share_of_their_pixels() -> None:
    truth = np.zeros((1, 20, 20), np.int32)
    truth[0, 5:10, 5:15] = 1
    known = SimpleNamespace(true_labels=truth)
    half = truth * (np.arange(20) < 10)
    assert demo_scores._outlines(half, known)["iou"] == 0.5
    none = SimpleNamespace(true_labels=np.zeros_like(truth))
    assert demo_scores._outlines(truth, none)["iou"] == 0
    assert np.isnan(demo_scores._outlines(np.zeros_like(truth), none)["iou"])


@pytest.mark.parametrize(
    ("shape", "geometry", "read"),
    [
        ((4, 5), {}, (1.0, 1.0)),
        ((3, 4, 5), {"pixel_size_um": 0.1, "frame_interval_s": 2.0}, (0.1, 2.0)),
    ],
)
def test_a_demo_of_a_single_frame_is_a_movie_too(
    tmp_path: Path, shape: tuple[int, ...], geometry: dict[str, float], read: tuple[float, float]
) -> None:
    (tmp_path / "truth").mkdir()
    images = ("truth/bright_field", "truth/fluorescence", "truth/labels")
    for name in (*images, "virtual_fluorescence", "labels"):
        axes = "tyx"[-len(shape) :]
        write_image(tmp_path / f"{name}.ome.tif", np.ones(shape, "u2"), axes=axes, **geometry)
    for name in ("tracks", "events", "truth/tracks", "truth/events"):
        (tmp_path / f"{name}.csv").write_text("frame\n0\n")
    found = Demo.read(tmp_path)
    assert found.virtual.shape == found.true_labels.shape == ((1, 4, 5) if not geometry else shape)
    assert (found.pixel_size_um, found.frame_interval_s) == read


def test_the_result_is_opened_only_when_asked_and_where_napari_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in ("_settings", "_check_folder", "_simulate", "_process", "_report"):
        monkeypatch.setattr(demo_module, step, lambda *_: None)
    opened: list[Any] = []
    monkeypatch.setattr(
        demo_module.subprocess, "run", lambda command, check: opened.append((command[1], check))
    )
    run("demo", "out")
    assert opened == []
    monkeypatch.setattr(demo_module.importlib.util, "find_spec", lambda _: None)
    run("demo", "out")
    assert "--view needs napari" in run("demo", "out", "--view", code=2).stderr
    assert opened == []
    monkeypatch.setattr(demo_module.importlib.util, "find_spec", lambda _: "there")
    run("demo", "out", "--view")
    assert opened == [(str(Path("out") / "view_in_napari.py"), False)]


def test_scores_are_said_beside_their_rivals_and_written_anew_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("Stain: Pearson", 0.61234, "blur", 0.4), ("Tracks", 1.0, "Otsu threshold", np.nan)]
    table = pd.DataFrame(rows, columns=["what", "score", "baseline", "baseline_score"])
    monkeypatch.setattr(demo_scores, "score_demo", lambda *_, **__: table)
    monkeypatch.setattr(Demo, "read", lambda _folder: None)
    monkeypatch.setattr(
        "napari_virtualstain.cli.overview.draw_overview",
        lambda _demo, _scores, path: path.write_bytes(b"picture"),
    )
    for seconds in (12.4, 12.6):
        demo_module._report(Job(), tmp_path, None, seconds)
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "Stain: Pearson  0.612   blur: 0.400"
        assert said[1] == "Tracks          1.000   Otsu threshold: nan"
        assert f"look at this first ({round(seconds)} s for the whole demo)" in said[2]
        assert (tmp_path / "overview.png").read_bytes() == b"picture"
        assert len(pd.read_csv(tmp_path / "scores.csv")) == 2
        (tmp_path / "scores.csv").write_text("of the demo before")
        (tmp_path / "overview.png").write_bytes(b"of the demo before")
