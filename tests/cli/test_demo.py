"""``demo``: everything on a simulated movie, scored and drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_virtualstain.cli.demo_scores import Demo, otsu_labels, score_demo

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
