"""``virtualstain demo``."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, OutputExistsError
from .options import Device, Overwrite
from .running import Job, running_job

if TYPE_CHECKING:
    from ..pipeline import MovieResult, PipelineSettings


def demo(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")] = Path(
        "virtualstain-demo"
    ),
    frames: Annotated[int, typer.Option(help="Frames to simulate.", min=1)] = 20,
    size: Annotated[int, typer.Option(help="Height and width in pixels.", min=64)] = 256,
    count: Annotated[int, typer.Option(help="Mitochondria in focus.", min=1)] = 25,
    seed: Annotated[int, typer.Option(help="Random seed; each seed gives another movie.")] = 2026,
    model: Annotated[
        str, typer.Option(help="Generator: name of a model, or a file.")
    ] = "mito-simulated",
    segmenter: Annotated[str, typer.Option(help="Segmenter: likewise.")] = "mito-segment",
    device: Device = None,
    view: Annotated[bool, typer.Option("--view", help="Open the result in napari.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Run the whole pipeline on a simulated movie with known truth.

    Simulates a bright-field time-lapse, stains, segments and tracks it with the shipped
    models, scores each step against the truth, and draws overview.png.

    Example:  virtualstain demo demo-output
    """
    if view and importlib.util.find_spec("napari") is None:
        raise InputError(
            "--view needs napari, which is not installed: pip install 'napari-virtualstain[all]', "
            "or leave --view out."
        )
    start = time.perf_counter()
    with running_job() as job:
        settings = _settings(model, segmenter, device)
        _check_folder(out, overwrite)
        _simulate(job, out, frames, size, count, seed)
        result = _process(job, out, settings, device)
        _report(job, out, result, time.perf_counter() - start)
    if view:
        subprocess.run([sys.executable, str(out / "view_in_napari.py")], check=False)


def _check_folder(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds a finished demo or anything that is not a demo's."""
    from ..io import check_output

    if out.is_dir() and any(out.iterdir()) and not overwrite:
        if (out / "overview.png").exists():
            raise OutputExistsError(
                f"{out} holds a finished demo. Choose another folder, or allow replacing it "
                "(--overwrite)."
            )
        if not (out / "truth").is_dir():
            raise OutputExistsError(
                f"{out} is not empty. Choose a new folder, or allow writing into it (--overwrite)."
            )
    check_output(out / "overview.png", overwrite=True)


def _simulate(job: Job, out: Path, frames: int, size: int, count: int, seed: int) -> None:
    """Write the simulated movie with its truth, unless the same is there already."""
    from ..io import write_text_atomically
    from ..simulation import simulate

    asked = json.dumps({"frames": frames, "size": size, "count": count, "seed": seed})
    note = out / "truth" / "demo.json"
    if note.exists() and note.read_text(encoding="utf-8") == asked:
        job.note("The simulated movie of the interrupted demo is used.")
        return
    scene = simulate(
        frames=frames,
        size=size,
        count=count,
        seed=seed,
        progress=job.progress,
        cancel=job.cancel,
    )
    scene.save(out / "truth", overwrite=True)
    write_text_atomically(note, asked, overwrite=True)


def _settings(model: str, segmenter: str, device: str | None) -> PipelineSettings:
    from ..engine import resolve_devices
    from ..pipeline import PipelineSettings, check_models, merged_settings

    chosen: dict[str, dict[str, Any]] = {
        "stain": {"model": model},
        # tracks are better where only what is rather sure is outlined
        "segment": {"model": segmenter, "threshold": 0.7},
    }
    settings = merged_settings(PipelineSettings(), chosen)
    check_models(settings)
    resolve_devices(device)
    return settings


def _process(job: Job, out: Path, settings: PipelineSettings, device: str | None) -> MovieResult:
    from ..io import open_stack
    from ..pipeline import process_movie

    return process_movie(
        open_stack(out / "truth" / "bright_field.ome.tif"),
        out,
        settings,
        reference=open_stack(out / "truth" / "fluorescence.ome.tif"),
        device=device,
        overwrite=True,
        progress=job.progress,
        cancel=job.cancel,
    )


def _report(job: Job, out: Path, result: MovieResult, seconds: float) -> None:
    from ..io import atomic_path, write_table, write_text_atomically
    from .demo_scores import Demo, score_demo
    from .overview import draw_overview

    results = Demo.read(out)
    scores = score_demo(results, progress=job.progress, cancel=job.cancel)
    write_table(out / "scores.csv", scores, overwrite=True)
    write_text_atomically(out / "view_in_napari.py", _VIEW, overwrite=True)
    with atomic_path(out / "overview.png", overwrite=True) as temporary:
        draw_overview(results, scores, temporary)
    width = scores["what"].str.len().max()
    rows: list[Any] = list(scores.itertuples())
    for row in rows:
        rival = f"{row.baseline}: {row.baseline_score:.3f}"
        job.say(f"{row.what:<{width}} {row.score:6.3f}   {rival}")
    job.say(f"{out / 'overview.png'}: look at this first ({seconds:.0f} s for the whole demo)")
    job.say(
        f"{out}: virtual_fluorescence.ome.tif, labels.ome.tif, tracks.csv, events.csv, "
        "measures.csv, metrics.csv, scores.csv, report.html, truth/"
    )


_VIEW = """# Open this demo in napari: python view_in_napari.py (needs napari-virtualstain[all])

from pathlib import Path

import napari

import napari_virtualstain as vs

folder = Path(__file__).parent


def show(add, path, **options):
    stack = vs.open_stack(folder / path)
    return add(stack.data, scale=stack.geometry.scale, name=path.split(".")[0], **options)


viewer = napari.Viewer(title="napari-virtualstain demo")
show(viewer.add_image, "truth/bright_field.ome.tif", colormap="gray")
show(viewer.add_image, "truth/fluorescence.ome.tif", colormap="green", visible=False)
show(viewer.add_image, "virtual_fluorescence.ome.tif", colormap="magenta", blending="additive")
labels = show(viewer.add_labels, "labels.ome.tif", opacity=0.4)
data, properties, graph = vs.Tracks.from_csv(folder / "tracks.csv").to_napari()
viewer.add_tracks(data, properties=properties, graph=graph, scale=labels.scale, name="tracks")
napari.run()
"""
