"""Pixel size, frame interval, z step: read, believed when possible, overridable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_virtualstain.errors import AxesError, InputError
from napari_virtualstain.io import Stack, open_stack, write_image
from napari_virtualstain.io.readers.source import Facts
from napari_virtualstain.io.units import micrometres, seconds

MOVIE = np.zeros((5, 8, 9), np.uint16)


@pytest.mark.parametrize(
    ("unit", "per_pixel"),
    [("micron", 0.08), ("um", 0.08), ("\\u00B5m", 0.08), ("nm", 80.0), ("mm", 8e-5)],
)
def test_imagej_units(tmp_path: Path, unit: str, per_pixel: float) -> None:
    tifffile.imwrite(
        tmp_path / "m.tif",
        np.zeros((3, 2, 8, 9), np.uint16),
        imagej=True,
        resolution=(1 / per_pixel, 1 / per_pixel),
        metadata={"axes": "TZYX", "unit": unit, "finterval": 2.5, "spacing": 3 * per_pixel},
    )
    stack = open_stack(tmp_path / "m.tif")
    assert stack.pixel_size_um == pytest.approx(0.08)
    assert stack.z_step_um == pytest.approx(0.24)
    assert stack.frame_interval_s == 2.5


def test_imagej_pixels_are_no_micrometres(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", MOVIE, imagej=True, metadata={"axes": "TYX"})
    stack = open_stack(tmp_path / "m.tif")
    assert stack.pixel_size_um is None
    assert stack.geometry.units == ("pixel",) * 3


@pytest.mark.parametrize(("unit", "value"), [("nm", 80.0), ("µm", 0.08), ("mm", 8e-5)])
def test_ome_units(tmp_path: Path, unit: str, value: float) -> None:
    metadata = {
        "axes": "TYX",
        "PhysicalSizeX": value,
        "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": value,
        "PhysicalSizeYUnit": unit,
        "TimeIncrement": 1500.0,
        "TimeIncrementUnit": "ms",
    }
    tifffile.imwrite(tmp_path / "m.ome.tif", MOVIE, metadata=metadata)
    stack = open_stack(tmp_path / "m.ome.tif")
    assert stack.pixel_size_um == pytest.approx(0.08)
    assert stack.frame_interval_s == pytest.approx(1.5)


def test_ome_frame_times_give_the_interval(tmp_path: Path) -> None:
    metadata = {
        "axes": "TYX",
        "Plane": {"DeltaT": [0.0, 2.0, 4.5, 6.5, 9.0], "DeltaTUnit": ["s"] * 5},
    }
    tifffile.imwrite(tmp_path / "m.ome.tif", MOVIE, metadata=metadata)
    assert open_stack(tmp_path / "m.ome.tif").frame_interval_s == pytest.approx(2.25)


def test_resolution_tags_of_a_microscope_and_of_an_office_program(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "cm.tif", MOVIE, resolution=(125000, 125000), resolutionunit="CENTIMETER"
    )
    tifffile.imwrite(tmp_path / "dpi.tif", MOVIE, resolution=(72, 72), resolutionunit="INCH")
    assert open_stack(tmp_path / "cm.tif").pixel_size_um == pytest.approx(0.08)
    assert open_stack(tmp_path / "dpi.tif").pixel_size_um is None


@pytest.mark.parametrize("value", [-1.0, 1e6])
def test_an_absurd_pixel_size_in_the_file_is_ignored_and_noted(
    tmp_path: Path, value: float
) -> None:
    metadata = {"axes": "TYX", "PhysicalSizeX": value, "PhysicalSizeY": value}
    tifffile.imwrite(tmp_path / "m.ome.tif", MOVIE, metadata=metadata)
    stack = open_stack(tmp_path / "m.ome.tif")
    assert stack.pixel_size_um is None
    assert f"pixel size of {value:g} µm, which cannot be true" in stack.notes[0]
    assert open_stack(tmp_path / "m.ome.tif", pixel_size_um=0.08).pixel_size_um == 0.08


def test_an_absurd_interval_in_the_file_is_ignored_and_noted(tmp_path: Path) -> None:
    metadata = {"axes": "TYX", "TimeIncrement": -3.0}
    tifffile.imwrite(tmp_path / "m.ome.tif", MOVIE, metadata=metadata)
    stack = open_stack(tmp_path / "m.ome.tif")
    assert stack.frame_interval_s is None
    assert "frame interval of -3 s" in stack.notes[0]


@pytest.mark.parametrize(
    ("length_um", "interval_s", "step_um", "believed"),
    [
        (0.0005, 1e-6, 0.0005, True),
        (0.00049, 0.9e-6, 0.00049, False),
        (20.0, 1e6, 1000.0, True),
        (20.1, 1.1e6, 1001.0, False),
    ],
)
def test_of_a_file_only_sizes_and_times_of_a_microscope_are_believed(
    tmp_path: Path, length_um: float, interval_s: float, step_um: float, believed: bool
) -> None:
    stated = {"TimeIncrement": interval_s, "PhysicalSizeZ": step_um, "axes": "TZYX"}
    stated |= {"PhysicalSizeX": length_um, "PhysicalSizeY": length_um}
    tifffile.imwrite(tmp_path / "m.ome.tif", np.zeros((2, 2, 8, 9), np.uint8), metadata=stated)
    stack = open_stack(tmp_path / "m.ome.tif")
    found = (stack.pixel_size_um, stack.frame_interval_s, stack.z_step_um)
    assert found == ((length_um, interval_s, step_um) if believed else (None, None, None))


@pytest.mark.parametrize(
    ("stated_um", "kept_um"), [(0.3, 0.3), (-0.3, 0.3), (0.0, None), (-1001.0, None), (None, None)]
)
def test_a_step_in_depth_has_no_sign(stated_um: float | None, kept_um: float | None) -> None:
    facts = Facts()
    facts.set_z_step(stated_um)
    assert (facts.z_step_um, facts.notes) == (kept_um, [])


@pytest.mark.parametrize(("interval_s", "notes"), [(0.0, 0), (1.0, 0), (-1.0, 1), (1e7, 1)])
def test_an_interval_of_zero_means_that_there_is_none(interval_s: float, notes: int) -> None:
    facts = Facts()
    facts.set_frame_interval(interval_s)
    assert facts.frame_interval_s == (1.0 if interval_s == 1 else None)
    assert len(facts.notes) == notes


@pytest.mark.parametrize(("height_um", "is_said"), [(0.1019, False), (0.1021, True), (0.2, True)])
def test_oblong_pixels_are_noted(tmp_path: Path, height_um: float, is_said: bool) -> None:
    metadata = {"axes": "TYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": height_um}
    tifffile.imwrite(tmp_path / "m.ome.tif", MOVIE, metadata=metadata)
    stack = open_stack(tmp_path / "m.ome.tif")
    assert stack.pixel_size_um == pytest.approx((0.1 + height_um) / 2)
    assert any("not square" in note for note in stack.notes) == is_said


@pytest.mark.parametrize("value", [0.0, -0.08, float("nan"), float("inf"), 80.0])
def test_an_absurd_pixel_size_given_is_refused(tmp_path: Path, value: float) -> None:
    path = write_image(tmp_path / "m.ome.tif", MOVIE, axes="tyx")
    with pytest.raises(InputError, match="The pixel size is .*expected"):
        open_stack(path, pixel_size_um=value)


def test_an_absurd_interval_given_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "m.ome.tif", MOVIE, axes="tyx")
    with pytest.raises(InputError, match="The frame interval is 1e"):
        open_stack(path, frame_interval_s=1e9)


def test_what_is_given_overrides_the_file(tmp_path: Path) -> None:
    path = write_image(
        tmp_path / "m.ome.tif", MOVIE, axes="tyx", pixel_size_um=0.1, frame_interval_s=1
    )
    stack = open_stack(path, pixel_size_um=0.2, frame_interval_s=5)
    assert (stack.pixel_size_um, stack.frame_interval_s) == (0.2, 5)


def test_damaged_ome_xml_loses_only_metadata(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "m.tif", MOVIE, metadata=None, description='<?xml version="1.0"?><OME><Ima</OME>'
    )
    stack = open_stack(tmp_path / "m.tif")
    assert stack.shape == (5, 8, 9)


def test_a_description_for_people(tmp_path: Path) -> None:
    path = write_image(tmp_path / "m.ome.tif", MOVIE, axes="tyx", pixel_size_um=0.08)
    assert open_stack(path).describe() == (
        "5 frames, 8 × 9 px, uint16, 0.08 µm/px, frame interval unknown"
    )


def test_a_channel_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    data = np.zeros((2, 8, 9), np.uint16)
    path = write_image(tmp_path / "m.ome.tif", data, axes="cyx", channel_names=["BF", "RFP"])
    with pytest.raises(InputError, match=r"no channel 'GFP' in m\. It has 2: 0 \(BF\), 1 \(RFP\)"):
        open_stack(path, channel="GFP")
    with pytest.raises(InputError, match="no channel 2"):
        open_stack(path, channel=2)
    single = write_image(tmp_path / "s.ome.tif", MOVIE, axes="tyx")
    for only in (0, -1, "0"):
        assert isinstance(open_stack(single, channel=only), Stack)
    named = write_image(tmp_path / "n.ome.tif", MOVIE, axes="tyx", channel_names=["BF"])
    assert open_stack(named, channel="BF").shape == MOVIE.shape
    with pytest.raises(AxesError, match="'GFP' was asked for"):
        open_stack(named, channel="GFP")
    with pytest.raises(AxesError, match="one channel only"):
        open_stack(single, channel=1)


@given(st.floats(1e-3, 1e3))
def test_units_agree_with_each_other(value: float) -> None:
    assert micrometres(value * 1e3, "nm") == pytest.approx(value)
    assert micrometres(value * 1e-3, "millimeters") == pytest.approx(value)
    assert seconds(value * 1e3, "msec") == pytest.approx(seconds(value / 60, "min"))
    assert micrometres(value, "pixel") is None
    assert seconds(value, "") is None
