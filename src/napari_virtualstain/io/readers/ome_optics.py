"""Optics in OME-XML, and beside OME-Zarr images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..stated_optics import StatedOptics, number_in, stated
from ..units import micrometres
from .ome_xml import parsed

_LARGEST_XML = 2**28


def optics_of_ome(root: Any, pixels: Any) -> StatedOptics:
    """Return what OME-XML states of the image that has `pixels`.

    Parameters
    ----------
    root : Element or None
        Of the document.
    pixels : Element
        ``Pixels`` of one image.
    """
    image = next((i for i in root.iterfind("{*}Image") if pixels in list(i)), None)
    settings = None if image is None else image.find("{*}ObjectiveSettings")
    objectives = list(root.iterfind("{*}Instrument/{*}Objective"))
    chosen = None if settings is None else settings.get("ID")
    if chosen is not None:
        objectives = [one for one in objectives if one.get("ID") == chosen]
    lens = objectives[0] if len(objectives) == 1 else None
    media = [] if settings is None else [settings.get("RefractiveIndex"), settings.get("Medium")]
    media += [] if lens is None else [lens.get("Immersion")]
    aperture = None if lens is None else lens.get("LensNA")
    lights = [_emission_um(channel) for channel in pixels.iterfind("{*}Channel")]
    known = [stated(aperture, medium, lights) for medium in (*media, None)]
    return next((one for one in known if one.immersion_index is not None), known[-1])


def optics_of_zarr(path: Path, omero: Any) -> StatedOptics:
    """Return what the OME-XML beside an OME-Zarr image states, and its ``omero`` channels.

    Converters keep the XML of the original as ``OME/METADATA.ome.xml`` beside the images, which
    are numbered.

    Parameters
    ----------
    path : Path
        Group of the image.
    omero : dict or None
        Of its metadata.
    """
    channels = omero.get("channels") if isinstance(omero, dict) else None
    channels = channels if isinstance(channels, list) else []
    waves = [
        number_in(one.get("emissionWave")) if isinstance(one, dict) else None for one in channels
    ]
    lights = [None if wave is None else wave / 1000 for wave in waves]
    number = int(path.name) if path.name.isdecimal() else 0
    for folder, index in ((path, 0), (path.parent, number)):
        file = folder / "OME" / "METADATA.ome.xml"
        try:
            text = file.read_text("utf-8") if file.stat().st_size < _LARGEST_XML else None
        except (OSError, ValueError):
            continue
        root = parsed(text)
        every = [] if root is None else root.findall("{*}Image/{*}Pixels")
        if index < len(every):
            found = optics_of_ome(root, every[index])
            return found if found.wavelengths_um else replace(found, wavelengths_um=tuple(lights))
    return stated(wavelengths_um=lights)


def _emission_um(channel: Any) -> float | None:
    value = number_in(channel.get("EmissionWavelength"))
    return (
        None if value is None else micrometres(value, channel.get("EmissionWavelengthUnit", "nm"))
    )
