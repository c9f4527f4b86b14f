"""Augmentation settings of training crops.

Geometry is applied to input, target and weight map alike; contrast, noise and
blur to the input only: they stand for other lamps, cameras and focal planes.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Augmentation(BaseModel):
    """Strength of each variation; 0 switches it off.

    Examples
    --------
    >>> Augmentation.none().flips
    False
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flips: bool = Field(default=True, description="Flips and quarter turns, each equally likely.")
    rotation_deg: float = Field(
        default=0.0, ge=0, le=180, description="Largest rotation to either side, degrees."
    )
    scale: float = Field(
        default=0.0, ge=0, lt=1, description="Largest relative magnification or shrinking."
    )
    shear: float = Field(default=0.0, ge=0, lt=1, description="Largest shear.")
    elastic_px: float = Field(
        default=0.0, ge=0, le=64, description="Typical displacement of elastic warping, pixels."
    )
    elastic_scale_px: float = Field(
        default=32.0, gt=0, description="Distance over which the warping varies, pixels."
    )
    gain: float = Field(
        default=0.0, ge=0, lt=1, description="Spread of the input's contrast, relative."
    )
    offset: float = Field(
        default=0.0, ge=0, description="Spread of the input's brightness, in its normalised units."
    )
    gamma: float = Field(default=0.0, ge=0, lt=1, description="Spread of the input's gamma.")
    blur_px: float = Field(
        default=0.0, ge=0, le=16, description="Largest blur of the input (focus), Gaussian sigma."
    )
    sharpen: float = Field(
        default=0.0, ge=0, le=2, description="Largest amount of unsharp masking of the input."
    )
    band_gain: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="Spread of the log gain of four spatial bands of the input: another focal "
        "plane or condenser passes fine and coarse structure in other proportions.",
    )
    noise: float = Field(
        default=0.0, ge=0, description="Largest noise added to the input, in normalised units."
    )
    shading: float = Field(
        default=0.0, ge=0, description="Largest uneven illumination, in normalised units."
    )
    plane_dropout: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How often the middle plane stands in for its neighbours, so that a model of "
        "several planes also stains single ones.",
    )
    intensity_probability: float = Field(
        default=0.8, ge=0, le=1, description="How often each variation of the input happens."
    )

    @property
    def warps(self) -> bool:
        """Whether the geometry needs interpolation."""
        return any((self.rotation_deg, self.scale, self.shear, self.elastic_px))

    @classmethod
    def none(cls) -> Augmentation:
        """Return no variation at all."""
        return cls(flips=False)

    @classmethod
    def strong(cls) -> Augmentation:
        """Return what suits few cells: every variation, at moderate strength."""
        return cls(
            rotation_deg=180,
            scale=0.2,
            shear=0.1,
            elastic_px=2.0,
            gain=0.3,
            offset=0.6,
            gamma=0.3,
            plane_dropout=0.2,
            blur_px=1.0,
            sharpen=0.5,
            band_gain=0.35,
            noise=0.4,
            shading=0.5,
        )
