"""Live tracking during acquisition, one frame at a time.

Only objects that can still be seen again are held in memory; finished ones live on in the
table alone. What the past cannot know, the future adds: :meth:`LiveTracker.tracks` gives the
tracks so far, and linking the collected detections again with :func:`link` when the
acquisition has ended improves them.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ..axes import check_positive
from ..errors import InputError
from .detections import Detections, check_scale, no_rows, read_detections
from .linking.extended import LinkModel, MixtureFollower
from .linking.link_quality import LinkEvidence, quality
from .linking.noise import model_from_step, mutual_steps, spread_of, usable_step_um
from .linking.online import OnlineLinker
from .motion_models.smoothing import fill_gaps
from .tracking_config import TrackingConfig
from .tracks import Tracks


class LiveTracker:
    """Live tracker: the track of each detection as soon as its frame is taken.

    Parameters
    ----------
    step_um : float, optional
        How far objects go from one look to the next, along an axis. None estimates it from the
        first two and corrects it over some more.
    config : TrackingConfig, optional
        ``max_gap``, ``search_radius_um`` and ``tuning`` are heeded.
    frame_interval_s, pixel_size_um : float
        Scale of the movie.

    Examples
    --------
    >>> live = LiveTracker(step_um=0.1)
    >>> for t in range(3):
    ...     seen = pd.DataFrame({"frame": t, "y_um": [0.0, 5.0], "x_um": [0.1 * t, 0.0]})
    ...     names = live.push(seen)
    >>> names.tolist()
    [1, 2]
    """

    def __init__(
        self,
        *,
        step_um: float | None = None,
        config: TrackingConfig | None = None,
        frame_interval_s: float = 1.0,
        pixel_size_um: float = 1.0,
    ) -> None:
        self.config = config or TrackingConfig()
        check_scale(pixel_size_um, frame_interval_s)
        self.frame_interval_s = float(frame_interval_s)
        self.pixel_size_um = float(pixel_size_um)
        self._step_um = check_positive(step_um, "step", "µm")
        self._fixed = step_um is not None
        self._linker: OnlineLinker | None = None
        self._previous: Detections | None = None
        self._learnt = 0
        self._first_frame = 0
        self._interval = 0
        self._rows: list[pd.DataFrame] = []

    @property
    def followed(self) -> int:
        """Number of objects that can still be seen again."""
        return self._linker.followed if self._linker else 0

    def push(self, detections: pd.DataFrame) -> np.ndarray:
        """Return the track of each row of `detections`, which are those of one later frame.

        Raises
        ------
        InputError
            The rows are of several frames, not later than those before, or say other things of
            each object than those before.
        """
        found = read_detections(detections)
        if len(found) == 0:
            return np.zeros(0, np.int64)
        frame = self._checked_frame(found)
        self._check_columns(found)
        self._count(frame)
        self._learn(found)
        linker = self._ready()
        look = (frame - self._first_frame) // self._frame_step
        track_ids = linker.push(look, found) + 1
        self._collect(found, track_ids, linker.evidence)
        self._previous = found
        out = np.empty(len(track_ids), np.int64)
        out[found.row] = track_ids
        return out

    def tracks(self) -> Tracks:
        """Return the tracks so far."""
        columns = ["track_id", "frame", "y_um", "x_um", "label", "area_um2", "interpolated"]
        table = pd.concat(self._rows, ignore_index=True) if self._rows else no_rows(columns)
        if self.config.fill_gaps and len(table):
            table = fill_gaps(table, self._frame_step, self.config.tuning.gaps)
        return Tracks.from_table(
            table, pixel_size_um=self.pixel_size_um, frame_interval_s=self.frame_interval_s
        )

    def _checked_frame(self, found: Detections) -> int:
        frame = int(found.frame[0])
        if found.frame[-1] != frame:
            raise InputError(
                f"Detections of frames {frame} to {found.frame[-1]} came at once: push one frame "
                "at a time, or use link() for a whole movie."
            )
        if self._previous is not None and frame <= (last := int(self._previous.frame[0])):
            raise InputError(
                f"Frame {frame} came after frame {last}: push frames in order of time."
            )
        return frame

    def _check_columns(self, found: Detections) -> None:
        known = found.feature_names if self._previous is None else self._previous.feature_names
        if found.feature_names != known:
            here, before = (
                ", ".join(name.removeprefix("log_") for name in names) or "places alone"
                for names in (found.feature_names, known)
            )
            raise InputError(
                f"Frame {found.frame[0]} tells {here}, the frames before {before}: push the same "
                "columns in every frame."
            )

    @property
    def _frame_step(self) -> int:
        """Frames from look to look, as far as it can be known: 2 for frames 0, 2, 4."""
        return max(self._interval, 1)

    def _count(self, frame: int) -> None:
        """Take in the number of a frame; a smaller step than before refines what was counted."""
        if self._previous is None:
            self._first_frame = frame
            return
        interval = math.gcd(self._interval, frame - int(self._previous.frame[0]))
        finer = self._interval // interval
        if self._linker is not None and finer > 1:
            self._linker.refine(finer)
            if self._step_um is not None and not self._fixed:
                self._step_um /= math.sqrt(finer)
        self._interval = interval

    def _learn(self, found: Detections) -> None:
        """Keep a running estimate of how far things go from look to look."""
        if (
            self._fixed
            or self._previous is None
            or self._learnt >= self.config.tuning.motion.live_frames
        ):
            return
        steps = int(found.frame[0] - self._previous.frame[0]) // self._frame_step
        step = spread_of(mutual_steps(self._previous.position_um, found.position_um, steps))
        if step > 0:
            self._learnt += 1
            old = self._step_um
            self._step_um = step if old is None else old + (step - old) / self._learnt
            if self._linker is not None:
                self._follower.model = self._model()

    def _model(self) -> LinkModel:
        radius, tuning = self.config.search_radius_um, self.config.tuning
        return model_from_step(usable_step_um(self._step_um or 0.0, radius, tuning.motion), tuning)

    def _ready(self) -> OnlineLinker:
        if self._linker is None:
            self._follower = MixtureFollower(self._model())
            self._linker = OnlineLinker(
                self._follower,
                self.config.max_gap,
                self.config.search_radius_um,
                self.config.tuning.links.probability_rounds,
            )
        return self._linker

    def _collect(
        self, found: Detections, track_ids: np.ndarray, evidence: LinkEvidence | None
    ) -> None:
        known = evidence or LinkEvidence.empty(len(found))
        begins = known.log_ratio == 0
        self._rows.append(
            pd.DataFrame(
                {
                    **found.columns(track_ids),
                    "quality": quality(known, known, ~begins, begins, self.config.tuning.links),
                }
            )
        )
