"""Options of the commands, as the work behind them receives them; none is done here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs

Run = Callable[..., Any]
OPENED = ["--axes", "tyx", "--pixel-size-um", 0.2]
PLACE = ["--position", 1, "--frame-interval-s", 3]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How each input was asked for, by its path."""
    seen: dict[str, Any] = {}

    def open_input(path: str, _job: Any, **how: Any) -> vs.Stack:
        seen[str(path)] = {name: value for name, value in how.items() if value is not None}
        return vs.Stack(np.zeros((2, 8, 8), np.int32), "tyx", pixel_size_um=0.2, name=str(path))

    for command in ("stain", "segment", "track", "evaluate"):
        monkeypatch.setattr(f"napari_virtualstain.cli.{command}.open_input", open_input)
    return seen


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings and options of the work, by its name."""
    seen: dict[str, Any] = {}

    def note(name: str, result: Any = None) -> Any:
        def work(*values: Any, **options: Any) -> Any:
            seen[name] = SimpleNamespace(values=values, **options)
            return result

        return work

    tracks = vs.track(np.zeros((2, 8, 8), np.int32), pixel_size_um=0.1, frame_interval_s=1.0)
    for name, result in {
        "pipeline.stain_stack": None,
        "pipeline.segment_stack": None,
        "pipeline.measure_stack": pd.DataFrame({"label": [1, 2]}),
        "pipeline.track_stack": tracks,
        "pipeline.score_movie": SimpleNamespace(sentence="mean of 2 frames"),
        "pipeline.fit_of": None,
        "simulation.simulate": SimpleNamespace(
            save=note("save"), tracks=pd.DataFrame({"track_id": [1, 1, 2]}), events=[0]
        ),
    }.items():
        monkeypatch.setattr(f"napari_virtualstain.{name}", note(name.partition(".")[2], result))
    return seen


def test_stain(run: Run, opened: dict[str, Any], given: dict[str, Any]) -> None:
    result = run("stain", "a.tif", "-o", "v.ome.tif")
    usual = given["stain_stack"]
    assert (usual.uncertainty_out, usual.device, usual.tile, usual.scheduler) == (None,) * 4
    assert (usual.resume, usual.overwrite, opened) == (False, False, {"a.tif": {}})
    assert result.stdout == "v.ome.tif: virtual fluorescence\n"
    result = run(
        "stain", "a.tif", "-o", "v.ome.tif", "--model", "mito-h9c2", "--frames", "0:2",
        "--precision", "float32", "--average", "--temporal", 2, "--flat-field", "--device", "cpu",
        "--tile", 64, "--scheduler", "tcp://x", "--uncertainty", "u.ome.tif", "--overwrite",
        "--channel", "BF", *OPENED, *PLACE,
    )  # fmt: skip
    made = given["stain_stack"]
    _, out, settings = made.values
    assert (out, made.uncertainty_out) == (Path("v.ome.tif"), Path("u.ome.tif"))
    assert (made.device, made.tile, made.scheduler) == ("cpu", 64, "tcp://x")
    assert (made.resume, made.overwrite) == (False, True)
    expected = {
        "model": "mito-h9c2",
        "frames": "0:2",
        "precision": "float32",
        "average": True,
        "temporal": 2,
        "flat_field": True,
    }
    assert {name: getattr(settings, name) for name in expected} == expected
    assert given["fit_of"].values[1] == "mito-h9c2"
    assert opened["a.tif"] == {
        "axes": "tyx",
        "channel": "BF",
        "position": "1",
        "pixel_size_um": 0.2,
        "frame_interval_s": 3.0,
    }
    assert result.stdout.endswith("u.ome.tif: expected error\n")
    run("stain", "a.tif", "-o", "v.ome.tif", "--resume")
    assert given["stain_stack"].resume


def test_segment(run: Run, opened: dict[str, Any], given: dict[str, Any]) -> None:
    run("segment", "f.tif", "-o", "l.ome.tif")
    assert (given["segment_stack"].resume, given["segment_stack"].overwrite) == (False, False)
    assert "measure_stack" not in given
    result = run(
        "segment", "f.tif", "-o", "l.ome.tif", "--model", "mito-segment", "--threshold", 0.4,
        "--min-area-um2", 0.1, "--split", "log", "--width-um", 0.9, "--average",
        "--precision", "float32", "--measures", "m.csv", "--uncertainty", "u.tif",
        "--channel", 1, "--device", "cpu", "--overwrite", *OPENED, *PLACE,
    )  # fmt: skip
    made = given["segment_stack"]
    stack, out, settings = made.values
    assert (stack.name, out, made.device) == ("f.tif", Path("l.ome.tif"), "cpu")
    assert (made.resume, made.overwrite) == (False, True)
    expected = {
        "model": "mito-segment",
        "threshold": 0.4,
        "min_area_um2": 0.1,
        "split": "log",
        "width_um": 0.9,
        "average": True,
        "precision": "float32",
    }
    assert {name: getattr(settings, name) for name in expected} == expected
    measured = given["measure_stack"]
    assert measured.values[2] == Path("m.csv")
    assert (measured.uncertainty.name, measured.overwrite) == ("u.tif", True)
    assert result.stdout.endswith("m.csv: 2 measured\n")
    assert opened["f.tif"]["channel"] == "1"
    assert opened["f.tif"]["position"] == "1"
    assert (opened["f.tif"]["pixel_size_um"], opened["f.tif"]["frame_interval_s"]) == (0.2, 3.0)
    assert opened["u.tif"] == {"axes": "tyx"}
    run("segment", "f.tif", "-o", "l.ome.tif", "--resume")
    assert given["segment_stack"].resume


def test_track(run: Run, opened: dict[str, Any], given: dict[str, Any], tmp_path: Path) -> None:
    run("track", "l.tif", "-o", "t.csv")
    labels, brightness, doubt = given["track_stack"].values
    assert (labels.name, brightness, doubt) == ("l.tif", None, None)
    run(
        "track", "l.tif", "-o", "t.csv", "--intensity", "f.tif", "--uncertainty", "u.tif",
        "--linker", "trackpy", "--mode", "paper", "--max-gap", 1, "--search-radius-um", 0.7,
        "--min-length", 3, "--labels-out", "by.ome.tif", "--overwrite", *OPENED, *PLACE,
    )  # fmt: skip
    made = given["track_stack"]
    assert [stack.name for stack in made.values] == ["l.tif", "f.tif", "u.tif"]
    assert made.config.linker == "trackpy"
    assert (made.config.mode, made.config.max_gap) == ("paper", 1)
    assert (made.config.search_radius_um, made.config.min_length) == (0.7, 3)
    how = {"axes": "tyx", "position": "1", "pixel_size_um": 0.2, "frame_interval_s": 3.0}
    assert opened == {"l.tif": how, "f.tif": how, "u.tif": how}
    assert vs.open_stack(tmp_path / "by.ome.tif").shape == (2, 8, 8)
    options = ["--labels-out", "by.ome.tif"]
    assert "exists already" in run("track", "l.tif", "-o", "s.csv", *options, code=2).stderr
    assert not (tmp_path / "s.csv").exists()


def test_evaluate(run: Run, opened: dict[str, Any], given: dict[str, Any]) -> None:
    run("evaluate", "v.tif", "f.tif", "-o", "report")
    usual = given["score_movie"]
    assert (usual.bright_field, usual.data_range, usual.overwrite) == (None, None, False)
    result = run(
        "evaluate", "v.tif", "f.tif", "-o", "report", "--bright-field", "b.tif",
        "--predicted-channel", "a", "--reference-channel", "b", "--data-range", 255,
        "--overwrite", *OPENED,
    )  # fmt: skip
    made = given["score_movie"]
    predicted, reference, folder = made.values
    assert (predicted.name, reference.name, folder) == ("v.tif", "f.tif", Path("report"))
    assert (made.bright_field.name, made.data_range, made.overwrite) == ("b.tif", 255, True)
    how = {"axes": "tyx", "pixel_size_um": 0.2}
    assert opened["v.tif"] == {**how, "channel": "a"}
    assert opened["f.tif"] == {**how, "channel": "b"}
    assert opened["b.tif"] == {"axes": "tyx"}
    assert result.stdout.splitlines()[-1] == "mean of 2 frames"


def test_simulate(run: Run, given: dict[str, Any]) -> None:
    result = run("simulate", "scene")
    assert result.stdout == "scene: 20 frames, 2 tracks, 1 fissions and fusions\n"
    assert given["save"].overwrite is False
    run(
        "simulate", "scene", "--frames", 3, "--size", 64, "--count", 5, "--seed", 7,
        "--density", 2.5, "--pixel-size-um", 0.2, "--frame-interval-s", 4, "--overwrite",
    )  # fmt: skip
    made = vars(given["simulate"])
    expected = {
        "frames": 3,
        "size": 64,
        "count": 5,
        "seed": 7,
        "density": 2.5,
        "pixel_size_um": 0.2,
        "frame_interval_s": 4.0,
    }
    assert {name: made[name] for name in expected} == expected
    assert given["save"].values == (Path("scene"),)
    assert given["save"].overwrite is True


def test_demo(
    run: Run, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process(stack: Any, out: Path, settings: Any, **how: Any) -> None:
        given["process"] = SimpleNamespace(stack=stack, out=out, settings=settings, **how)

    demo = import_module("napari_virtualstain.cli.demo")
    monkeypatch.setattr("napari_virtualstain.pipeline.process_movie", process)
    monkeypatch.setattr("napari_virtualstain.io.open_stack", lambda path: Path(path).name)
    monkeypatch.setattr(demo, "_report", lambda *_: None)
    run("demo", "out")
    usual = given["process"]
    assert (usual.stack, usual.reference) == ("bright_field.ome.tif", "fluorescence.ome.tif")
    assert (usual.out, usual.device) == (Path("out"), None)
    assert (usual.settings.stain.model, usual.settings.segment.model) == (
        "mito-simulated",
        "mito-segment",
    )
    options = ["--frames", 3, "--size", 64, "--count", 2, "--seed", 5, "--overwrite"]
    run("demo", "out", *options, "--model", "mito-h9c2", "--segmenter", "mito-segment",
        "--device", "cpu")  # fmt: skip
    scene = vars(given["simulate"])
    assert [scene[name] for name in ("frames", "size", "count", "seed")] == [3, 64, 2, 5]
    assert given["save"].values == (Path("out") / "truth",)
    again = given["process"]
    assert (again.settings.stain.model, again.device, again.overwrite) == ("mito-h9c2", "cpu", True)


def test_train_on_simulated_pairs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def simulated(_job: Any, movie: str, config: Any, optics: Any, **how: Any) -> Any:
        seen.update(how, movie=movie, optics=optics)
        return "pairs", config

    train = import_module("napari_virtualstain.cli.train")
    monkeypatch.setattr(train, "simulated", simulated)
    monkeypatch.setattr(train, "_events", lambda *_, **__: iter(()))
    base = ["train", "--simulate-like", "m.tif", "-o", "m.safetensors"]
    run(*base)
    assert (seen["optics"], seen["number"], seen["movie"]) == ({}, 200, "m.tif")
    run(
        *base, "--na", 1.2, "--immersion-index", 1.33, "--emission-um", 0.6,
        "--illumination-um", 0.5, "--condenser-na", 0.4, "--focus-offset-um", 0,
        "--simulated-pairs", 30, "--bright-field-channel", 1, "--axes", "tyx",
        "--pixel-size-um", 0.2,
    )  # fmt: skip
    assert seen["optics"] == {
        "na": 1.2,
        "n_immersion": 1.33,
        "emission_um": 0.6,
        "illumination_um": 0.5,
        "condenser_na": 0.4,
        "bright_field_offset_um": 0.0,
    }
    assert (seen["number"], seen["channel"], seen["axes"]) == (30, "1", "tyx")
    assert seen["pixel_size_um"] == 0.2
