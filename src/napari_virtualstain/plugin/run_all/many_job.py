"""The work of the dock `Run on many movies`, without Qt and without the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...progress import Progress
from ...settings import PipelineSettings
from ..contributions.readers import MOVIE_SUFFIXES
from ..kit.jobs import JobContext
from ..kit.preferences import Preferences
from ..kit.worker_threads import import_torch

if TYPE_CHECKING:
    from ...pipeline import MovieOutcome


@dataclass(frozen=True, slots=True)
class LayerMovie:
    """Movie of a layer, copied in the GUI thread.

    Attributes
    ----------
    name : str
        Of the layer.
    data : array
        Of the axes `axes`, lazy or not.
    axes : str
        Of the data.
    pixel_size_um, frame_interval_s : float or None
        What the layer states.
    model : str
        Name of the shipped generator that suits it.
    """

    name: str
    data: Any
    axes: str
    pixel_size_um: float | None
    frame_interval_s: float | None
    model: str

    def open(self) -> Any:
        """Return the movie as the commands know it."""
        import dask.array as da

        from ...io import Stack

        data = self.data if isinstance(self.data, da.Array) else da.from_array(self.data)
        return Stack(
            data,
            self.axes,
            pixel_size_um=self.pixel_size_um,
            frame_interval_s=self.frame_interval_s,
            name=self.name,
        )


@dataclass(frozen=True, slots=True)
class RunManyRequest:
    """Request to run all steps on many movies.

    Attributes
    ----------
    movies : tuple
        Paths of files and folders, and movies of layers.
    out : Path
        Gets a folder for each movie and the table of all.
    settings : PipelineSettings
        Of all movies.
    overwrite : bool
        Whether results of other settings may be replaced.
    preferences : Preferences
        Device and threads.
    """

    movies: tuple[Path | LayerMovie, ...]
    out: Path
    settings: PipelineSettings
    overwrite: bool
    preferences: Preferences


def run_many_job(request: RunManyRequest, context: JobContext) -> Iterator[MovieOutcome]:
    """Yield the outcome of each movie; those that are done already come at once."""
    context.progress(Progress(0, None, "movie", "loading the models"))
    import_torch(context.cancel)
    from ...engine import use_threads
    from ...pipeline import Movie, open_movie, process_movies, result_folders

    use_threads(request.preferences.threads)
    names = [movie_name(movie) for movie in request.movies]
    folders = result_folders(names, request.out)
    read = request.settings.read

    def opener(movie: Path | LayerMovie) -> Any:
        return movie.open if isinstance(movie, LayerMovie) else lambda: open_movie(movie, read)

    total, done = len(names), 0

    def progress(value: Progress) -> None:
        context.progress(replace(value, step=f"movie {done + 1} of {total}, {value.step}"))

    device = request.preferences.device
    for outcome in process_movies(
        [
            Movie(name, folder, opener(movie))
            for name, folder, movie in zip(names, folders, request.movies, strict=True)
        ],
        request.out,
        request.settings,
        device=None if device == "auto" else device,
        overwrite=request.overwrite,
        progress=progress,
        cancel=context.cancel,
    ):
        done += 1
        yield outcome


def movie_name(movie: Path | LayerMovie) -> str:
    """Return what the list and the table call a movie."""
    return movie.name if isinstance(movie, LayerMovie) else str(movie)


def movies_in(folder: Path) -> list[Path]:
    """Return the movies of a folder: its image files and OME-Zarrs, else its folders of frames.

    Raises
    ------
    InputError
        There are none.
    """
    from ...errors import InputError

    there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found = [path for path in there if path.suffix.lower() in MOVIE_SUFFIXES]
    found = found or [path for path in there if path.is_dir() and any(path.glob("*.*"))]
    if not found:
        raise InputError(f"{folder} holds no movie: expected files of {', '.join(MOVIE_SUFFIXES)}.")
    return found
