"""Pipeline of one movie: all steps, resuming an interrupted run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AxesError
from ..io import Stack, check_output, open_stack
from ..settings import PipelineSettings
from .pipeline_settings import save_settings
from .record import RunRecord, fingerprint
from .stages import (
    measure_stack,
    score_movie,
    segment_stack,
    stain_stack,
    track_stack,
    write_tracks,
)

if TYPE_CHECKING:
    from ..progress import CancelToken, ProgressCallback

FLUORESCENCE = "virtual_fluorescence.ome.tif"
LABELS = "labels.ome.tif"
UNCERTAINTY = "uncertainty.ome.tif"


@dataclass(slots=True)
class MovieResult:
    """Outcome of one movie.

    Attributes
    ----------
    folder : Path
        Of its results.
    done : list of str
        Steps done now.
    kept : list of str
        Steps that an earlier run had done already.
    fit : str
        Which frames do not fit the model; empty for a single frame and for an add-on.
    score : str
        The main figures against the reference, empty without one.
    """

    folder: Path
    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    fit: str = ""
    score: str = ""


def process_movie(
    bright_field: Stack,
    folder: str | Path,
    settings: PipelineSettings | None = None,
    *,
    reference: Stack | None = None,
    device: str | None = None,
    tile: int | None = None,
    scheduler: Any = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> MovieResult:
    """Stain, segment, track and measure a movie into a folder, and score it.

    Writes ``virtual_fluorescence.ome.tif labels.ome.tif tracks.csv events.csv
    measures.csv settings.json run.json``, ``uncertainty.ome.tif`` where the model predicts
    it, and with a reference ``metrics.csv report.html``. What an earlier run with the same
    input and settings finished is kept; what it began is resumed within the step.

    Parameters
    ----------
    bright_field : Stack
        Axes tyx or yx; or tzyx or zyx, of which each plane is stained and segmented, and the
        plane or the maximum over z tracked and measured that ``settings.track.z_plane`` names.
    folder : str or Path
        Made if need be.
    settings : PipelineSettings, optional
        Defaults if not given. Its `read` part is only written down here.
    reference : Stack, optional
        True fluorescence of the same frames.
    device, tile : optional
        See :func:`napari_virtualstain.engine.stain`; they do not change the result.
    scheduler : str or distributed.Client, optional
        Of a cluster that stains, see :func:`napari_virtualstain.staining.cluster_client`.
    overwrite : bool
        Whether results of another input or other settings may be replaced.
    progress, cancel : optional
        See :mod:`napari_virtualstain.progress`. Cancelling keeps what is done.

    Raises
    ------
    AxesError
        Channels.
    InputError
        There is no such plane.
    OutputExistsError
        The folder holds results of another input or other settings.
    VirtualStainError
        As the steps.
    """
    run = _Run(
        stack=bright_field,
        folder=Path(folder),
        settings=settings or PipelineSettings(),
        overwrite=overwrite,
        common={"progress": progress, "cancel": cancel},
    )
    run.prepare(device)
    run.stain(device=device, tile=tile, scheduler=scheduler)
    run.segment()
    run.track()
    run.measure()
    if reference is not None:
        run.evaluate(reference)
    return run.result


@dataclass(slots=True)
class _Run:
    stack: Stack
    folder: Path
    settings: PipelineSettings
    overwrite: bool
    common: dict[str, Any]
    result: MovieResult = field(init=False)
    record: RunRecord = field(init=False)
    first_device: str = field(init=False)
    mark: str = ""

    def prepare(self, device: str | None) -> None:
        """Check input, models, device and folder before anything is written."""
        from ..engine import parse_frames, resolve_devices
        from ..tracking import check_plane

        if self.stack.axes not in ("yx", "tyx", "zyx", "tzyx"):
            raise AxesError(
                f"{self.stack.name} has axes {self.stack.axes!r}: expected 'tyx' or 'tzyx', one "
                "channel in time. Choose a channel (--channel), or name the axes (--axes)."
            )
        check_plane(self.settings.track.z_plane, self.stack.sizes.get("z"))
        check_models(self.settings)
        parse_frames(self.settings.stain.frames, self.stack.sizes.get("t", 1))
        self.first_device = str(resolve_devices(device)[0])
        check_output(self.folder / "settings.json", overwrite=True)
        self.result = MovieResult(self.folder)
        self.record = RunRecord.of(self.folder, str(self.stack.source))
        geometry = self.stack.geometry
        self.mark = fingerprint(str(self.stack.data.name), self.stack.shape, geometry.scale)

    def stain(self, **place: Any) -> None:
        """Write the virtual fluorescence."""
        from ..staining import FrameFit, describe_fits

        chosen = self.settings.stain
        used = _model_facts(chosen.model, "generator")
        outputs = [FLUORESCENCE, *([UNCERTAINTY] if self._is_uncertain else [])]
        facts = dict(used)
        fits: list[FrameFit] = []

        def work(resume: bool) -> None:
            stain_stack(
                self.stack,
                self._path(FLUORESCENCE),
                chosen,
                uncertainty_out=self._path(UNCERTAINTY) if self._is_uncertain else None,
                on_fit=fits.append,
                resume=resume,
                **place,
                **self._writing,
            )
            if len(fits) > 1:
                facts["fit"] = describe_fits(fits)

        self._step("stain", outputs, [chosen.model_dump(), used], work, facts)
        self.result.fit = str(self.record.facts("stain").get("fit", ""))
        save_settings(self._path("settings.json"), self.settings, overwrite=True)

    def segment(self) -> None:
        """Write the labels."""
        chosen = self.settings.segment
        used = _model_facts(chosen.model, "segmenter")

        def work(resume: bool) -> None:
            segment_stack(
                self._open(FLUORESCENCE),
                self._path(LABELS),
                chosen,
                device=self.first_device,
                resume=resume,
                **self._writing,
            )

        self._step("segment", [LABELS], [chosen.model_dump(), used], work, used)

    def track(self) -> None:
        """Write tracks and events."""

        def work(resume: bool) -> None:
            tracks = track_stack(
                self._open(LABELS),
                self._open(FLUORESCENCE),
                self._uncertainty,
                config=self.settings.track,
                **self.common,
            )
            write_tracks(tracks, self._path("tracks.csv"), self._path("events.csv"), overwrite=True)

        names = ["tracks.csv", "events.csv"]
        self._step("track", names, [self.settings.track.model_dump()], work, {})

    def measure(self) -> None:
        """Write the measures."""
        from ..tracking import Tracks

        def work(resume: bool) -> None:
            measure_stack(
                self._open(LABELS),
                self._open(FLUORESCENCE),
                self._path("measures.csv"),
                uncertainty=self._uncertainty,
                tracks=Tracks.from_csv(self._path("tracks.csv")),
                tracked=self.settings.track,
                overwrite=True,
                **self.common,
            )

        self._step("measure", ["measures.csv"], [], work, {})

    def evaluate(self, reference: Stack) -> None:
        """Write the scores."""

        def work(resume: bool) -> None:
            score = score_movie(
                self._open(FLUORESCENCE),
                reference,
                self.folder,
                bright_field=self.stack,
                overwrite=True,
                **self.common,
            )
            facts["score"] = score.sentence

        facts: dict[str, Any] = {}
        used = [str(reference.data.name), reference.shape]
        self._step("evaluate", ["metrics.csv", "report.html"], used, work, facts)
        self.result.score = str(self.record.facts("evaluate").get("score", ""))

    @property
    def _is_uncertain(self) -> bool:
        """Whether the expected error is written: as asked, or where the model predicts it."""
        from ..models import default_model, read_card
        from ..staining import is_add_on

        chosen = self.settings.stain
        if chosen.uncertainty is not None:
            return chosen.uncertainty
        if is_add_on(chosen.model):
            return False
        return read_card(chosen.model or default_model("generator")).predicts_uncertainty

    @property
    def _uncertainty(self) -> Stack | None:
        return self._open(UNCERTAINTY) if self._is_uncertain else None

    @property
    def _writing(self) -> dict[str, Any]:
        return {"overwrite": True, **self.common}

    def _step(
        self,
        name: str,
        outputs: Sequence[str],
        chosen: Sequence[Any],
        work: Callable[[bool], None],
        facts: dict[str, Any],
    ) -> None:
        """Run a step unless it is done; its fingerprint depends on all steps before it."""
        paths = [self._path(output) for output in outputs]
        self.mark = fingerprint(self.mark, name, *chosen)
        if self.record.is_done(name, self.mark, paths):
            self.result.kept.append(name)
            return
        self.record.check_free(name, self.mark, paths, self.overwrite)
        is_resumed = self.record.is_begun(name, self.mark)
        self.record.begin(name, self.mark, paths)
        start = time.perf_counter()
        work(is_resumed)
        seconds = round(time.perf_counter() - start, 3)
        self.record.finish(name, self.mark, seconds=seconds, outputs=list(outputs), **facts)
        self.result.done.append(name)

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _open(self, name: str) -> Stack:
        return open_stack(self._path(name))


def check_models(settings: PipelineSettings) -> None:
    """Refuse models that are not there, before any work.

    Raises
    ------
    ModelError
        There is no generator or segmenter of that name or path.

    Examples
    --------
    >>> check_models(PipelineSettings())
    """
    _model_facts(settings.stain.model, "generator")
    _model_facts(settings.segment.model, "segmenter")


def _model_facts(model: str | None, kind: Any) -> dict[str, Any]:
    """Return name and checksum of the model that a step uses."""
    from ..models import default_model, read_card
    from ..segmentation import is_added_segmenter
    from ..staining import is_add_on

    if (is_add_on if kind == "generator" else is_added_segmenter)(model):
        return {"model": model, "weights_sha256": None}
    name = model or default_model(kind)
    return {"model": name, "weights_sha256": read_card(name).weights_sha256}
