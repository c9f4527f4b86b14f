"""The names of DESIGN.md section 4, former names of keywords, and arguments of a wrong type."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
import yaml

import napari_virtualstain as vs
from napari_virtualstain.cli.app import app
from napari_virtualstain.engine.devices import check_precision
from napari_virtualstain.errors import InputError
from napari_virtualstain.optics import gibson_lanni_psf, richardson_lucy, weight_map
from napari_virtualstain.segmentation import segment_to_file, split_instances
from napari_virtualstain.staining import stain_to_file
from napari_virtualstain.training import cross_validate

COMMANDS = {
    "demo": "--view",
    "simulate": "--frames --size --count --seed --density --overwrite",
    "stain": "-o --model --pixel-size-um --device --tile --frames --uncertainty --resume "
    "--scheduler --overwrite",
    "segment": "-o --model --threshold --min-area-um2 --split --overwrite",
    "track": "-o --intensity --linker --max-gap --labels-out --format --overwrite",
    "run": "-o --reference --overwrite",
    "train": "--bright-field --fluorescence -o --preset --arch --epochs --init --group-by "
    "--validation-groups --roi --seed --device --overwrite",
    "train-segmenter": "--images --labels -o --overwrite",
    "evaluate": "-o --overwrite",
    "models list": "",
    "models info": "",
    "models export": "",
}
KEYWORDS = {
    vs.open_stack: "path axes channel pixel_size_um frame_interval_s",
    vs.stain: "image model pixel_size_um device tile progress cancel",
    vs.segment: "fluorescence model pixel_size_um threshold min_area_um2 split device",
    vs.track: "labels intensity pixel_size_um frame_interval_s config",
    vs.link: "detections frame_interval_s search_radius_um max_gap mode",
    vs.evaluate: "predicted reference data_range",
    vs.train: "pairs config progress cancel",
    vs.simulate: "frames size count seed",
    vs.load_model: "name_or_path",
    vs.list_models: "",
    gibson_lanni_psf: "size pixel_size_um wavelength_um na n_immersion n_sample depth_um integrate",
    richardson_lucy: "image psf iterations",
    weight_map: "fluorescence kind psf iterations background",
}
MEMBERS = {
    vs.Stack: "data axes pixel_size_um frame_interval_s",
    vs.Tracks: "table graph to_napari relabel to_csv from_csv to_trackmate to_ctc to_geff",
    vs.Scene: "bright_field fluorescence labels tracks events",
}
COLUMNS = "track_id frame y_um x_um y_px x_px label area_um2 interpolated quality parent"
DOCKS = [
    "Load time-lapse",
    "Virtual staining",
    "Segment mitochondria",
    "Track mitochondria",
    "Track inspector",
    "Train virtual staining",
    "Evaluate staining",
]


def _options(name: str) -> set[str]:
    command: Any = typer.main.get_command(app)
    for part in name.split():
        command = command.commands[part]
    return {o for p in command.params for o in [*p.opts, *p.secondary_opts]}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_have_their_options(name: str) -> None:
    assert set(COMMANDS[name].split()) <= _options(name)


@pytest.mark.parametrize("function", KEYWORDS, ids=lambda f: f.__name__)
def test_public_functions_have_their_arguments(function: Any) -> None:
    assert set(KEYWORDS[function].split()) <= set(inspect.signature(function).parameters)


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda k: k.__name__)
def test_public_classes_have_their_members(kind: Any) -> None:
    fields = set(getattr(kind, "__dataclass_fields__", ())) | set(dir(kind))
    assert set(MEMBERS[kind].split()) <= fields


def test_defaults_are_those_of_the_design() -> None:
    stated = {
        gibson_lanni_psf: {"size": 5, "pixel_size_um": 0.08, "wavelength_um": 0.528, "na": 1.42},
        richardson_lucy: {"iterations": 20},
        weight_map: {"kind": "psf_deconvolution", "iterations": 20},
        vs.segment: {"threshold": 0.5, "min_area_um2": 0.05, "split": "skeleton"},
        vs.link: {"max_gap": 3, "mode": "extended", "frame_interval_s": 1.0},
    }
    for function, defaults in stated.items():
        parameters = inspect.signature(function).parameters
        assert {name: parameters[name].default for name in defaults} == defaults


def test_a_table_of_tracks_has_its_columns() -> None:
    labels = np.zeros((2, 16, 16), np.int32)
    labels[:, 4:8, 4:8] = 1
    assert set(COLUMNS.split()) <= set(vs.track(labels).table.columns)


def test_the_manifest_has_the_docks_samples_and_shipped_models() -> None:
    manifest = yaml.safe_load((Path(vs.__file__).parent / "napari.yaml").read_text())
    widgets = {widget["display_name"] for widget in manifest["contributions"]["widgets"]}
    assert set(DOCKS) <= widgets
    samples = json.dumps(manifest["contributions"]["sample_data"])
    assert "Simulated correlative time-lapse" in samples
    assert "H9c2 correlative pairs" in samples
    names = {entry.name for entry in vs.list_models()}
    assert {"mito-h9c2", "mito-simulated", "mito-segment"} <= names


IMAGE = np.random.default_rng(0).normal(100, 10, (32, 32)).astype(np.float32)
STAIN = {"pixel_size_um": 0.08, "device": "cpu"}


def test_the_former_name_of_average_still_works(tmp_path: Path) -> None:
    expected = vs.stain(IMAGE, "mito-simulated", average=True, **STAIN)
    assert (expected != vs.stain(IMAGE, "mito-simulated", average=False, **STAIN)).any()
    with pytest.warns(FutureWarning, match="test_time_augmentation is called average now"):
        found = vs.stain(IMAGE, "mito-simulated", test_time_augmentation=True, **STAIN)
    np.testing.assert_array_equal(found, expected)
    with pytest.warns(FutureWarning, match="is called average now"):
        out = stain_to_file(
            IMAGE,
            tmp_path / "a.ome.tif",
            "mito-simulated",
            test_time_augmentation=True,
            **STAIN,
        )
    np.testing.assert_array_equal(vs.open_stack(out).data, expected)
    with pytest.warns(FutureWarning, match="is called average now"):
        vs.segment(IMAGE, pixel_size_um=0.08, device="cpu", test_time_augmentation=False)
    with pytest.warns(FutureWarning, match="is called average now"):
        segment_to_file(
            IMAGE,
            tmp_path / "b.ome.tif",
            pixel_size_um=0.08,
            device="cpu",
            test_time_augmentation=False,
        )


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(InputError, match="give average only"):
        vs.stain(IMAGE, average=True, test_time_augmentation=True)


LABELS = np.zeros((2, 16, 16), np.int32)
LABELS[:, 4:8, 4:8] = 1
DETECTIONS = pd.DataFrame({"frame": [0, 1], "y_um": [1.0, 1.1], "x_um": [1.0, 1.0]})


@pytest.mark.parametrize(
    "wrong", [5, "xyz", 2.5, object(), (1, 2, 3)], ids=lambda w: type(w).__name__
)
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda wrong: vs.link(DETECTIONS, config=wrong), "config"),
        (lambda wrong: vs.link(DETECTIONS, cancel=wrong), "cancel"),
        (lambda wrong: vs.link(DETECTIONS, progress=wrong), "progress"),
        (lambda wrong: vs.track(LABELS, config=wrong), "config"),
        (lambda wrong: vs.track(LABELS, intensity=wrong), "intensity"),
        (lambda wrong: vs.simulate(frames=1, size=48, count=1, config=wrong), "config"),
        (lambda wrong: vs.train(wrong), "pairs"),
        (lambda wrong: cross_validate(wrong, output="m"), "pairs"),
        (lambda wrong: vs.train(_pairs(), wrong), "config"),
        (lambda wrong: cross_validate(_pairs(), wrong, output="m"), "config"),
        (lambda wrong: vs.evaluate(IMAGE, IMAGE, data_range=wrong if wrong != 5 else []), "range"),
        (lambda wrong: vs.evaluate(IMAGE, IMAGE, names=wrong), "names"),
        (lambda wrong: vs.stain(IMAGE, axes=wrong, **STAIN), "xes"),
        (lambda wrong: gibson_lanni_psf(optics=wrong), "optics"),
        (lambda wrong: weight_map(IMAGE, floor=wrong), "floor"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named(call: Any, name: str, wrong: Any) -> None:
    if (name, wrong) in {("range", 2.5)}:
        return  # a number is what is expected there
    with pytest.raises(InputError, match=f"{name}.*(expected|Give)"):
        call(wrong)


@pytest.mark.parametrize(
    "wrong", [np.arange(3), [1, 2], {"a": 1}, b"x", object(), "nobody"], ids=lambda w: repr(w)[:12]
)
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda wrong: weight_map(IMAGE, wrong), "kind"),
        (lambda wrong: weight_map(IMAGE, maximum=wrong), "maximum"),
        (lambda wrong: weight_map(IMAGE, normalise=wrong), "normalise"),
        (lambda wrong: weight_map(IMAGE, background=wrong), "background"),
        (lambda wrong: richardson_lucy(IMAGE, np.ones((3, 3)), dtype=wrong), "dtype"),
        (lambda wrong: vs.link(DETECTIONS, mode=wrong), "mode"),
        (lambda wrong: _opened(channel=wrong), "channel"),
        (lambda wrong: vs.segment(IMAGE, split=wrong, **STAIN), "split"),
        (lambda wrong: vs.stain(IMAGE, precision=wrong, **STAIN), "precision"),
        (lambda wrong: split_instances(IMAGE > 0, split=wrong), "split"),
        (lambda wrong: check_precision(wrong), "precision"),
    ],
)
def test_what_is_no_choice_is_named(call: Any, name: str, wrong: Any) -> None:
    with pytest.raises(InputError, match=f"{name}.*(expected|should be|Give one of these)"):
        call(wrong)


def _opened(*, channel: Any) -> vs.Stack:
    stack = vs.Stack(np.zeros((2, 8, 8)), "cyx", channel_names=("BF", "GFP"))
    return stack.select_channel(channel)


def _pairs() -> Any:
    from napari_virtualstain.data import CorrelativePairs

    images = np.random.default_rng(0).normal(size=(4, 32, 32))
    return CorrelativePairs.from_arrays(images, images, groups=["a", "a", "b", "b"])
