"""``train`` and ``train-segmenter``: small trainings, and bad input before any step."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import napari_virtualstain as vs
from napari_virtualstain import training
from napari_virtualstain.cli import train as cli_train
from napari_virtualstain.errors import InputError
from napari_virtualstain.models import read_card
from napari_virtualstain.settings import TrainSettings, fields_of
from napari_virtualstain.training import TrainingPrepared

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with bf/, fl/ and lab/ of two simulated cells, three frames each."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("bf", "fl", "lab"):
        (folder / name).mkdir()
    for cell in (1, 2):
        scene = vs.simulate(frames=3, size=96, count=6, seed=cell)
        for t in range(3):
            image = f"cell_{cell}_t{t}.png"
            for kind, movie in (("bf", scene.bright_field), ("fl", scene.fluorescence)):
                Image.fromarray(movie[t]).save(folder / kind / image)
            Image.fromarray(scene.labels[t].astype(np.uint16)).save(folder / "lab" / image)
    return folder


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("numerical_aperture", "[1.42]. [0.05<=x<=1.7]"),
        ("wavelength_um", "in µm [0.608]. [0.05<=x<=5.0]"),
        ("crop_size", "in px [as the preset]. [16<=x<=2048]"),
        ("min_foreground", "[as the preset]. [0.0<=x<=0.99]"),
        ("minutes", "in min [no limit]. [x<=100000.0]"),
    ],
)
def test_help_says_what_the_class_of_the_settings_says(run: Run, name: str, ending: str) -> None:
    shown = " ".join(run("train", "--help").output.split())
    text = fields_of(TrainSettings)[name].description.rstrip(".")
    assert f"{text[1:]}{', ' if ending.startswith('in') else ' '}{ending}" in shown


def test_a_number_out_of_its_range_is_refused_before_anything_is_read(run: Run) -> None:
    for value, code in ((1.71, 2), (1.7, 2)):  # the second is in range: the movie is not there
        given = run(
            "train", "--simulate-like", "none.tif", "--na", value, "-o", "m.safetensors", code=code
        )
        assert ("less than or equal to 1.7" in given.stderr) == (value == 1.71)


def _arguments(pairs: Path) -> list[object]:
    return [
        "train", "--bright-field", pairs / "bf", "--fluorescence", pairs / "fl",
        "-o", "mine.safetensors", "--arch", "compact", "--steps", 2, "--batch-size", 1,
        "--crop-size", 64, "--group-by", r"cell_\d", "--validation-groups", "cell_2",
        "--device", "cpu",
    ]  # fmt: skip


@pytest.mark.slow
def test_train_writes_a_model_that_stains(run: Run, pairs: Path, tmp_path: Path) -> None:
    result = run(*_arguments(pairs), "--learning-rate", 1e-3)
    assert "mine.safetensors: model after 2 steps" in result.stdout
    assert read_card("mine.safetensors").training["learning_rate"] == 1e-3
    assert "3 pairs train, 3 are held out" in result.stderr
    assert "virtual stain: band-pass Pearson" in result.stdout
    assert "bright-field: band-pass Pearson" in result.stdout
    card = read_card(tmp_path / "mine.safetensors")
    assert card.name == "mine"
    assert "cell_2" in str(card.split)
    assert len(pd.read_csv(tmp_path / "history.csv")) > 0
    assert list((tmp_path / "report").iterdir())
    result = run(
        "stain", pairs / "bf", "-o", "v.ome.tif", "--model", "mine.safetensors",
        "--pixel-size-um", 0.08, "--axes", "tyx",
    )  # fmt: skip
    assert "already" in run(*_arguments(pairs), code=2).stderr
    run(*_arguments(pairs), "--overwrite", "--init", "mine.safetensors", "--roi", "0:64,10:90")


@pytest.mark.slow
def test_train_judges_by_folds_and_keeps_a_model_of_all_pairs(
    run: Run, pairs: Path, tmp_path: Path
) -> None:
    arguments = _arguments(pairs)
    held = arguments.index("--validation-groups")
    folds = [*arguments[:held], *arguments[held + 2 :], "--folds", 2]
    result = run(*folds)
    assert "fold 2 of 2, without cell_" in result.stderr
    assert "virtual stain: band-pass Pearson" in result.stdout
    card = read_card(tmp_path / "mine.safetensors")
    assert card.split["train_groups"] == ["cell_1", "cell_2"]
    assert card.scores["images"] == 6
    refused = run(*_arguments(pairs), "--folds", 2, "--overwrite", code=2).stderr
    assert "Both --folds and --validation-groups" in refused


def test_train_reads_neighbouring_planes_of_stacks(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("bf", "fl"):
        (tmp_path / folder).mkdir()
        for cell in "ab":
            stack = rng.integers(100, 60000, (3, 64, 64)).astype(np.uint16)
            path = tmp_path / folder / f"{cell}.tif"
            tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZYX"})
    result = run(
        "train", "--bright-field", "bf", "--fluorescence", "fl", "-o", "z.safetensors",
        "--arch", "compact", "--batch-size", 1, "--crop-size", 32, "--device", "cpu",
        "--planes", 3, "--plane-axis", "z", "--minutes", 1e-6, "--correct-registration",
        "--pixel-size-um", 0.1,
    )  # fmt: skip
    assert "3 pairs train, 3 are held out" in result.stderr
    assert "model after 1 steps" in result.stdout
    assert read_card(tmp_path / "z.safetensors").inputs.offsets == (-1, 0, 1)


def test_a_process_that_only_helps_ends_well(
    run: Run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`torchrun` stops all processes when one ends with another code than 0."""
    prepared = TrainingPrepared(
        steps=2, first_step=0, train_pairs=3, validation_pairs=3, split={}, parameters=1000,
        device="cpu", precision="float32", crop_size=64, reached={},
    )  # fmt: skip
    monkeypatch.setattr(training, "train_events", lambda *_, **__: iter([prepared]))
    result = run(*_arguments(pairs))
    assert "the first process judges and writes the model" in result.stderr
    assert not result.stdout


def test_train_refuses_before_the_first_step(run: Run, pairs: Path, tmp_path: Path) -> None:
    base = _arguments(pairs)

    def changed(name: str, value: object) -> list[object]:
        place = base.index(name)
        return [*base[: place + 1], value, *base[place + 2 :]]

    (tmp_path / "none").mkdir()
    (tmp_path / "black").mkdir()
    (tmp_path / "small").mkdir()
    for path in (pairs / "fl").iterdir():
        Image.fromarray(np.zeros((96, 96), np.uint16)).save(tmp_path / "black" / path.name)
        Image.fromarray(np.ones((50, 96), np.uint16)).save(tmp_path / "small" / path.name)
    for arguments, words in (
        (changed("--bright-field", "nowhere"), "'nowhere'"),
        (changed("--fluorescence", "none"), "'none'"),
        (changed("--fluorescence", "small"), "50"),
        (changed("--fluorescence", "black"), "constant"),
        (changed("--validation-groups", "cell_9"), "cell_9"),
        (changed("-o", "model.pt"), ".safetensors"),
        (changed("--arch", "transformer"), "transformer"),
        ([*base, "--preset", "Z"], "There is no preset 'Z'"),
        ([*base, "--epochs", 3], "Both --steps and --epochs"),
        ([*base, "--learning-rate", 0], "learning_rate"),
        ([*base, "--roi", "all"], "expected Y0:Y1,X0:X1"),
        ([*base, "--roi", "9:3,0:5"], "is empty"),
        ([*base, "--roi", "0:400,0:400"], "400"),
        ([*base, "--init", "nope"], "There is no model 'nope'"),
    ):
        result = run(*arguments, code=2)
        assert words in result.stderr, result.stderr
        assert not list(tmp_path.glob("*.safetensors"))
        assert not (tmp_path / "history.csv").exists()


def test_train_segmenter_fine_tunes_on_labels(run: Run, pairs: Path, tmp_path: Path) -> None:
    base = ["train-segmenter", "--images", pairs / "fl", "--labels", pairs / "lab", "--steps", 2]
    result = run(*base, "-o", "seg.safetensors", "--pixel-size-um", 0.08)
    assert "labelled images: 6" in result.stderr
    assert "seg.safetensors: segmenter after 2 steps" in result.stdout
    assert "On held-out labels: " in result.stdout
    assert read_card(tmp_path / "seg.safetensors").kind == "segmenter"
    assert not list(tmp_path.glob("*.checkpoint"))
    assert "exists already" in run(*base, "-o", "seg.safetensors", code=2).stderr
    assert "ends in .safetensors" in run(*base, "-o", "seg.pt", code=2).stderr


def test_train_segmenter_refuses_what_does_not_fit(run: Run, pairs: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        for folder in ("x", "y"):
            (tmp_path / folder).mkdir(exist_ok=True)
            side = 40 if folder == "x" else 50
            Image.fromarray(np.zeros((side, 40), np.uint16)).save(tmp_path / folder / name)
    arguments = ["train-segmenter", "-o", "seg.safetensors", "--images"]
    result = run(*arguments, pairs / "fl", "--labels", "x", code=2)
    assert "match by name" in result.stderr
    result = run(*arguments, "x", "--labels", "y", code=2)
    assert "expected equal shapes" in result.stderr
    result = run(*arguments, "nowhere", "--labels", "y", code=2)
    assert "nowhere does not exist" in result.stderr


@pytest.mark.slow
def test_a_movie_without_fluorescence_trains_on_simulated_pairs(run: Run, tmp_path: Path) -> None:
    scene = vs.simulate(frames=2, size=96, count=6, seed=3)
    tifffile.imwrite(tmp_path / "movie.tif", scene.bright_field)
    result = run(
        "train", "--simulate-like", tmp_path / "movie.tif", "--pixel-size-um", 0.08, "--na", 1.3,
        "-o", "like.safetensors", "--init", "mito-simulated", "--steps", 2, "--batch-size", 1,
        "--crop-size", 64, "--simulated-pairs", 12, "--device", "cpu",
    )  # fmt: skip
    assert "No real fluorescence taught or judged this model" in result.stderr
    assert "starting model: band-pass Pearson" in result.stdout
    card = read_card(tmp_path / "like.safetensors")
    assert card.data["source"] == "12 simulated pairs like movie; no real fluorescence"
    assert card.optics["numerical_aperture"] == 1.3
    assert card.split["validation_groups"] == ["simulated, held out"]
    assert vs.stain(scene.bright_field[0], "like.safetensors").shape == (96, 96)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No pairs were given"),
        (["--na", "1.4", "--bright-field", "bf"], "Optics were given without --simulate-like"),
        (["--simulate-like", "m.tif", "--bright-field", "bf"], "--bright-field was given with"),
        (["--simulate-like", "m.tif"], "does not say its pixel size"),
        (
            ["--simulate-like", "m.tif", "--pixel-size-um", "0.08", "--na", "1.6"],
            "numerical aperture is 1.6 in a medium of index 1.515",
        ),
        (["--simulate-like", "m.tif", "--pixel-size-um", "8"], "pixel size is 8.0 µm"),
    ],
)
def test_bad_input_of_a_training_without_fluorescence(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    noise = np.random.default_rng(0).normal(500, 50, (2, 64, 64)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", noise)
    result = run("train", *arguments, "-o", "x.safetensors", code=2)
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("start", "planes"), [((), None), (("--init", "none"), None), (("--init", "mito-h9c2"), 1)]
)
def test_a_start_that_was_asked_for_says_how_many_planes_are_read(
    run: Run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start, planes
) -> None:
    def stop(*_: Any, planes: dict[str, Any], **__: Any) -> None:
        raise InputError(f"planes {planes['planes']}")

    monkeypatch.setattr(cli_train, "_pairs", stop)
    result = run(*_arguments(pairs), *start, "-o", tmp_path / "m.safetensors", code=2)
    assert f"planes {planes}" in result.output


def test_images_of_one_file_each_are_a_pair_whatever_they_are_called(
    run: Run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def learn(pictures: Any, truths: Any, out: Path, **options: Any) -> Any:
        given.update(options, shapes=[one.shape for one in (*pictures, *truths)])
        return SimpleNamespace(path=out, summary="fine")

    monkeypatch.setattr("napari_virtualstain.segmentation.train_segmenter", learn)
    image, label = pairs / "fl" / "cell_1_t0.png", pairs / "lab" / "cell_2_t1.png"
    base = ["train-segmenter", "--images", image, "--labels", label, "-o", "s.safetensors"]
    kept = tmp_path / "s.safetensors.checkpoint"
    kept.write_text("half a training")
    result = run(*base, "--resume", "--pixel-size-um", 0.1)
    assert "labelled images: 1" in result.stderr
    assert result.stdout.endswith("fine\n")
    assert given["shapes"] == [(96, 96)] * 2
    assert (given["init"], given["painted"]) == ("mito-segment", False)
    assert (given["pixel_size_um"], given["names"]) == (0.1, ["cell_1_t0"])
    assert given["checkpoint"] == Path(kept.name)
    assert kept.exists()
    run(*base, "--init", "none", "--painted")
    assert (given["init"], given["painted"], given["pixel_size_um"]) == (None, True, None)
    assert not kept.exists()  # what is begun again does not go on from another training
    grey = tmp_path / "grey.tif"
    tifffile.imwrite(grey, np.zeros((96, 96), np.float32))
    result = run("train-segmenter", "--images", image, "--labels", grey, "-o", "s.safetensors",
                 code=2)  # fmt: skip
    assert "expected equal shapes and whole numbers" in result.stderr


def test_five_files_without_a_partner_are_named(run: Run, pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    for number in (0, 1):
        shutil.copy(pairs / "lab" / f"cell_1_t{number}.png", tmp_path / "lab")
    arguments = ["--images", pairs / "fl", "--labels", "lab", "-o", "s.safetensors"]
    said = run("train-segmenter", *arguments, code=2).stderr
    assert "2 of 6 images and 2 labels match by name; without partner: cell_1_t2.png, " in said
    for number in range(3):
        Image.fromarray(np.zeros((9, 9), "u2")).save(tmp_path / "lab" / f"other_{number}.png")
    said = run("train-segmenter", *arguments, code=2).stderr
    listed = said.partition("without partner: ")[2].partition(". Give")[0]
    assert len(listed.split(", ")) == 5


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a training would be begun with; none is."""
    seen: dict[str, Any] = {}

    def match(_bright: str, _glow: str | None, **options: Any) -> Any:
        seen.update(options)
        return SimpleNamespace(notes=["3 files fit"], pixel_size_um=0.1, within=lambda _: "pairs")

    def begin(pairs: Any, config: Any, folds: int | None, **how: Any) -> Any:
        seen.update(how, pairs=pairs, config=config, folds=folds)
        return iter(())

    monkeypatch.setattr("napari_virtualstain.data.match_pairs", match)
    monkeypatch.setattr(training, "with_planes_of", lambda config, *_: config)
    monkeypatch.setattr(cli_train, "_events", begin)
    return seen


def test_options_of_a_training_reach_its_configuration(run: Run, asked: dict[str, Any]) -> None:
    base = ["train", "--bright-field", "bf", "--fluorescence", "fl", "-o", "mine.safetensors"]
    result = run(*base)
    assert "Starts from mito-h9c2; --init none trains from nothing." in result.stderr
    assert "Note: 3 files fit" in result.stderr
    usual = asked["config"]
    assert (asked["unmatched"], asked["folds"], usual.name) == ("stop", None, "mine")
    assert (asked["overwrite"], asked["resume"]) == (False, False)
    switches = ["--drop-bad-pairs", "--ignore-unmatched", "--correct-registration"]
    more = ["--allow-leakage", "--trainable", "head", "--overwrite", "--resume"]
    result = run(*base, *switches, *more, "--validation-groups", "a, b", "--seed", 7)
    config = asked["config"]
    assert (asked["unmatched"], asked["overwrite"], asked["resume"]) == ("ignore", True, True)
    assert (config.bad_pairs, config.correct_registration, config.allow_leakage) == (
        "drop",
        True,
        True,
    )
    assert (config.trainable, config.seed) == ("head", 7)
    assert list(config.validation_groups) == ["a", "b"]
    for name in ("bad_pairs", "correct_registration", "allow_leakage", "trainable"):
        assert getattr(usual, name) != getattr(config, name)
    numbers = {"steps": 9, "minutes": 2.0, "batch_size": 3, "crop_size": 96, "pixel_size_um": 0.3}
    numbers |= {"min_foreground": 0.2, "device": "cpu"}
    given = [part for name, value in numbers.items() for part in (f"--{name}", value)]
    given = [part.replace("_", "-") if isinstance(part, str) else part for part in given]
    run(
        *base, *given, "--learning-rate", 0.001, "--arch", "compact", "--axes", "tyx",
        "--bright-field-channel", 1, "--fluorescence-channel", "red", "--group-by", "c",
    )  # fmt: skip
    config = asked["config"]
    assert {name: getattr(config, name) for name in numbers} == numbers
    assert config.optimisation.learning_rate == 0.001
    assert config.architecture.name == "compact"
    assert (asked["pixel_size_um"], asked["axes"], asked["group_by"]) == (0.3, "tyx", "c")
    assert (asked["bright_field_channel"], asked["fluorescence_channel"]) == ("1", "red")
    run(*base, "--epochs", 2)
    assert asked["config"].epochs == 2
    assert "Starts from" not in run(*base, "--folds", 3, "--init", "none").stderr
    assert asked["folds"] == 3
    no_output = run("train", "--bright-field", "bf", code=2)
    assert "--output was not given" in no_output.stderr


@pytest.mark.parametrize(("given", "device"), [([], "cuda"), (["--device", "cpu"], "cpu")])
def test_a_job_folder_keeps_its_device_unless_another_is_asked_for(
    run: Run, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, given: list[str], device: str
) -> None:
    saved = SimpleNamespace(
        config=training.preset("recommended").updated(device="cuda"),
        output=Path("m.safetensors"),
        pairs="of the job",
        folds=4,
    )
    monkeypatch.setattr(training, "read_job", lambda _folder: saved)
    monkeypatch.setattr(training, "kept_in_folder", lambda _saved, events: events)
    result = run("train", "--job", "folder", *given)
    assert "This process helped" in result.stderr
    assert asked["config"].device == device
    assert (asked["pairs"], asked["folds"], asked["output"]) == ("of the job", 4, saved.output)
