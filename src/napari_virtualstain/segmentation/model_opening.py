"""Opening of a segmenter by name: a model or an add-on."""

from __future__ import annotations

from typing import Any

from ..axes import check_positive
from ..hooks import add_on_name, added_name
from ..models import list_models
from ..settings import SegmentSettings
from .add_on import AddOnSegmenter
from .instances import area_in_pixels
from .segmenter import Segmenter

AnySegmenter = Segmenter | AddOnSegmenter


def open_segmenter(
    model: Any = None,
    settings: SegmentSettings | None = None,
    *,
    pixel_size_um: float | None = None,
    device: str | None = None,
    tile: int | None = None,
) -> AnySegmenter:
    """Return what outlines with a model, or with an add-on of that name.

    Parameters
    ----------
    model : Model, str, path or None
        Segmenter, or the name of an add-on; None takes that of the settings, or the default.
    settings : SegmentSettings, optional
        Its `width_um`, `average` and `precision` matter here; `min_area_um2` is checked.
    pixel_size_um : float, optional
        Of the images.
    device : str, optional
        See :func:`napari_virtualstain.engine.resolve_device`.
    tile : int, optional
        Tile size in pixels.

    Raises
    ------
    InputError
        The smallest area or the pixel size cannot be.
    ModelError, DeviceError
        There is no such model or device.

    Examples
    --------
    >>> open_segmenter(pixel_size_um=0.08).provenance[0]
    'mito-segment'
    """
    chosen = settings or SegmentSettings()
    size_um = check_positive(pixel_size_um, "pixel size", "µm")
    area_in_pixels(chosen.min_area_um2, size_um)
    model = chosen.model if model is None else model
    if is_added_segmenter(model):
        return AddOnSegmenter(add_on_name(model) or str(model), size_um)
    return Segmenter(
        model,
        pixel_size_um=size_um,
        width_um=chosen.width_um,
        average=chosen.average,
        device=device,
        tile=tile,
        precision=chosen.precision,
    )


def is_added_segmenter(model: Any) -> bool:
    """Whether a name means a segmenter of another package; names of models come first.

    Examples
    --------
    >>> is_added_segmenter("mito-segment")
    False
    """
    return added_name(model, "segmenter", (entry.name for entry in list_models())) is not None
