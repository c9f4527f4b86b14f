"""``run``: all steps, resumed at each and within each, many inputs, repeated from a file."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dask_cluster import local_cluster

import napari_virtualstain as vs
from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.io import open_stack, write_image
from napari_virtualstain.pipeline import PipelineSettings, process_movie, stages

Run = Callable[..., Any]
OUTPUTS = {
    "virtual_fluorescence.ome.tif",
    "uncertainty.ome.tif",
    "labels.ome.tif",
    "tracks.csv",
    "events.csv",
    "measures.csv",
    "settings.json",
    "run.json",
}


@pytest.fixture(scope="module")
def scene() -> vs.Scene:
    return vs.simulate(frames=4, size=64, count=4, seed=1)


@pytest.fixture
def bright_field(scene: vs.Scene, tmp_path: Path) -> Path:
    scale = {"pixel_size_um": 0.08, "frame_interval_s": 2.0}
    write_image(tmp_path / "truth.ome.tif", scene.fluorescence, axes="tyx", **scale)
    # what is stained is fluorescence here: a random network keeps its structures
    return write_image(tmp_path / "cell.ome.tif", scene.fluorescence, axes="tyx", **scale)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_run_does_all_steps_and_keeps_them(
    run: Run, bright_field: Path, generator: Path, tmp_path: Path
) -> None:
    arguments = ["run", bright_field, "-o", "out", "--model", generator]
    arguments += ["--reference", "truth.ome.tif"]
    result = run(*arguments)
    folder = tmp_path / "out" / "cell"
    names = {path.name for path in folder.iterdir()}
    assert names == OUTPUTS | {"metrics.csv", "summary.csv", "report.html"}
    assert "stain, segment, track, measure, evaluate" in result.stdout
    assert "mean of 4 frames: band-pass Pearson" in result.stdout
    # the card of this network does not say what it was made for
    assert "Fit frame by frame" not in result.stderr
    labels = np.asarray(open_stack(folder / "labels.ome.tif").data)
    measures = pd.read_csv(folder / "measures.csv")
    assert len(measures) == sum(len(np.unique(frame[frame > 0])) for frame in labels)
    tracks = vs.Tracks.from_csv(folder / "tracks.csv")
    assert tracks.pixel_size_um == 0.08
    assert measures["trust"].between(0, 1).all()
    assert tracks.table.loc[tracks.table["label"] > 0, "trust"].between(0, 1).all()
    assert set(measures["track_id"]) <= {*tracks.table["track_id"], -1}
    assert list(pd.read_csv(folder / "events.csv"))[:2] == ["kind", "frame"]
    before = _contents(folder)
    again = run(*arguments)
    assert "nothing left to do (done before: stain, segment, track" in again.stdout
    assert _contents(folder) == before


def test_the_fit_of_every_frame_is_said_and_noted(run: Run, tmp_path: Path) -> None:
    movie = vs.simulate(frames=3, size=256, count=12, seed=2).bright_field
    movie[1] = 500
    write_image(tmp_path / "cell.ome.tif", movie, axes="tyx", pixel_size_um=0.08)
    result = run("run", "cell.ome.tif", "-o", "out", "--model", "mito-simulated")
    noted = json.loads((tmp_path / "out" / "cell" / "run.json").read_text())["steps"]["stain"]
    assert "Frame 1 is red: The frame is constant" in noted["fit"]
    assert f"Fit frame by frame: {noted['fit']}" in result.stderr


def test_run_repeats_a_settings_file_exactly(
    run: Run, bright_field: Path, generator: Path, tmp_path: Path
) -> None:
    options = ["--threshold", 0.3, "--split", "none", "--max-gap", 1, "--frames", "0:3"]
    run("run", bright_field, "-o", "a", "--model", generator, *options)
    settings = json.loads((tmp_path / "a" / "cell" / "settings.json").read_text())
    assert settings["segment"]["threshold"] == 0.3
    assert settings["track"]["max_gap"] == 1
    run("run", bright_field, "-o", "b", "--config", "a/cell/settings.json")
    first, second = _contents(tmp_path / "a" / "cell"), _contents(tmp_path / "b" / "cell")
    for name in ("tracks.csv", "measures.csv", "settings.json"):
        assert first[name] == second[name], name
    for name in ("virtual_fluorescence.ome.tif", "labels.ome.tif"):
        images = [np.asarray(open_stack(tmp_path / f / "cell" / name).data) for f in "ab"]
        np.testing.assert_array_equal(*images)
    run("run", bright_field, "-o", "c", "--config", "a/cell/settings.json", "--threshold", 0.6)
    changed = json.loads((tmp_path / "c" / "cell" / "settings.json").read_text())
    assert changed["segment"] == {**settings["segment"], "threshold": 0.6}


def test_other_settings_do_not_replace_results_unasked(
    run: Run, bright_field: Path, generator: Path, tmp_path: Path
) -> None:
    run("run", bright_field, "-o", "out", "--model", generator)
    before = _contents(tmp_path / "out" / "cell")
    arguments = ["run", bright_field, "-o", "out", "--model", generator, "--threshold", 0.7]
    result = run(*arguments, code=2)
    assert "labels.ome.tif exists already, made from another input or with other" in result.stderr
    assert {**before, "settings.json": b""} == {
        **_contents(tmp_path / "out" / "cell"),
        "settings.json": b"",
    }
    result = run(*arguments, "--overwrite")
    assert "segment, track, measure (done before: stain)" in result.stdout


@pytest.mark.parametrize("step", ["segment_to_file", "track", "measure"])
def test_an_interruption_in_any_step_is_gone_on_from(
    run: Run,
    bright_field: Path,
    generator: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    home = {"segment_to_file": "segmentation", "track": "tracking", "measure": "segmentation"}[step]
    import importlib

    room = importlib.import_module(f"napari_virtualstain.{home}")
    work = getattr(room, step)

    def interrupted(*args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return work(*args, **options)

    arguments = ["run", bright_field, "-o", "out", "--model", generator]
    with monkeypatch.context() as patched:
        patched.setattr(room, step, interrupted)
        result = run(*arguments, code=130)
    assert "Interrupted. Finished results are kept; repeat the same command" in result.stderr
    result = run(*arguments)
    assert "done before: stain" in result.stdout
    assert {path.name for path in (tmp_path / "out" / "cell").iterdir()} == OUTPUTS


# one object, of which the finer pixels of the image show two parts
@pytest.mark.filterwarnings("ignore:The labels hold only")
def test_a_step_killed_within_keeps_its_planes(
    bright_field: Path, generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.errors import CancelledError
    from napari_virtualstain.progress import CancelToken, Progress

    token, seen = CancelToken(), []
    settings = PipelineSettings().model_validate({"stain": {"model": str(generator)}})

    def stop_after_two(progress: Progress) -> None:
        if progress.step == "segmenting" and progress.done == 2:
            token.cancel()

    stack = open_stack(bright_field)
    with pytest.raises(CancelledError):
        process_movie(stack, tmp_path / "o", settings, progress=stop_after_two, cancel=token)
    assert not (tmp_path / "o" / "labels.ome.tif").exists()
    journal = (tmp_path / "o" / "labels.ome.tif.partial.journal").read_text()
    assert len([line for line in journal.splitlines()[1:] if line]) >= 1

    def note(progress: Progress) -> None:
        seen.append((progress.step, progress.done))

    process_movie(stack, tmp_path / "o", settings, progress=note)
    assert ("segmenting", 1) not in seen
    assert ("segmenting", 4) in seen


def test_many_inputs_one_bad(run: Run, bright_field: Path, generator: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_text("no image")
    arguments = ["run", "bad.tif", bright_field, "-o", "out", "--model", generator]
    result = run(*arguments, code=2)
    assert "Error: bad.tif: bad.tif is of a format that is not known" in result.stderr
    assert "Error: 1 of 2 inputs failed: bad.tif." in result.stderr
    assert (tmp_path / "out" / "cell" / "tracks.csv").exists()


def test_inputs_of_one_name_get_folders_of_their_own(
    run: Run, bright_field: Path, generator: Path, tmp_path: Path
) -> None:
    for day in ("day1", "day2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "cell.ome.tif").write_bytes(bright_field.read_bytes())
    inputs = ["day1/cell.ome.tif", "day2/cell.ome.tif"]
    run("run", *inputs, "-o", "out", "--model", generator, "--frames", "0")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"day1_cell", "day2_cell", "movies.csv"}
    result = run("run", inputs[0], inputs[0], "-o", "out", "--model", generator, code=2)
    assert "given twice" in result.stderr


def test_references_must_fit_the_inputs(
    run: Run, bright_field: Path, generator: Path, tmp_path: Path
) -> None:
    two = ["--reference", "truth.ome.tif", "--reference", "truth.ome.tif"]
    result = run("run", bright_field, "-o", "out", *two, code=2)
    assert "2 references for 1 inputs" in result.stderr
    write_image(tmp_path / "short.ome.tif", np.zeros((2, 64, 64), "u2"), axes="tyx")
    result = run(
        "run", bright_field, "-o", "out", "--model", generator, "--reference", "short.ome.tif",
        code=2,
    )  # fmt: skip
    assert "expected the same" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "is no settings file"),
        ('{"segment": {"threshold": 7}}', "segment.threshold = 7: input should be less than"),
        ('{"segment": {"treshold": 0.5}}', "segment.treshold is no setting"),
        ('{"track": {"linker": "me"}}', "track.linker = 'me'"),
        ("[]", "cannot be used"),
    ],
)
def test_settings_files_that_cannot_be_used(
    run: Run, bright_field: Path, tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "s.json").write_text(content)
    result = run("run", bright_field, "-o", "out", "--config", "s.json", code=2)
    assert words in result.stderr
    result = run("run", bright_field, "-o", "out", "--config", "no.json", code=2)
    assert "no.json cannot be read" in result.stderr
    assert not (tmp_path / "out").exists()


def test_stacks_are_tracked_on_their_maximum(run: Run, generator: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "v.ome.tif", np.zeros((2, 3, 32, 32), "u2"), axes="tzyx")
    result = run("run", "v.ome.tif", "-o", "out", "--model", generator)
    assert "Tracks are of the" in result.stderr


def test_tracking_needs_the_same_shape(bright_field: Path, labels: Path) -> None:
    from napari_virtualstain.errors import InputError

    with pytest.raises(InputError, match="expected the same"):
        stages.track_stack(open_stack(labels), open_stack(bright_field))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # distributed warns of its own
def test_many_movies_are_stained_by_the_workers_of_a_cluster(
    run: Run, bright_field: Path, generator: Path, tmp_path: Path
) -> None:
    movies = [bright_field, tmp_path / "truth.ome.tif"]
    run("run", *movies, "-o", "here", "--model", generator)
    with local_cluster(2) as client:
        address = client.scheduler.address
        run("run", *movies, "-o", "there", "--model", generator, "--scheduler", address)
        stained = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert sum(stained.values()) >= 2 * 4
    for name in ("cell", "truth"):
        here, there = (_contents(tmp_path / place / name) for place in ("here", "there"))
        assert here.keys() == there.keys()
        for image in ("virtual_fluorescence.ome.tif", "labels.ome.tif"):
            pixels = (
                np.asarray(open_stack(tmp_path / p / name / image).data) for p in ("here", "there")
            )
            np.testing.assert_array_equal(*pixels)
        assert here["tracks.csv"] == there["tracks.csv"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a run would be begun with, and the outcomes that it will have."""
    seen: dict[str, Any] = {"errors": []}

    def begin(movies: Any, out: Path, settings: Any, **how: Any) -> Any:
        seen.update(how, movies=movies, settings=settings)
        for movie, error in zip(movies, seen["errors"], strict=False):
            if isinstance(error, CancelledError):
                raise error
            yield SimpleNamespace(movie=movie, result=None, error=error)

    monkeypatch.setattr("napari_virtualstain.pipeline.process_movies", begin)
    return seen


def test_options_of_a_run_reach_its_settings(
    run: Run, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("run", "a.tif", "-o", "out")
    assert asked["settings"] == PipelineSettings()
    assert (asked["device"], asked["tile"], asked["scheduler"]) == (None, None, None)
    assert not asked["overwrite"]
    assert asked["movies"][0].reference is None
    run(
        "run", "a.tif", "b.tif", "-o", "out", "--model", "m", "--precision", "float32",
        "--no-average", "--temporal", 2, "--flat-field", "--no-uncertainty", "--segmenter", "s",
        "--threshold", 0.4, "--min-area-um2", 0.1, "--split", "log", "--width-um", 0.9,
        "--linker", "trackpy", "--max-gap", 1, "--z-plane", "max", "--axes", "tyx",
        "--channel", 1, "--position", 2, "--pixel-size-um", 0.2, "--frame-interval-s", 3,
        "--frames", "0:2", "--device", "cpu", "--tile", 64, "--scheduler", "tcp://x",
        "--overwrite", "--reference", "r.tif", "--reference", "q.tif", "--reference-channel", "red",
    )  # fmt: skip
    expected = {
        "read": {"axes": "tyx", "pixel_size_um": 0.2, "frame_interval_s": 3.0},
        "stain": {
            "model": "m",
            "precision": "float32",
            "average": False,
            "temporal": 2,
            "flat_field": True,
            "uncertainty": False,
            "frames": "0:2",
        },
        "segment": {
            "model": "s",
            "threshold": 0.4,
            "min_area_um2": 0.1,
            "split": "log",
            "width_um": 0.9,
        },
        "track": {"linker": "trackpy", "max_gap": 1, "z_plane": "max"},
    }
    for step, values in expected.items():
        found = getattr(asked["settings"], step)
        assert {name: getattr(found, name) for name in values} == values
    assert (str(asked["settings"].read.channel), str(asked["settings"].read.position)) == ("1", "2")
    assert (asked["device"], asked["tile"], asked["scheduler"]) == ("cpu", 64, "tcp://x")
    assert asked["overwrite"]
    opened: dict[str, Any] = {}

    def open_input(path: str, _job: Any, **how: Any) -> vs.Stack:
        opened[path] = how
        return vs.Stack(np.zeros((2, 8, 8)), "tyx", pixel_size_um=0.2)

    monkeypatch.setattr("napari_virtualstain.cli.run.open_input", open_input)
    for movie in asked["movies"]:
        movie.open()
        movie.reference()
    chosen = {"axes": "tyx", "channel": "1", "position": "2"}
    assert opened["a.tif"] == {**chosen, "pixel_size_um": 0.2, "frame_interval_s": 3.0}
    assert opened["b.tif"] == opened["a.tif"]
    assert opened["r.tif"] == opened["q.tif"] == {"channel": "red"}


def test_one_movie_that_fails_ends_a_run_of_one_and_not_of_many(
    run: Run, asked: dict[str, Any]
) -> None:
    asked["errors"] = [InputError("No image."), None]
    assert run("run", "a.tif", "-o", "out", code=2).stderr == "Error: No image.\n"
    result = run("run", "a.tif", "b.tif", "-o", "out", code=2)
    assert "Error: a.tif: No image." in result.stderr or "Error: a: No image." in result.stderr
    assert "Error: 1 of 2 inputs failed" in result.stderr
    asked["errors"] = [ZeroDivisionError("defect"), None]
    assert "This is a defect" in run("run", "a.tif", "b.tif", "-o", "out", code=1).stderr
    asked["errors"] = [CancelledError("Cancelled.")]
    stopped = run("run", "a.tif", "b.tif", "-o", "out", code=130).stderr
    assert stopped == (
        "Interrupted. Finished results are kept; repeat the same command to continue.\n"
    )
