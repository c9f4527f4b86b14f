"""What a user may set about tracking."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrackingConfig(BaseModel):
    """Settings of :func:`track` and :func:`link`; the defaults fit most movies.

    Attributes
    ----------
    mode : {"extended", "paper"}
        ``paper`` is eq. 1 as published; ``extended`` adds what the field has learnt since.
    linker : {"kalman", "trackpy"}
        ``trackpy`` links with Crocker and Grier's algorithm instead.
    search_radius_um : float or None
        Farthest that an object goes in one frame; None estimates it from the movie.
    max_gap : int
        Frames in a row that an object may be missing and still keep its identity.
    min_length : int
        Detections that make a track; shorter ones are left out as false alarms. None
        leaves out single detections where the movie is long enough to tell.
    gate_probability : float
        Part of the true links that the gate of ``paper`` lets through.
    fission_fusion : bool
        Whether to look for fission and fusion.
    fill_gaps : bool
        Whether to add rows for missing frames, marked ``interpolated``.
    z_plane : int, "max" or None
        What of a z-stack is tracked: a plane, counted from 0, or the maximum over z. Without
        z it does nothing; None refuses z-stacks.

    Examples
    --------
    >>> TrackingConfig(max_gap=2).mode
    'extended'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["extended", "paper"] = "extended"
    linker: Literal["kalman", "trackpy"] = "kalman"
    search_radius_um: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_gap: int = Field(default=3, ge=0)
    min_length: int | None = Field(default=None, ge=1)
    gate_probability: float = Field(default=0.9997, gt=0, lt=1)
    fission_fusion: bool = True
    fill_gaps: bool = True
    z_plane: int | Literal["max"] | None = None
