"""Numbers that decide about fission, fusion, divisions and what lasts."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

from pydantic import model_validator

from .fields import Settings, setting


class EventTuning(Settings):
    """Candidates for fission and fusion, their probability, clumps and fragments.

    Fission is described; fusion is the same with time reversed.
    """

    prior_log_odds: float = setting(
        -0.9, "Event prior", "Log odds of an event before sizes and distances are known."
    )
    least_probability: float = setting(
        0.5, "Least by appearance", "Least probability by appearance of a candidate.", ge=0, le=1
    )
    reach_in_radii: float = setting(
        2.5,
        "Reach, radii",
        "Largest distance of a daughter from the largest parent.",
        unit="radii",
        ge=0,
    )
    reach_in_steps: float = setting(
        3.0,
        "Reach, steps",
        "Largest distance of a daughter from the largest parent.",
        unit="typical steps",
        ge=0,
    )
    split_area_spread: float = setting(
        0.25,
        "Area in a split",
        "Spread of the log ratio of areas, daughters over parent, of masks that split.",
        gt=0,
    )
    area_log_spread: float = setting(
        0.4,
        "Area in a division",
        "Spread of that ratio where one object divides; wide, because dividing nuclei condense "
        "(HeLa nuclei with marked divisions).",
        gt=0,
    )
    centre_in_radii: float = setting(
        0.25,
        "Common centre",
        "Spread of the daughters' common centre about the parent's, beside a step.",
        unit="radii",
        ge=0,
    )
    both_new_log_odds: float = setting(
        2.0,
        "Both new",
        "Log odds of fitting area, and of fitting place, where both daughters begin.",
    )
    least_log_odds: float = setting(
        -6.0, "Least by area, place", "Smallest log odds of area and of place.", le=0
    )
    most_place_log_odds: float = setting(
        4.0, "Most by place", "Largest log odds of place, where the parent goes on.", ge=0
    )
    largest_misfit: float = setting(
        8.0, "Largest misfit", "Largest misfit of area, and of place, in log odds.", ge=0
    )
    growth_in_radii: float = setting(
        0.35, "Growth", "How far an outline may grow in a frame.", unit="radii", ge=0
    )
    overlap_shares: tuple[float, ...] = setting(
        (0.0, 0.1, 0.3, 0.6, 1.0),
        "Shares on the parent",
        "Shares of a daughter's pixels on the grown parent, for overlap_log_odds; ascending.",
        min_length=2,
    )
    overlap_log_odds: tuple[float, ...] = setting(
        (-4.0, -1.5, 0.5, 1.5, 2.0),
        "Log odds of overlap",
        "Log odds of an event at these shares, interpolated between.",
        min_length=2,
    )
    near_log_odds: float = setting(
        1.5, "Near, without masks", "Log odds of daughters inside the parent's radius."
    )
    outside_log_odds: float = setting(
        -4.0, "At the border", "Log odds of an event whose parts may join outside the image."
    )
    probability_weights: tuple[float, float, float, float] = setting(
        (0.91, 0.12, 1.56, -3.99),
        "Weights of probability",
        "Logistic regression of true events on log odds by appearance, of lasting and of the calm "
        "of the movie, and on the log ratio of lengths; fitted on simulated movies, checked by "
        "benchmarks/tracking_simulator.py --calibration.",
    )
    probability_bias: float = setting(-3.91, "Bias of probability", "Constant of that regression.")
    probability_least: tuple[float, float, float, float] = setting(
        (-4.0, -6.0, -1.0, -0.4), "Least evidence", "Its regressors count as these at least."
    )
    probability_most: tuple[float, float, float, float] = setting(
        (4.0, 6.0, 2.0, 0.6), "Most evidence", "Its regressors count as these at most."
    )
    least_listed_probability: float = setting(
        0.3, "Least listed", "Calibrated probability above which an event is listed.", ge=0, le=1
    )
    watched_frames: int = setting(
        8,
        "Frames watched",
        "Time around an event in which the parts may touch.",
        unit="frames",
        ge=1,
    )
    touching_px: float = setting(
        2.0, "Touching", "Largest gap between masks that touch.", unit="pixels", ge=0
    )
    clump_frames: int = setting(
        6,
        "Longest clump",
        "Longest time for which objects that pass each other share one mask.",
        unit="frames",
        ge=0,
    )
    clump_size_tolerance: float = setting(
        0.35, "Clump sizes", "Largest change of log area across a clump.", ge=0
    )
    clump_size_variance: float = setting(
        0.04,
        "Size after a clump",
        "Variance of the change of log area that distinguishes objects after a clump.",
        gt=0,
    )
    clump_steps: float = setting(
        4.0,
        "Way in a clump",
        "Spread of the positions after a clump about those before it.",
        unit="typical steps",
        gt=0,
    )
    fragment_rounds: int = setting(
        3,
        "Rounds of joining",
        "Number of times that fragments are joined and the movie is linked again.",
        ge=0,
    )

    @model_validator(mode="after")
    def _overlap_is_a_curve(self) -> Self:
        shares = self.overlap_shares
        if len(shares) != len(self.overlap_log_odds):
            raise ValueError("expected as many overlap_log_odds as overlap_shares")
        if not all(low < high for low, high in pairwise(shares)):
            raise ValueError("expected ascending overlap_shares")
        return self


class DivisionTuning(Settings):
    """Divisions and fusions recognised from positions alone."""

    reach_in_steps: float = setting(
        25.0, "Reach", "Farthest daughter from the parent.", unit="typical steps", gt=0
    )
    nearest: int = setting(
        6, "Parents tried", "Nearest objects that are tried as parents of a beginning.", ge=1
    )
    lasting_frames: int = setting(
        3,
        "Lasting",
        "Fewest detections of a daughter that does not last until the end.",
        unit="frames",
        ge=1,
    )
    late_frames: int = setting(
        2, "Late", "Frames after the parent in which both were seen.", unit="frames", ge=1
    )
    step_tail: float = setting(
        3.0, "Tail of steps", "Degrees of freedom of Student's t of usual steps.", gt=0
    )
    lost_share: float = setting(
        0.5,
        "Lost",
        "Share of the ends at which an object is only lost, to be found again near.",
        ge=0,
        le=1,
    )
    lost_frames: int = setting(
        4, "Longest loss", "Frames within which it is found again.", unit="frames", ge=1
    )
    lost_reach_in_steps: float = setting(
        12.0,
        "Way when lost",
        "Distance within which it is found again.",
        unit="typical steps",
        gt=0,
    )
    hopeless_log_odds: float = setting(
        -10.0,
        "Hopeless",
        "Candidates are dropped whose log odds stay below under the most favourable model.",
    )
    prior_rate: float = setting(
        1e-3, "Rate", "Divisions a detection, before the movie is seen.", gt=0, lt=1
    )
    middle_variance: float = setting(
        2.25,
        "Middle",
        "Variance of the daughters' middle about the parent beforehand, squared typical steps.",
        gt=0,
    )
    largest_middle_spread: float = setting(
        3.0, "Largest middle", "Largest spread of the middle.", unit="typical steps", gt=0
    )
    apart_in_steps: float = setting(
        8.0, "Apart", "Distance of the daughters beforehand.", unit="typical steps", gt=0
    )
    apart_log_spread: float = setting(
        0.8, "Spread of apart", "Spread of the log distance in the first round.", gt=0
    )
    apart_log_variance: float = setting(
        0.25, "Variance of apart", "Variance of the log distance believed beforehand.", gt=0
    )
    appearance_cap: float = setting(
        4.0, "Most of appearance", "Largest log odds that appearance adds or takes.", ge=0
    )
    prior_divisions: float = setting(
        3.0, "Weight", "Divisions that the belief beforehand is worth.", gt=0
    )
    significance: float = setting(
        1.5,
        "Significant",
        "Standard deviations by which candidates must outnumber their decoys.",
        ge=0,
    )


class PersistenceTuning(Settings):
    """Life of objects and segmentation artefacts, before the movie is seen."""

    ends: float = setting(
        1.0, "Ends", "Ends of objects believed beforehand, in observed_frames.", gt=0
    )
    observed_frames: float = setting(
        100.0, "Frames observed", "Frames in which these ends happen.", unit="frames", gt=1
    )
    real_share: float = setting(
        0.8, "Real changes", "Share of the changes that are real, beforehand.", gt=0, lt=1
    )
    real_weight: float = setting(5.0, "Weight of that", "Changes that this belief is worth.", gt=0)
    repeated_events: float = setting(
        0.5,
        "Events again",
        "Events that undo a change believed beforehand, in observed_objects.",
        gt=0,
    )
    observed_objects: float = setting(
        500.0, "Objects observed", "Objects, each frame counted, in which these happen.", gt=0
    )
    life_apart: float = setting(
        0.5,
        "Life of gaps",
        "Scale of the life of artefacts whose parts are apart: four of five last one frame.",
        unit="frames",
        gt=0,
    )
    life_touching: float = setting(
        1.0,
        "Life of lines",
        "Scale of the life of artefacts whose parts touch: two of three last one frame.",
        unit="frames",
        gt=0,
    )
