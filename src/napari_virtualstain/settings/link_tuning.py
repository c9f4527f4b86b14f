"""Numbers that decide about motion, links, filled gaps and joins of tracks."""

from __future__ import annotations

from itertools import pairwise

from pydantic import field_validator

from .fields import Settings, setting

_Motion = tuple[float, float, float]
# persistence, variance of the noise of a step, variance of a displacement before anything is known
_MOTIONS: tuple[_Motion, ...] = (
    *((-0.3, size, size / 0.91) for size in (0.25, 1.0, 3.0)),
    *((0.0, size, size) for size in (0.1, 0.7, 2.0, 6.0)),
    *((0.5, size, size / 0.75) for size in (0.3, 1.2)),
    *((0.9, size, size / 0.19) for size in (0.15, 0.6)),
    (1.0, 0.01, 1.5),
    (1.0, 0.1, 3.0),
)


class MotionTuning(Settings):
    """Motion models and position error, before and while they are estimated from the movie."""

    motions: tuple[_Motion, ...] = setting(
        _MOTIONS,
        "Motions",
        "Motions that an object may follow: persistence of its displacement, variance of the rest, "
        "variance of a displacement before anything is known; variances in squared typical steps.",
        min_length=3,
    )
    turn_share: float = setting(
        0.01,
        "Sudden turns",
        "Share of the steps at which an object forgets how it moved.",
        gt=0,
        lt=1,
    )
    stay_probability: float = setting(
        0.97, "Same motion", "Probability to keep the motion for a frame.", gt=0, lt=1
    )
    transition_weight: float = setting(
        2.0,
        "Weight of changes",
        "Weight of the changes of motion believed beforehand, in detections for each motion.",
        gt=0,
    )
    idle_share: float = setting(
        0.01,
        "Idle motions",
        "Motions that a smaller share of the detections follows are dropped; three are always "
        "kept.",
        ge=0,
        lt=1,
    )
    noise_shares: tuple[float, ...] = setting(
        (0.1, 0.01, 0.03, 0.2),
        "Position errors",
        "Variances of the position error that are compared, in squared typical steps; the first "
        "linking uses the first.",
        min_length=1,
    )
    new_log_density: float = setting(
        -12.0,
        "Density of new tracks",
        "Log density of detections that begin a track, per squared typical step.",
    )
    missed_log_probability: float = setting(
        -2.0, "Missed", "Log probability that an object is missed in a frame.", le=0
    )
    reach_in_steps: float = setting(
        8.0,
        "Reach",
        "Farthest that a detection may lie from where its object is expected.",
        unit="typical steps",
        gt=0,
    )
    radius_in_steps: float = setting(
        4.0,
        "Steps in a radius",
        "Farthest step over typical step, where only one of the two is known: trackpy's search "
        "range, and the step where the movie shows none.",
        unit="typical steps",
        gt=0,
    )
    live_frames: int = setting(
        20,
        "Frames to estimate",
        "Frames over which live tracking corrects its typical step.",
        unit="frames",
        ge=1,
    )

    @field_validator("motions")
    @classmethod
    def _motions_are_possible(cls, motions: tuple[_Motion, ...]) -> tuple[_Motion, ...]:
        if all(-1 < persistence <= 1 and min(rest) > 0 for persistence, *rest in motions):
            return motions
        raise ValueError("expected persistences over -1 and up to 1, and variances over 0")

    @field_validator("noise_shares")
    @classmethod
    def _noise_is_positive(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if min(shares) > 0:
            return shares
        raise ValueError("expected variances over 0")


class LinkTuning(Settings):
    """Links of the default mode: both sides, appearance, quality and its reasons."""

    hopeless_log_ratio: float = setting(
        2.0,
        "Hopeless",
        "Log likelihood ratio that the future can add to a link at most; pairs farther below a new "
        "track are not judged from both sides.",
        ge=0,
    )
    sure_probability: float = setting(
        0.9,
        "Sure links",
        "Probability above which a link of the first linking teaches appearance.",
        ge=0,
        le=1,
    )
    appearance_least_links: int = setting(
        30, "Links to learn from", "Fewest sure links from which appearance is learned.", ge=1
    )
    appearance_gain: float = setting(
        0.8,
        "Useful appearance",
        "A feature counts if its spread on links is below this part of its spread between any two "
        "objects.",
        ge=0,
    )
    appearance_cap: float = setting(
        3.0, "Most of appearance", "Largest log likelihood ratio of features, and of overlap.", ge=0
    )
    overlap_classes: tuple[float, ...] = setting(
        (1e-9, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85),
        "Classes of overlap",
        "Limits, intersection over union, of the classes whose likelihood ratio is learned.",
        min_length=1,
    )
    probability_rounds: int = setting(
        5,
        "Rounds of belief",
        "Rounds of belief propagation (Williams and Lau, 2014) for the probability of a link.",
        ge=1,
    )
    quality_weights: tuple[float, float, float, float, float] = setting(
        (0.154, 0.606, -0.017, -0.744, -0.315),
        "Weights of quality",
        "Logistic regression of right links on log odds of the link from both sides, the same "
        "forwards where both agree, log likelihood ratio, agreement, frames missed; fitted on "
        "simulated and real movies, checked by benchmarks/track_errors.py.",
    )
    quality_bias: float = setting(0.286, "Bias of quality", "Constant of that regression.")
    doubtful_quality: float = setting(
        0.9, "Doubtful", "Quality below which a reason is given.", ge=0, le=1
    )
    rival_probability: float = setting(
        0.9,
        "Rival",
        "Probability of a link below which the reason is another object as near.",
        ge=0,
        le=1,
    )
    unusual_log_ratio: float = setting(
        4.0, "Unusual step", "Log likelihood ratio below which the reason is an unusual step."
    )

    @field_validator("overlap_classes")
    @classmethod
    def _classes_ascend(cls, limits: tuple[float, ...]) -> tuple[float, ...]:
        if all(low < high for low, high in pairwise(limits)):
            return limits
        raise ValueError("expected ascending limits")


class PaperTuning(Settings):
    """Noise of the paper's filter, which the paper does not state."""

    place_error_in_steps: float = setting(
        0.3, "Position error", "Error of a measured centre.", unit="typical steps", gt=0
    )
    area_error: float = setting(
        0.2, "Area error", "Error of a measured area, as a part of the typical area.", gt=0
    )
    ratio_variance: float = setting(
        0.04, "Aspect error", "Variance of a measured aspect ratio.", gt=0
    )
    area_change: float = setting(
        0.1, "Change of area", "Variance of the area's change, over that of its error.", gt=0
    )
    ratio_change: float = setting(
        0.01, "Change of aspect", "Variance of the aspect ratio's change in a frame.", gt=0
    )
    velocity_change: float = setting(
        0.1, "Change of velocity", "Variance of its change, in squared typical steps.", gt=0
    )
    growth_change: float = setting(
        0.001,
        "Change of growth",
        "Variance of the change of the area's rate, over that of the area's error.",
        gt=0,
    )
    first_growth: float = setting(
        0.01,
        "First growth",
        "Variance of the rate of a new box's area, over that of the area's error.",
        gt=0,
    )


class GapTuning(Settings):
    """Positions in filled gaps."""

    side_detections: int = setting(
        4, "Detections aside", "Detections on either side that a filled gap heeds.", ge=1
    )
    diffusion_weight: float = setting(
        2.0,
        "Weight of diffusion",
        "Pairs of steps that the belief in diffusion is worth; more make gaps straighter.",
        ge=0,
    )
    largest_persistence: float = setting(
        0.98, "Most persistent", "Largest part of a displacement that carries over.", ge=0, lt=1
    )
    position_variance: float = setting(
        0.05, "Position error", "Variance of a position, in squared steps of the track.", gt=0
    )


class JoinTuning(Settings):
    """Joins of tracks that end and begin near each other, judged by chance."""

    least_length: int = setting(
        3, "Joined tracks", "Fewest detections of a track that may be joined to another.", ge=1
    )
    chance: float = setting(
        0.02,
        "Chance of a join",
        "Expected number of unrelated objects as near as the track to join.",
        ge=0,
    )
    chance_sized: float = setting(
        0.05, "Chance, sizes fit", "The same where both sizes are known and agree.", ge=0
    )
    longest_steps: float = setting(
        30.0, "Farthest join", "Distance up to which ends are joined.", unit="typical steps", gt=0
    )
    size_change: float = setting(
        0.7, "Size at a join", "Largest change of log area at a join.", ge=0
    )
    sure_quality: float = setting(
        0.8, "Quality of a join", "Quality of a join that no stranger could be.", ge=0, le=1
    )
    quality_loss: float = setting(
        8.0, "Loss by chance", "Loss of quality for each expected stranger.", ge=0
    )
    least_quality: float = setting(0.4, "Least quality", "Smallest quality of a join.", ge=0, le=1)
