"""Layers of the results that a run has written into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer, Tracks

from ..contributions.track_readers import tracks_layer
from ..layers.colours import STAIN_COLORMAP, label_colormap, outline_width, track_colormap
from ..layers.description import layer_name, provenance
from ..layers.from_stack import contrast_limits, spatial
from ..track.job import rows_in_stack


def result_layers(folder: Path) -> list[Any]:
    """Return stain, outlines and tracks in the folder of a movie.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    from ...io import open_stack
    from ...pipeline import FLUORESCENCE, LABELS, load_settings
    from ...tracking import Tracks as Tracked

    name = folder.name
    stain, labels = open_stack(folder / FLUORESCENCE), open_stack(folder / LABELS)
    image = Image(
        stain.data,
        name=layer_name(name, "fluorescence"),
        colormap=STAIN_COLORMAP,
        blending="additive",
        contrast_limits=contrast_limits(stain.data),
        metadata=provenance("stain", name, kind="fluorescence"),
        **spatial(stain.geometry),
    )
    outlines = Labels(
        np.asarray(labels.data),
        name=layer_name(name, "mitochondria"),
        opacity=1.0,
        colormap=label_colormap(),
        metadata=provenance("segment", name),
        **spatial(labels.geometry),
    )
    outlines.contour = outline_width(outlines.data.shape)
    made: list[Layer] = [image, outlines]
    tracked = Tracked.from_csv(folder / "tracks.csv")
    if len(tracked):
        rows, settings, _ = tracks_layer(tracked, layer_name(name, "tracks"), name)
        if "z" in labels.axes:
            z_plane = load_settings(folder / "settings.json").track.z_plane
            rows = rows_in_stack(rows, z_plane, labels.sizes["z"])
        settings |= spatial(labels.geometry) if "t" in labels.axes else {}
        made.append(Tracks(rows, colormaps_dict={"track_id": track_colormap()}, **settings))
    return made
