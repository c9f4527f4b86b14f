"""Many movies through all steps, with a table of results; one that fails does not stop the rest."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CancelledError, InputError
from ..io import Stack, open_stack, plain_name, write_table
from ..settings import PipelineSettings, ReadSettings
from .movie import MovieResult, process_movie

if TYPE_CHECKING:
    from ..progress import CancelToken, ProgressCallback
    from ..staining import FitReport

SUMMARY = "movies.csv"


@dataclass(frozen=True, slots=True)
class Movie:
    """One of many movies.

    Attributes
    ----------
    name : str
        Path or name of a layer, for the table and messages.
    folder : Path
        Of its results.
    open : callable
        Returns the bright-field.
    reference : callable or None
        Returns the true fluorescence.
    """

    name: str
    folder: Path
    open: Callable[[], Stack]
    reference: Callable[[], Stack] | None = None


@dataclass(frozen=True, slots=True)
class MovieRow:
    """Row of the table of results.

    Attributes
    ----------
    movie : str
        Name of the movie.
    frames, tracks, fissions, fusions : int or None
        Counts; None where the movie failed.
    fit : str
        ``green``, ``amber`` or ``red``: whether the model fits; empty where it is not known.
    mean_speed_um_s : float or None
        Mean of the tracks' mean speeds.
    message : str
        Why it failed, empty where it did not.
    """

    movie: str
    frames: int | None = None
    fit: str = ""
    tracks: int | None = None
    mean_speed_um_s: float | None = None
    fissions: int | None = None
    fusions: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class MovieOutcome:
    """Outcome of one of many movies.

    Attributes
    ----------
    movie : Movie
        Which.
    row : MovieRow
        For the table.
    result : MovieResult or None
        What was done, None where it failed.
    error : Exception or None
        Why it failed.
    """

    movie: Movie
    row: MovieRow
    result: MovieResult | None = None
    error: Exception | None = None


def process_movies(
    movies: Sequence[Movie],
    out: Path,
    settings: PipelineSettings | None = None,
    *,
    device: str | None = None,
    tile: int | None = None,
    scheduler: Any = None,
    overwrite: bool = False,
    on_fit: Callable[[Movie, FitReport | None], None] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[MovieOutcome]:
    """Yield the outcome of each movie, and keep their table in ``movies.csv``.

    Parameters
    ----------
    movies : sequence of Movie
        From :func:`movies_of` for instance.
    out : Path
        Gets the table.
    settings, device, tile, scheduler, overwrite, progress, cancel : optional
        See :func:`process_movie`. The same call goes on where a cancelled one stopped.
    on_fit : callable, optional
        Gets each movie and its :class:`napari_virtualstain.staining.FitReport`, None with an
        add-on, before it is stained.

    Raises
    ------
    CancelledError
        As asked; what is finished is kept.
    DeviceError
        There is no cluster at the scheduler's address.
    """
    from ..staining import cluster_client

    chosen = settings or PipelineSettings()
    rows: list[MovieRow] = []
    with contextlib.ExitStack() as opened:
        client = None if scheduler is None else opened.enter_context(cluster_client(scheduler))
        options: dict[str, Any] = {
            "device": device,
            "tile": tile,
            "scheduler": client,
            "overwrite": overwrite,
            "progress": progress,
            "cancel": cancel,
        }
        for movie in movies:
            if cancel is not None:
                cancel.raise_if_cancelled()
            outcome = _outcome(movie, chosen, on_fit, options)
            rows.append(outcome.row)
            if outcome.error is None or len(movies) > 1:  # a single refused movie leaves nothing
                _write(out, rows)
            yield outcome


def _outcome(
    movie: Movie,
    settings: PipelineSettings,
    on_fit: Callable[[Movie, FitReport | None], None] | None,
    options: dict[str, Any],
) -> MovieOutcome:
    """Return what came of a movie, whatever is wrong with it."""
    try:
        stack = movie.open()
        report = fit_of(stack, settings.stain.model)
        if on_fit is not None:
            on_fit(movie, report)
        reference = None if movie.reference is None else movie.reference()
        result = process_movie(stack, movie.folder, settings, reference=reference, **options)
        return MovieOutcome(movie, _row(movie, result, report), result)
    except CancelledError:
        raise
    except Exception as error:  # the others go on
        message = " ".join(str(error).split()) or type(error).__name__
        return MovieOutcome(movie, MovieRow(movie.name, message=message), error=error)


def result_folders(inputs: Sequence[str], out: Path) -> list[Path]:
    """Return a folder for each input, named after it, and after its folder where names repeat.

    Raises
    ------
    InputError
        Two inputs are the same, or have the same name.

    Examples
    --------
    >>> [path.name for path in result_folders(["a/cell.tif", "b/cell.tif", "b/x.tif"], Path())]
    ['a_cell', 'b_cell', 'x']
    """
    names = [plain_name(given) for given in inputs]
    if len(set(inputs)) < len(inputs):
        twice = next(given for given, count in Counter(inputs).items() if count > 1)
        raise InputError(f"The input {twice} is given twice: expected each input once.")
    counts = Counter(names)
    names = [
        f"{Path(given).absolute().parent.name}_{name}" if counts[name] > 1 else name
        for given, name in zip(inputs, names, strict=True)
    ]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"Several inputs are called {repeated[0]!r}: expected names that tell them apart. "
            "Rename them, or run them into folders of their own."
        )
    return [out / name for name in names]


def fit_of(stack: Stack, model: str | None) -> FitReport | None:
    """Return how a movie looks beside what the model was trained on, None for an add-on."""
    from ..staining import assess_fit, is_add_on

    return None if is_add_on(model) else assess_fit(stack, model, stack.pixel_size_um)


def open_movie(path: str | Path, read: ReadSettings | None = None) -> Stack:
    """Return one channel of a movie, read as the settings say.

    Raises
    ------
    InputError
        There are several channels and none was chosen.
    """
    given = read or ReadSettings()
    stack = open_stack(
        path,
        axes=given.axes,
        channel=given.channel,
        position=given.position,
        pixel_size_um=given.pixel_size_um,
        frame_interval_s=given.frame_interval_s,
    )
    return one_channel(stack, path)


def one_channel(stack: Stack, path: str | Path) -> Stack:
    """Return the stack, after checking that no channel is left to be chosen.

    Raises
    ------
    InputError
        There are several.
    """
    if "c" not in stack.axes:
        return stack
    count = stack.sizes["c"]
    names = enumerate(stack.channel_names or [""] * count)
    listed = ", ".join(f"{index} ({name})" if name else str(index) for index, name in names)
    raise InputError(f"{path} has {count} channels: {listed}. Choose one (--channel).")


def _row(movie: Movie, result: MovieResult, report: FitReport | None) -> MovieRow:
    """Return the row of a finished movie, from the files of its results."""
    import numpy as np

    from ..tracking import Tracks
    from .movie import LABELS

    labels = open_stack(result.folder / LABELS)
    tracks = Tracks.from_csv(result.folder / "tracks.csv")
    kinds = Counter(tracks.events["kind"])
    rows = tracks.table.sort_values(["track_id", "frame"])
    steps = rows.groupby("track_id")[["frame", "y_um", "x_um"]].diff()
    speeds = np.hypot(steps["y_um"], steps["x_um"]) / (steps["frame"] * tracks.frame_interval_s)
    mean = speeds.groupby(rows["track_id"]).mean().mean()
    return MovieRow(
        movie=movie.name,
        frames=labels.sizes.get("t", 1),
        fit="" if report is None else report.level,
        tracks=len(tracks),
        mean_speed_um_s=None if np.isnan(mean) else float(mean),
        fissions=kinds["fission"],
        fusions=kinds["fusion"],
    )


def _write(out: Path, rows: Sequence[MovieRow]) -> None:
    import pandas as pd

    write_table(out / SUMMARY, pd.DataFrame([asdict(row) for row in rows]), overwrite=True)
