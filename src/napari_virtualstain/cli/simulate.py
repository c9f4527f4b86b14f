"""``virtualstain simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Overwrite
from .running import running_job


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder; created if missing.")],
    frames: Annotated[int, typer.Option(help="Number of frames.")] = 20,
    size: Annotated[int, typer.Option(help="Height and width in pixels.")] = 256,
    count: Annotated[int, typer.Option(help="Mitochondria in focus.")] = 25,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same movie.")] = 0,
    density: Annotated[
        float | None, typer.Option(help="Mitochondria per 100 µm²; replaces --count.")
    ] = None,
    pixel_size_um: Annotated[
        float, typer.Option("--pixel-size-um", help="Pixel size in µm.")
    ] = 0.08,
    frame_interval_s: Annotated[
        float, typer.Option("--frame-interval-s", help="Seconds from frame to frame.")
    ] = 2.0,
    overwrite: Overwrite = False,
) -> None:
    """Simulate a correlative movie of mitochondria, with truth.

    Writes bright_field.ome.tif, fluorescence.ome.tif, labels.ome.tif, tracks.csv,
    events.csv and scene.json.

    Example:  virtualstain simulate scene --frames 50 --count 40 --seed 7
    """
    from ..io import check_output
    from ..simulation import simulate as simulate_scene

    names = ["bright_field.ome.tif", "fluorescence.ome.tif", "labels.ome.tif"]
    with running_job() as job:
        for name in (*names, "tracks.csv", "events.csv", "scene.json"):
            check_output(out / name, overwrite=overwrite)
        scene = simulate_scene(
            frames=frames,
            size=size,
            count=count,
            seed=seed,
            density=density,
            pixel_size_um=pixel_size_um,
            frame_interval_s=frame_interval_s,
            progress=job.progress,
            cancel=job.cancel,
        )
        scene.save(out, overwrite=overwrite)
        tracks = scene.tracks["track_id"].nunique()
        job.say(
            f"{out}: {frames} frames, {tracks} tracks, {len(scene.events)} fissions and fusions"
        )
