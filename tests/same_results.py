"""Checksums of every step's results on fixed inputs, to compare before and after a change.

    python tests/same_results.py              # API and command line
    .ci/with-display python tests/same_results.py --docks
    python tests/same_results.py > before.txt; git switch ...; ... | diff before.txt -

One line a result: its name, checksum, shape, mean and standard deviation. Equal lines mean
equal bits on one machine; another processor may round otherwise. Takes about a minute.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import napari_virtualstain as vs

MODEL = "mito-simulated"
PIXEL_SIZE_UM = 0.1  # not the model's: resampling takes part
INTERVAL_S = 2.0


def bright_field() -> NDArray[np.uint16]:
    """Return a movie (T, Y, X) of textures that drift, without any code of the package."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.normal(size=(160, 160)), 2)
    frames = [texture[t : t + 96, 2 * t : 2 * t + 112] for t in range(6)]
    noise = rng.normal(0, 0.02, (6, 96, 112))
    return (2000 * (1 + 0.05 * np.stack(frames) / texture.std() + noise)).astype(np.uint16)


def fluorescence() -> NDArray[np.uint16]:
    """Return a movie (T, Y, X) of bright worms that drift."""
    rng = np.random.default_rng(1)
    worms = np.zeros((160, 160))
    for y, x, angle in rng.uniform((20, 20, 0), (140, 140, np.pi), (14, 3)):
        along = np.arange(-9, 10)
        rows, columns = y + along * np.sin(angle), x + along * np.cos(angle)
        worms[rows.astype(int), columns.astype(int)] = rng.uniform(0.5, 1.0)
    shine = ndimage.gaussian_filter(worms, 1.5)
    frames = np.stack([shine[2 * t : 2 * t + 96, t : t + 112] for t in range(6)])
    return rng.poisson(20 + 900 * frames / shine.max()).astype(np.uint16)


def array_line(name: str, values: Any) -> str:
    """Return the line of an array."""
    array = np.ascontiguousarray(values)
    digest = hashlib.sha256(array.tobytes()).hexdigest()[:12]
    mean, deviation = np.nanmean(array), np.nanstd(array)
    return f"{name:28s} {digest} {array.shape} mean {mean:.6g} sd {deviation:.6g}"


def table_line(name: str, table: Any) -> str:
    """Return the line of a table's columns of numbers, in the order of their names."""
    numbers = table.select_dtypes(["number", "bool"]).sort_index(axis=1)
    return array_line(f"{name} [{len(numbers.columns)} columns]", numbers.to_numpy(np.float64))


def of_interface() -> Iterator[str]:
    """Yield the lines of what Python calls give."""
    import dask.array as da

    from napari_virtualstain.data import CorrelativePairs
    from napari_virtualstain.training import TrainingConfig

    movie, shine = bright_field(), fluorescence()
    options: dict[str, Any] = {"pixel_size_um": PIXEL_SIZE_UM, "device": "cpu"}
    stained = vs.stain(movie, MODEL, **options)
    yield array_line("stain", stained)
    lazy = da.from_array(movie, chunks=(1, -1, -1))
    yield array_line("stain lazily", vs.stain(lazy, MODEL, **options).compute())
    mean, deviation = vs.stain(movie[:2], MODEL, uncertainty=True, **options)
    yield array_line("stain, uncertain", np.stack([mean, deviation]))
    yield array_line("stain, average", vs.stain(movie[0], MODEL, average=True, **options))
    yield array_line("stain, mito-h9c2", vs.stain(movie[:1], "mito-h9c2", **options))
    labels = vs.segment(shine, **options)
    yield array_line("segment", labels)
    lazy = da.from_array(shine, chunks=(1, -1, -1))
    yield array_line("segment lazily", vs.segment(lazy, **options).compute())
    tracks = vs.track(
        labels, intensity=shine, pixel_size_um=PIXEL_SIZE_UM, frame_interval_s=INTERVAL_S
    )
    yield table_line("track", tracks.table)
    scores = vs.evaluate(stained, shine, data_range=1000)
    yield table_line("evaluate", scores)
    pairs = CorrelativePairs.from_arrays(
        list(movie), list(shine), groups=list("aabbcc"), movies=list("aabbcc"), pixel_size_um=0.08
    )
    config = TrainingConfig(
        name="tiny",
        architecture={"name": "unet", "arguments": {"widths": [6, 8], "convolutions": 1}},
        steps=4,
        batch_size=2,
        crop_size=32,
        validate_every=2,
        log_every=1,
        precision="float32",
        report=False,
        device="cpu",
    )
    with tempfile.TemporaryDirectory() as folder:
        vs.train(pairs, config, output=Path(folder) / "tiny.safetensors")
        model = vs.load_model(Path(folder) / "tiny.safetensors")
    weights = [value.numpy().ravel() for _, value in sorted(model.network.state_dict().items())]
    yield array_line("train", np.concatenate(weights))


def of_commands() -> Iterator[str]:
    """Yield the lines of what the commands write."""
    import pandas as pd
    from typer.testing import CliRunner

    from napari_virtualstain.cli.app import app
    from napari_virtualstain.io import write_image

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        geometry: dict[str, Any] = {
            "axes": "tyx",
            "pixel_size_um": PIXEL_SIZE_UM,
            "frame_interval_s": INTERVAL_S,
        }
        write_image(folder / "bf.ome.tif", bright_field(), **geometry)
        write_image(folder / "fl.ome.tif", fluorescence(), **geometry)

        def run(*words: str) -> None:
            given = [str(folder / word) if "." in word or word == "all" else word for word in words]
            result = CliRunner().invoke(app, given)
            if result.exit_code:
                raise SystemExit(f"{words}: {result.output}")

        run("stain", "bf.ome.tif", "-o", "s.ome.tif", "--model", MODEL, "--device", "cpu")
        yield array_line("command stain", vs.open_stack(folder / "s.ome.tif").data.compute())
        words = ["--temporal", "1", "--frames", "1:5", "--model", MODEL, "--device", "cpu"]
        run("stain", "bf.ome.tif", "-o", "t.ome.zarr", "--uncertainty", "u.ome.tif", *words)
        yield array_line("command stain --temporal", vs.open_stack(folder / "t.ome.zarr").data)
        yield array_line("command stain --uncertainty", vs.open_stack(folder / "u.ome.tif").data)
        run("segment", "fl.ome.tif", "-o", "l.ome.tif", "--device", "cpu")
        yield array_line("command segment", vs.open_stack(folder / "l.ome.tif").data)
        run("track", "l.ome.tif", "-o", "t.csv", "--intensity", "fl.ome.tif")
        yield table_line("command track", pd.read_csv(folder / "t.csv"))
        run("evaluate", "s.ome.tif", "fl.ome.tif", "-o", "all")
        yield table_line("command evaluate", pd.read_csv(folder / "all" / "metrics.csv"))


def of_docks() -> Iterator[str]:
    """Yield the lines of the layers that the docks add."""
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    viewer = ViewerModel()
    place = {
        "scale": (INTERVAL_S, PIXEL_SIZE_UM, PIXEL_SIZE_UM),
        "units": ("s", "um", "um"),
        "axis_labels": ("t", "y", "x"),
    }

    def run(title: str, model: str | None) -> None:
        widget = _dock(title)(viewer)
        widget.source.value = viewer.layers[-1]
        if model:
            widget.model.value = model
        widget.run_button.click()
        while widget.state not in ("done", "failed"):
            application.processEvents()
        if widget.state == "failed":
            raise SystemExit(f"{title}: {widget.status_label.text()}")
        widget.deleteLater()

    viewer.add_image(bright_field(), name="bf", **place)
    run("Virtual staining", MODEL)
    yield array_line("dock stain", _result(viewer, "stain").data)
    viewer.add_image(fluorescence(), name="fl", **place)
    run("Segment mitochondria", None)
    labels = _result(viewer, "segment")
    yield array_line("dock segment", labels.data)
    viewer.layers.move(viewer.layers.index(labels), len(viewer.layers))
    run("Track mitochondria", None)
    yield array_line("dock track", _result(viewer, "track").data)


def _dock(title: str) -> Any:
    import importlib

    import yaml

    manifest = yaml.safe_load(
        (Path(str(vs.__file__)).parent / "napari.yaml").read_text(encoding="utf-8")
    )["contributions"]
    wanted = next(w["command"] for w in manifest["widgets"] if w["display_name"] == title)
    place = next(c["python_name"] for c in manifest["commands"] if c["id"] == wanted)
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def _result(viewer: Any, step: str) -> Any:
    known = [layer for layer in viewer.layers if "virtualstain" in layer.metadata]
    kinds = {"stain": "Image", "segment": "Labels", "track": "Tracks"}
    return next(layer for layer in known if type(layer).__name__ == kinds[step])


def main() -> None:
    """Print the lines."""
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for line in of_interface():
        print(line, flush=True)
    for line in of_commands():
        print(line, flush=True)
    if "--docks" in sys.argv:
        for line in of_docks():
            print(line, flush=True)


if __name__ == "__main__":
    main()
