"""Numbers that decide how tracks, joins and events come out, each with unit, range and source.

Few movies need others. They are reached by keyword, settings file and in a sweep alike::

    TrackSettings(tuning=TrackTuning(motion=MotionTuning(turn_share=0.05)))
    {"track": {"tuning": {"motion": {"turn_share": 0.05}}}}

A *typical step* is the standard deviation of a step along one axis, estimated from the movie.
Unless a description names another source, the defaults were chosen on simulated movies
(``benchmarks/tracking_simulator.py``, ``tracking_motions.py``) and judged on the sets of
``benchmarks/tracking_quality.py``.

What no user tunes stays a constant of its module: mathematical constants, iterations that run until
nothing changes, sizes of samples and of arrays, limits of what counts as an input, and what the
weights of the error probability (``tracking/judging``) were fitted with.
"""

from __future__ import annotations

from pydantic import Field

from .event_tuning import DivisionTuning, EventTuning, PersistenceTuning
from .fields import Settings, setting
from .link_tuning import GapTuning, JoinTuning, LinkTuning, MotionTuning, PaperTuning


class MotionClassTuning(Settings):
    """Classes of motion by the exponent of the mean squared displacement."""

    directed_exponent: float = setting(
        1.35, "Directed", "Exponent above which motion is directed; 2 is constant velocity."
    )
    confined_exponent: float = setting(
        0.65, "Confined", "Exponent below which motion is confined; 1 is diffusion."
    )
    least_positions: int = setting(
        8, "Positions", "Fewest positions of a track whose motion has a class.", ge=2
    )
    lag_part: int = setting(
        3, "Longest lag", "The fit heeds lags up to one in so many positions of the track.", ge=1
    )


class TrackTuning(Settings):
    """Numbers that decide about links, joins and events, by what they decide.

    Examples
    --------
    >>> TrackTuning(events=EventTuning(clump_frames=3)).events.least_listed_probability
    0.3
    """

    motion: MotionTuning = Field(
        default_factory=MotionTuning, description="Motion and position error."
    )
    links: LinkTuning = Field(default_factory=LinkTuning, description="Links and their quality.")
    paper: PaperTuning = Field(
        default_factory=PaperTuning, description="Noise of the paper's method."
    )
    gaps: GapTuning = Field(default_factory=GapTuning, description="Filled gaps.")
    joins: JoinTuning = Field(default_factory=JoinTuning, description="Joins of ends.")
    events: EventTuning = Field(default_factory=EventTuning, description="Fission and fusion.")
    divisions: DivisionTuning = Field(
        default_factory=DivisionTuning, description="Divisions from positions alone."
    )
    persistence: PersistenceTuning = Field(
        default_factory=PersistenceTuning, description="Lives of objects and artefacts."
    )
    motion_classes: MotionClassTuning = Field(
        default_factory=MotionClassTuning, description="Directed, diffusive, confined."
    )
    false_alarm_frames: int = setting(
        5,
        "Long movies",
        "Frames of a movie from which on single detections are false alarms, unless min_length is "
        "given.",
        unit="frames",
        ge=1,
    )
    same_object_share: float = setting(
        0.5,
        "Same object in z",
        "Masks of neighbouring planes are one object if they share this part of the smaller.",
        gt=0,
        le=1,
    )
