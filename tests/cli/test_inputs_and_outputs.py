"""What commands check, ask and say before they work, without running any of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer

from napari_virtualstain.cli import demo, options, run, simulated_training
from napari_virtualstain.errors import InputError, OutputExistsError
from napari_virtualstain.io import Stack
from napari_virtualstain.io.stated_optics import StatedOptics
from napari_virtualstain.settings import TrackSettings
from napari_virtualstain.staining import FitReport


class _Job:
    progress = cancel = None

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def job() -> Any:
    return _Job()


@pytest.mark.parametrize(
    ("axes", "z_plane", "said"),
    [
        ("tzyx", "max", "Tracks are of the maximum over z; the input has 3 planes"),
        ("tzyx", 1, "Tracks are of plane 1 of z; the input has 3 planes"),
        ("tcyx", "max", ""),
    ],
)
def test_of_z_stacks_it_is_said_what_is_tracked(
    job: Any, axes: str, z_plane: Any, said: str
) -> None:
    options.say_plane(Stack(np.zeros((2, 3, 4, 4)), axes), job, TrackSettings(z_plane=z_plane))
    assert len(job.notes) == bool(said)
    assert all(note.startswith(said) for note in job.notes)


@pytest.mark.parametrize(
    ("known", "is_terminal", "model", "expected"),
    [
        (0.1, True, "mito-h9c2", 0.1),
        (None, False, "mito-h9c2", None),
        (None, True, "mito-h9c2", 0.2),
        (None, True, None, 0.2),
    ],
)
def test_a_pixel_size_is_asked_for_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    job: Any,
    known: float | None,
    is_terminal: bool,
    model: str | None,
    expected: float | None,
) -> None:
    asked: list[float] = []

    def prompt(_text: str, *, default: float, **_: Any) -> float:
        asked.append(default)
        return 0.2

    monkeypatch.setattr(options, "is_terminal", lambda: is_terminal)
    monkeypatch.setattr(typer, "prompt", prompt)
    stack = Stack(np.zeros((4, 4)), "yx", pixel_size_um=known, name="cell")
    assert options.settle_pixel_size(stack, job, model).pixel_size_um == expected
    assert asked == ([0.08] if expected == 0.2 else [])


def test_an_output_is_no_input_and_no_folder_around_one(tmp_path: Path) -> None:
    movie = tmp_path / "movies" / "cell.tif"
    movie.parent.mkdir()
    movie.write_bytes(b"pixels")
    (tmp_path / "other").mkdir()
    for output in (tmp_path / "other", tmp_path / "new", movie.with_name("out.tif")):
        options.check_other(output, movie)
    with pytest.raises(InputError, match="is the input itself"):
        options.check_other(movie, tmp_path / "none.tif", movie)
    for around in (movie.parent, tmp_path):
        with pytest.raises(InputError, match="is the folder of the input"):
            options.check_other(around, movie)


@pytest.mark.parametrize(
    ("resume", "overwrite", "said"),
    [
        (True, False, "already complete; nothing is left to resume"),
        (False, False, "exists already"),
        (False, True, ""),
        (True, True, ""),
    ],
)
def test_an_output_that_is_there_is_complete_or_replaced(
    tmp_path: Path, resume: bool, overwrite: bool, said: str
) -> None:
    output = tmp_path / "out.ome.tif"
    options.check_free(output, resume=resume, overwrite=overwrite)
    output.write_bytes(b"pixels")
    if said:
        with pytest.raises(OutputExistsError, match=said):
            options.check_free(output, resume=resume, overwrite=overwrite)
    else:
        options.check_free(output, resume=resume, overwrite=overwrite)


def test_the_fit_is_said_with_its_reasons(job: Any) -> None:
    options.say_fit(job, FitReport("green", (), ()), None)
    options.say_fit(job, FitReport("red", ("Blurred.", "Dark."), ()), None)
    options.say_fit(job, None, "mine")
    assert job.notes == [
        "Fit of the model to this movie: green",
        "Fit of the model to this movie: red: Blurred. Dark.",
        "'mine' is an add-on: whether it fits this movie cannot be checked.",
    ]


@pytest.mark.parametrize(
    ("result", "notes", "said"),
    [
        (None, [], []),
        ({"done": ["stain", "track"]}, [], ["out: stain, track"]),
        ({"kept": ["stain"]}, [], ["out: nothing left to do (done before: stain)"]),
        (
            {"done": ["track"], "fit": "red", "score": "mean"},
            ["Fit frame by frame: red"],
            ["out: track", "out: mean"],
        ),
    ],
)
def test_the_outcome_of_a_movie_is_said(
    job: Any, result: dict[str, Any] | None, notes: list[str], said: list[str]
) -> None:
    usual = {"folder": "out", "done": [], "kept": [], "fit": "", "score": ""}
    made = None if result is None else SimpleNamespace(**{**usual, **result})
    run._say(job, SimpleNamespace(result=made))
    assert (job.notes, job.said) == (notes, said)


def test_each_input_has_its_reference_or_none() -> None:
    assert run._references(["a", "b"], None) == [None, None]
    assert run._references(["a", "b"], ["c", "d"]) == ["c", "d"]
    for references in (["c"], ["c", "d", "e"]):
        with pytest.raises(InputError, match=f"{len(references)} references for 2 inputs"):
            run._references(["a", "b"], references)


@pytest.mark.parametrize(
    ("holds", "overwrite", "said"),
    [
        ([], False, ""),
        (["overview.png"], False, "holds a finished demo"),
        (["overview.png"], True, ""),
        (["notes.txt"], False, "is not empty"),
        (["notes.txt"], True, ""),
        (["truth/scene.json"], False, ""),
    ],
)
def test_a_demo_replaces_nothing_unasked(
    tmp_path: Path, holds: list[str], overwrite: bool, said: str
) -> None:
    for name in holds:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    if said:
        with pytest.raises(OutputExistsError, match=said):
            demo._check_folder(tmp_path, overwrite)
    else:
        demo._check_folder(tmp_path, overwrite)


def test_the_scene_of_an_interrupted_demo_is_used_again(tmp_path: Path, job: Any) -> None:
    demo._simulate(job, tmp_path, 2, 64, 3, 5)
    before = (tmp_path / "truth" / "bright_field.ome.tif").stat().st_mtime_ns
    assert job.notes == []
    demo._simulate(job, tmp_path, 2, 64, 3, 5)
    assert job.notes == ["The simulated movie of the interrupted demo is used."]
    assert (tmp_path / "truth" / "bright_field.ome.tif").stat().st_mtime_ns == before
    demo._simulate(job, tmp_path, 2, 64, 3, 6)
    assert (tmp_path / "truth" / "bright_field.ome.tif").stat().st_mtime_ns != before
    assert len(job.notes) == 1


@pytest.mark.parametrize(
    ("stated", "given", "expected", "said"),
    [
        ({}, {}, (1.42, 1.515), ""),
        ({}, {"na": 0.75}, (0.75, 1.0), ""),
        ({}, {"na": 1.2, "n_immersion": 1.4}, (1.2, 1.4), ""),
        ({"numerical_aperture": 1.2}, {}, (1.2, 1.33), "an aperture of 1.2"),
        ({"numerical_aperture": 1.2}, {"na": 1.4}, (1.4, 1.515), ""),
        ({"immersion_index": 1.4}, {"na": 1.2}, (1.2, 1.4), "an immersion index of 1.4"),
    ],
)
def test_optics_are_those_given_then_those_of_the_file_then_the_usual_ones(
    monkeypatch: pytest.MonkeyPatch,
    job: Any,
    stated: dict[str, float],
    given: dict[str, float],
    expected: tuple[float, float],
    said: str,
) -> None:
    seen: dict[str, Any] = {}

    def training(frames: Any, config: Any, **how: Any) -> Any:
        seen.update(how, frames=len(frames))
        return SimpleNamespace(notes=["few scenes"], pairs="pairs", config="config")

    stack = Stack(
        np.zeros((20, 8, 8)), "tyx", pixel_size_um=0.1, name="cell", optics=StatedOptics(**stated)
    )
    monkeypatch.setattr(simulated_training, "open_input", lambda *_, **__: stack)
    monkeypatch.setattr("napari_virtualstain.training.simulated_training", training)
    how = {"number": 7, "axes": None, "channel": None, "pixel_size_um": None}
    found = simulated_training.simulated(job, "cell.tif", None, given, **how)
    assert found == ("pairs", "config")
    assert (seen["microscope"].na, seen["microscope"].n_immersion) == expected
    assert (seen["frames"], seen["number"], seen["source"]) == (12, 7, "cell")
    assert not seen["focus_known"]
    assert not seen["condenser_known"]
    assert job.notes == [*([f"Note: the movie states {said}."] if said else []), "Note: few scenes"]
    more = {**given, "condenser_na": 0.5, "bright_field_offset_um": 0.0}
    simulated_training.simulated(job, "cell.tif", None, more, **how)
    assert seen["focus_known"]
    assert seen["condenser_known"]


def test_a_movie_without_a_pixel_size_cannot_be_simulated(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    stack = Stack(np.zeros((2, 8, 8)), "tyx")
    monkeypatch.setattr(simulated_training, "open_input", lambda *_, **__: stack)
    how = {"number": 7, "axes": None, "channel": None, "pixel_size_um": None}
    with pytest.raises(InputError, match="does not say its pixel size"):
        simulated_training.simulated(job, "cell.tif", None, {}, **how)
