"""``stain`` and ``segment``: what they write, resuming, and bad input."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
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
from napari_virtualstain.cli import options as cli_options
from napari_virtualstain.cli.options import settle_pixel_size
from napari_virtualstain.cli.running import Job
from napari_virtualstain.hooks import EXTENSIONS, hook_implementation
from napari_virtualstain.io import open_stack, write_image

Run = Callable[..., Any]


def test_stain_writes_what_python_computes(
    run: Run, movie: Path, generator: Path, tmp_path: Path
) -> None:
    result = run("stain", movie, "-o", "v.ome.tif", "--model", generator)
    assert result.stdout == "v.ome.tif: virtual fluorescence\n"
    stack = open_stack(tmp_path / "v.ome.tif")
    assert (stack.axes, stack.dtype, stack.pixel_size_um) == ("tyx", np.float32, 0.08)
    assert stack.frame_interval_s == 2
    expected = vs.stain(np.asarray(open_stack(movie).data), str(generator), pixel_size_um=0.08)
    np.testing.assert_allclose(np.asarray(stack.data), expected, atol=1e-3 * np.ptp(expected))
    assert not list(tmp_path.glob("*.partial*"))


def test_stain_takes_frames_and_writes_zarr_and_uncertainty(
    run: Run, movie: Path, generator: Path, tmp_path: Path
) -> None:
    run(
        "stain", movie, "-o", "v.ome.zarr", "--model", generator, "--frames", "1:3",
        "--uncertainty", "u.ome.tif", "--device", "cpu", "--tile", 32,
    )  # fmt: skip
    assert open_stack(tmp_path / "v.ome.zarr").sizes["t"] == 2
    uncertainty = np.asarray(open_stack(tmp_path / "u.ome.tif").data)
    assert uncertainty.shape == (2, 40, 48)
    assert (uncertainty > 0).all()


@pytest.mark.slow
def test_stain_resumes_after_a_kill(run: Run, generator: Path, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(1000, 50, (40, 160, 160)).astype(np.uint16)
    movie = write_image(tmp_path / "long.ome.tif", frames, axes="tyx", pixel_size_um=0.08)
    arguments = ["stain", movie, "-o", "v.ome.tif", "--model", generator]
    code = "from napari_virtualstain.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    journal = tmp_path / "v.ome.tif.partial.journal"
    while process.poll() is None and not (journal.exists() and journal.read_text().count("\n") > 4):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "v.ome.tif").exists(), "the machine was too fast for this test"
    done = journal.read_text()
    result = run("stain", "v.ome.tif.partial", "-o", "x.ome.tif", "--model", generator, code=2)
    assert "unfinished output" in result.stderr
    run(*arguments, "--resume")
    run("stain", movie, "-o", "again.ome.tif", "--model", generator)
    assert done.count("\n") > 4
    np.testing.assert_array_equal(
        np.asarray(open_stack(tmp_path / "v.ome.tif").data),
        np.asarray(open_stack(tmp_path / "again.ome.tif").data),
    )
    result = run(*arguments, "--resume", code=2)
    assert "already complete" in result.stderr


def test_segment_writes_labels_and_measures(run: Run, tmp_path: Path) -> None:
    scene = vs.simulate(frames=2, size=96, count=6, seed=3)
    write_image(tmp_path / "f.ome.tif", scene.fluorescence, axes="tyx", pixel_size_um=0.08)
    result = run("segment", "f.ome.tif", "-o", "l.ome.tif", "--measures", "m.csv")
    labels = open_stack(tmp_path / "l.ome.tif")
    assert (labels.dtype, labels.shape, labels.pixel_size_um) == (np.int32, (2, 96, 96), 0.08)
    table = pd.read_csv(tmp_path / "m.csv")
    found = sum(len(np.unique(frame[frame > 0])) for frame in np.asarray(labels.data))
    assert len(table) == found > 0
    assert f"m.csv: {found} measured" in result.stdout
    assert table["area_um2"].min() >= 0.05
    # as killed between the two outputs
    whole, outlines = (tmp_path / "m.csv").read_bytes(), (tmp_path / "l.ome.tif").read_bytes()
    (tmp_path / "m.csv").unlink()
    again = ["segment", "f.ome.tif", "-o", "l.ome.tif", "--measures", "m.csv", "--resume"]
    assert "l.ome.tif is complete; it is measured as it is" in run(*again).stderr
    assert (tmp_path / "m.csv").read_bytes() == whole
    assert (tmp_path / "l.ome.tif").read_bytes() == outlines
    assert "already complete" in run(*again, code=2).stderr
    run("segment", "f.ome.tif", "-o", "none.ome.tif", "--split", "none", "--threshold", 0.99)
    fewer = np.asarray(open_stack(tmp_path / "none.ome.tif").data)
    assert (fewer > 0).sum() < (np.asarray(labels.data) > 0).sum()


@pytest.mark.parametrize("command", ["stain", "segment"])
def test_input_that_cannot_be_used(run: Run, tmp_path: Path, command: str) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 4000, (5, 40, 48)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "whole.tif", whole)
    content = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "truncated.tif").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.tif").write_text("I am no image at all")
    tifffile.imwrite(tmp_path / "four.tif", rng.integers(0, 9, (5, 2, 40, 48)).astype("u2"))
    rgb = rng.integers(0, 255, (40, 48, 3)).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    write_image(tmp_path / "two.ome.tif", whole[:4].reshape(2, 2, 40, 48), axes="tcyx")
    (tmp_path / "mixed").mkdir()
    Image.fromarray(rgb[..., 0]).save(tmp_path / "mixed" / "t1.png")
    Image.fromarray(rgb[:20, :, 0]).save(tmp_path / "mixed" / "t2.png")
    for given, words in {
        "hole.tif": "hole.tif does not exist. Did you mean 'whole.tif'?",
        "truncated.tif": "truncated.tif is truncated or damaged",
        "text.tif": "Convert it to OME-TIFF",
        "four.tif": "does not say what its axes mean. Give them, for instance axes='tcyx' (--axes",
        "rgb.png": "is a colour (RGB) picture",
        "two.ome.tif": "has 2 channels: 0, 1. Choose one (--channel).",
        "mixed": "t1.png is 40 × 48 px L, t2.png is 20 × 48 px L",
    }.items():
        result = run(command, given, "-o", "out.ome.tif", code=2)
        assert words in result.stderr
        assert not list(tmp_path.glob("out.ome.tif*")), given


def test_options_that_cannot_be(run: Run, movie: Path, generator: Path, tmp_path: Path) -> None:
    base = ["stain", movie, "-o", "out.ome.tif", "--model", generator]
    for options, words in {
        ("--pixel-size-um", "0"): "The pixel size is 0.0 µm: expected a positive number",
        ("--pixel-size-um", "80"): "80 nm is 0.08 µm",
        ("--frame-interval-s", "nan"): "frame interval is nan s",
        ("--axes", "tyxq"): "Axes 'tyxq'",
        ("--channel", "3"): "one channel only",
        ("--frames", "7:9"): "select none of the 4",
        ("--frames", "a"): "cannot be understood",
        ("--device", "tpu"): "tpu",
        ("--model", "nope"): "There is no model 'nope'. Available: ",
    }.items():
        result = run(*base, *options, code=2)
        assert words in result.stderr, options
        assert not list(tmp_path.glob("out.ome.tif*")), options


def test_model_files_that_cannot_be_used(
    run: Run, movie: Path, generator: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.safetensors").write_text("hello")
    whole = generator.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04cos\nsystem\n(S'touch hacked'\ntR.")
    for name in ("text", "cut", "pickle"):
        path = tmp_path / f"{name}.safetensors"
        result = run("stain", movie, "-o", "out.ome.tif", "--model", path, code=2)
        assert f"{name}.safetensors" in result.stderr
    assert not (tmp_path / "hacked").exists()
    result = run("segment", movie, "-o", "out.ome.tif", "--model", generator, code=2)
    assert "generator" in result.stderr


def test_outputs_that_cannot_be_written(
    run: Run, movie: Path, generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ["stain", movie, "--model", generator, "-o"]
    (tmp_path / "there.ome.tif").write_text("mine")
    result = run(*base, "there.ome.tif", code=2)
    assert "there.ome.tif exists already" in result.stderr
    assert (tmp_path / "there.ome.tif").read_text() == "mine"
    assert "expected a name that ends in .ome.tif" in run(*base, "out.png", code=2).stderr
    before = movie.read_bytes()
    assert "is the input itself" in run(*base, movie, "--overwrite", code=2).stderr
    assert movie.read_bytes() == before
    assert "cannot be written" in run(*base, movie / "sub" / "out.ome.tif", code=2).stderr
    assert "the name is too long" in run(*base, "x" * 300 + ".ome.tif", code=2).stderr
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    result = run(*base, "full.ome.tif", code=2)
    assert "Free some space" in result.stderr
    assert not list(tmp_path.glob("full*"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(run: Run, movie: Path, generator: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run("stain", movie, "--model", generator, "-o", "locked/out.ome.tif", code=2)
    assert "you may not write there" in result.stderr


@pytest.mark.parametrize(
    "frames",
    [
        np.full((2, 40, 48), 7, np.uint16),
        np.full((2, 40, 48), 65535, np.uint16),
        np.zeros((2, 40, 48), np.uint8),
        np.random.default_rng(0).integers(0, 2, (2, 40, 48)).astype(bool),
        np.random.default_rng(0).normal(size=(2, 17, 23)).astype(np.float32),
        np.random.default_rng(0).integers(-99, 99, (2, 40, 48)).astype(np.int16),
        np.random.default_rng(0).integers(0, 4095, (2, 40, 48)).astype(">u2"),
        np.where(np.eye(40, 48) > 0, np.nan, 1.0)[None].astype(np.float32),
        np.random.default_rng(0).normal(size=(40, 48)).astype(np.float32),
        np.random.default_rng(0).integers(0, 4095, (2, 2, 3)).astype(np.uint16),
        (np.random.default_rng(0).normal(1, 0.1, (2, 40, 48)) * 1e300),
    ],
    ids=[
        "constant",
        "saturated",
        "empty",
        "1-bit",
        "odd",
        "signed",
        "big-endian",
        "nan",
        "single",
        "tiny",
        "huge",
    ],
)
def test_strange_but_possible_movies_are_stained_and_segmented(
    run: Run, generator: Path, tmp_path: Path, frames: np.ndarray
) -> None:
    tifffile.imwrite(tmp_path / "in.tif", frames, photometric="minisblack")
    size = ["--pixel-size-um", 0.08]
    run("stain", "in.tif", "-o", "v.ome.tif", "--model", generator, *size)
    stained = np.asarray(open_stack(tmp_path / "v.ome.tif").data)
    assert np.isfinite(stained).all()
    run("segment", "v.ome.tif", "-o", "l.ome.tif")
    labels = np.asarray(open_stack(tmp_path / "l.ome.tif").data)
    assert labels.shape == stained.shape


def test_arithmetic_average_and_filter_are_options(
    run: Run, movie: Path, generator: Path, tmp_path: Path
) -> None:
    frames = np.asarray(open_stack(movie).data)
    options = {"precision": "float32", "average": True}
    run("stain", movie, "-o", "a.ome.tif", "--model", generator, "--precision", "float32",
        "--average", "--device", "cpu")  # fmt: skip
    expected = vs.stain(frames, str(generator), pixel_size_um=0.08, device="cpu", **options)
    np.testing.assert_allclose(np.asarray(open_stack(tmp_path / "a.ome.tif").data), expected)
    run("stain", movie, "-o", "t.ome.tif", "--model", generator, "--temporal", 1, "--average",
        "--precision", "float32")  # fmt: skip
    filtered = np.asarray(open_stack(tmp_path / "t.ome.tif").data)
    assert np.abs(np.diff(filtered, axis=0)).mean() < np.abs(np.diff(expected, axis=0)).mean()
    no = run("stain", movie, "-o", "x.ome.tif", "--model", generator, "--precision", "int8",
             "--device", "cpu", code=2)  # fmt: skip
    assert "choose the device openvino" in no.stderr
    run("stain", movie, "-o", "x.ome.tif", "--model", generator, "--precision", "double", code=2)


def test_an_add_on_is_chosen_like_a_model(run: Run, movie: Path, tmp_path: Path) -> None:
    class Plugin:
        @staticmethod
        @hook_implementation
        def virtualstain_generators():
            return {"double": lambda: lambda image, *, pixel_size_um=None: 2 * image}

    EXTENSIONS.register(Plugin, "test-cli-add-on")
    try:
        result = run("stain", movie, "-o", "v.ome.tif", "--model", "double")
        run("run", movie, "-o", "out", "--model", "double")
    finally:
        EXTENSIONS.unregister("test-cli-add-on")
    assert "whether it fits this movie cannot be checked" in result.stderr
    doubled = 2.0 * np.asarray(open_stack(movie).data)
    np.testing.assert_array_equal(np.asarray(open_stack(tmp_path / "v.ome.tif").data), doubled)
    assert (tmp_path / "out" / "movie" / "tracks.csv").exists()


def test_the_trust_of_objects_and_tracks_comes_from_the_uncertainty(
    run: Run, labels: Path, tmp_path: Path
) -> None:
    marks = np.asarray(open_stack(labels).data)
    write_image(tmp_path / "f.ome.tif", 100.0 * (marks > 0) + 10, axes="tyx", pixel_size_um=0.1)
    doubt = np.where(marks == 1, 1.0, 100.0).astype(np.float32)
    write_image(tmp_path / "u.ome.tif", doubt, axes="tyx", pixel_size_um=0.1)
    run("track", labels, "-o", "t.csv", "--intensity", "f.ome.tif", "--uncertainty", "u.ome.tif")
    table = pd.read_csv(tmp_path / "t.csv")
    trust = table.groupby("label")["trust"].mean()
    assert trust[1] > 0.99
    assert trust[2] == pytest.approx(0.5, abs=1e-3)
    assert sorted(table.groupby("track_id")["track_trust"].first().round(2)) == [0.5, 1.0]
    assert set(vs.Tracks.from_csv(tmp_path / "t.csv").summary["trust"].round(2)) == {0.5, 1.0}
    base = ["segment", "f.ome.tif", "-o", "l.ome.tif", "--uncertainty", "u.ome.tif"]
    run(*base, "--measures", "m.csv", "--threshold", 0.2)
    assert pd.read_csv(tmp_path / "m.csv")["trust"].between(0, 1).all()
    assert "--measures" in run(*base, "--overwrite", code=2).stderr
    result = run("track", labels, "-o", "n.csv", "--uncertainty", "u.ome.tif", code=2)
    assert "--intensity" in result.stderr


def test_a_person_is_asked_for_a_missing_pixel_size(
    tmp_path: Path, generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.zeros((5, 40, 48), np.uint16))
    stack = open_stack(tmp_path / "in.tif")
    job = Job()
    assert settle_pixel_size(stack, job, str(generator)) is stack
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(cli_options, "sys", SimpleNamespace(stdin=terminal, stderr=terminal))
    asked = []
    monkeypatch.setattr(
        cli_options.typer, "prompt", lambda text, **given: asked.append((text, given)) or 0.16
    )
    assert settle_pixel_size(stack, job, str(generator)).pixel_size_um == 0.16
    assert "Pixel size in µm" in asked[0][0]
    assert asked[0][1]["default"] == 0.08


def test_a_missing_pixel_size_is_said(run: Run, generator: Path, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.zeros((5, 40, 48), np.uint16))
    result = run("stain", "in.tif", "-o", "v.ome.tif", "--model", generator)
    assert "Warning: " in result.stderr
    assert "pixel size" in result.stderr
    assert "its 5 planes are taken as time" in result.stderr
    assert "Fit of the model to this movie: " in result.stderr


@pytest.mark.parametrize(("frames", "is_said"), [("0", False), ("0:2", True)])
def test_the_fit_frame_by_frame_is_said_of_two_frames_or_more(
    run: Run, movie: Path, frames: str, is_said: bool
) -> None:
    arguments = ["--model", "mito-simulated", "--no-average", "--device", "cpu"]
    result = run("stain", movie, "-o", "v.ome.tif", "--frames", frames, *arguments)
    assert ("Fit frame by frame: " in result.stderr) == is_said


def test_measures_alone_are_made_only_when_resuming(run: Run, tmp_path: Path) -> None:
    """Labels that are there are outlined again with --overwrite and kept with --resume."""
    light = np.zeros((2, 48, 48), np.float32)
    light[:, 20:26, 10:30] = 100
    write_image(tmp_path / "f.ome.tif", light, axes="tyx", pixel_size_um=0.08)
    base = ["segment", "f.ome.tif", "-o", "l.ome.tif"]
    labels = tmp_path / "l.ome.tif"
    run(*base)
    before = labels.stat().st_mtime_ns
    for given in (["--measures", "m.csv"], ["--resume"]):
        assert "l.ome.tif" in run(*base, *given, code=2).stderr
        assert not (tmp_path / "m.csv").exists()
    run(*base, "--measures", "m.csv", "--resume")
    assert labels.stat().st_mtime_ns == before
    assert (tmp_path / "m.csv").exists()
    run(*base, "--measures", "m.csv", "--overwrite")
    assert labels.stat().st_mtime_ns != before
