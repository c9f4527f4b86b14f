"""Objective and emission wavelengths: read where a file states them, left out where absurd."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_virtualstain.io import open_stack
from napari_virtualstain.io.stated_optics import _LENSES, optics_in_words, stated

XML = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
 <Instrument ID="Instrument:0">
  <Objective ID="Objective:0" LensNA="0.3" Immersion="Air"/>
  <Objective ID="Objective:1" LensNA="{na}" Immersion="{immersion}"/>
 </Instrument>
 <Image ID="Image:0" Name="one">
  <ObjectiveSettings ID="Objective:1"{index}/>
  <Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="9" SizeY="8" SizeC="2"
    SizeZ="1" SizeT="3">
   <Channel ID="Channel:0:0" Name="BF" SamplesPerPixel="1"/>
   <Channel ID="Channel:0:1" Name="mCherry" SamplesPerPixel="1" {wave}/>
   <TiffData/>
  </Pixels>
 </Image>
</OME>"""
MOVIE = np.zeros((3, 2, 8, 9), np.uint16)


def _xml(na: str = "1.42", immersion: str = "Oil", index: str = "", wave: str = "608") -> str:
    stated_wave = f'EmissionWavelength="{wave}"' if wave else ""
    given = f' RefractiveIndex="{index}"' if index else ""
    return XML.format(na=na, immersion=immersion, index=given, wave=stated_wave)


def _ome(path: Path, xml: str) -> Path:
    tifffile.imwrite(path, MOVIE, description=xml.encode(), metadata=None)
    return path


def test_ome_tiff_states_objective_and_emission_of_its_channel(tmp_path: Path) -> None:
    stack = open_stack(_ome(tmp_path / "m.ome.tif", _xml()))
    assert stack.optics.wavelengths_um == (None, 0.608)
    assert stack.select_channel("mCherry").optics.as_record() == {
        "numerical_aperture": 1.42,
        "immersion_index": 1.515,
        "wavelength_um": 0.608,
    }
    assert "wavelength_um" not in stack.select_channel("BF").optics.as_record()


def test_the_refractive_index_of_the_settings_counts_more_than_the_medium(tmp_path: Path) -> None:
    stack = open_stack(_ome(tmp_path / "m.ome.tif", _xml(index="1.523")))
    assert stack.optics.immersion_index == 1.523


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"na": "0"}, "numerical_aperture"),
        ({"na": "140"}, "numerical_aperture"),
        ({"na": "nan"}, "numerical_aperture"),
        ({"immersion": "Air"}, "immersion_index"),  # an aperture of 1.42 in air
        ({"immersion": "Other"}, "immersion_index"),
        ({"wave": "0.608"}, "wavelength_um"),
        ({"wave": "-50"}, "wavelength_um"),
        ({"wave": ""}, "wavelength_um"),
    ],
)
def test_what_cannot_be_true_is_left_out_alone(
    tmp_path: Path, given: dict[str, str], left_out: str
) -> None:
    stack = open_stack(_ome(tmp_path / "m.ome.tif", _xml(**given))).select_channel(1)
    expected = {"numerical_aperture", "immersion_index", "wavelength_um"} - {left_out}
    assert set(stack.optics.as_record()) == expected


def test_a_file_without_an_instrument_states_nothing(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.ome.tif", MOVIE, metadata={"axes": "TCYX"})
    assert open_stack(tmp_path / "m.ome.tif").optics.as_record() == {}


def test_ome_zarr_states_them_in_the_xml_of_its_original(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "m.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    image = root.create_group("0")
    image.create_array("0", data=np.zeros((3, 2, 1, 8, 9), np.uint16))
    image.attrs["multiscales"] = [
        {"version": "0.4", "axes": list("tczyx"), "datasets": [{"path": "0"}]}
    ]
    (tmp_path / "m.zarr" / "OME").mkdir()
    (tmp_path / "m.zarr" / "OME" / "METADATA.ome.xml").write_text(_xml(), encoding="utf-8")
    found = open_stack(tmp_path / "m.zarr").select_channel(1).optics.as_record()
    assert found == {"numerical_aperture": 1.42, "immersion_index": 1.515, "wavelength_um": 0.608}


def test_omero_channels_of_ome_zarr_state_the_emission(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "m.zarr", mode="w", zarr_format=2)
    root.create_array("0", data=np.zeros((2, 8, 9), np.uint16))
    root.attrs["multiscales"] = [
        {"version": "0.4", "axes": list("cyx"), "datasets": [{"path": "0"}]}
    ]
    root.attrs["omero"] = {"channels": [{"label": "BF"}, {"label": "GFP", "emissionWave": 528}]}
    stack = open_stack(tmp_path / "m.zarr")
    assert stack.optics.wavelengths_um == (None, 0.528)


def _deltavision(path: Path, lens: int, waves: tuple[int, ...]) -> Path:
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, 9, 8, len(waves), 6)
    head[96:98] = b"\xa0\xc0"
    struct.pack_into("<h", head, 162, lens)
    struct.pack_into("<2h", head, 180, 1, 0)
    struct.pack_into(f"<{1 + len(waves)}h", head, 196, len(waves), *waves)
    pixels = np.zeros((len(waves), 8, 9), np.uint16).tobytes()
    path.write_bytes(bytes(head) + pixels)
    return path


@pytest.mark.parametrize(
    ("lens", "na", "index"),
    [(10612, 1.42, 1.515), (10611, 1.2, 1.333), (10405, 0.95, 1.0), (7, None, None)],
)
def test_deltavision_states_lens_and_waves(
    tmp_path: Path, lens: int, na: float | None, index: float | None
) -> None:
    stack = open_stack(_deltavision(tmp_path / "m.dv", lens, (-50, 632)))
    assert (stack.optics.numerical_aperture, stack.optics.immersion_index) == (na, index)
    assert stack.optics.wavelengths_um == (None, 0.632)


def test_a_real_deltavision_file(real_data: Callable[..., Path]) -> None:
    optics = open_stack(real_data("readers", "toxo.dv")).optics
    assert (optics.numerical_aperture, optics.immersion_index) == (1.35, 1.515)
    assert optics.wavelengths_um == (0.525, 0.632)


@pytest.mark.parametrize(
    ("label", "na", "index"),
    [
        ("Nikon 60X Plan Apo NA 1.4 oil", 1.4, 1.515),
        ("1-Plan Apo 40x 0.95 NA", 0.95, None),
        ("CFI 100x/1.49 Oil TIRF", 1.49, 1.515),
        ("60X water", None, 1.333),
        ("Dichroic 2", None, None),
        ("boiling 60x/1.2", 1.2, None),
    ],
)
def test_names_of_objectives(label: str, na: float | None, index: float | None) -> None:
    optics = optics_in_words(label)
    assert (optics.numerical_aperture, optics.immersion_index) == (na, index)


@pytest.mark.parametrize(("letters", "is_read"), [(200, True), (201, False)])
def test_an_aperture_is_looked_for_in_the_first_200_letters(letters: int, is_read: bool) -> None:
    label = " NA 1.4".rjust(letters, "x")
    assert optics_in_words(label).numerical_aperture == (1.4 if is_read else None)


def test_bounds_of_a_wavelength() -> None:
    assert stated(wavelengths_um=[0.3, 1.2]).wavelengths_um == (0.3, 1.2)
    assert stated(wavelengths_um=[0.29, 1.21]).wavelengths_um == ()


@pytest.mark.parametrize(
    ("medium", "index"),
    [
        # at 20 to 25 °C and 589 nm: CRC Handbook; oil and silicone as the makers state them
        ("Oil", 1.515),
        ("Glycerol", 1.473),
        ("glycerin", 1.473),
        ("Silicone", 1.406),
        ("Water", 1.333),
        ("Water dipping", 1.333),
        ("Air", 1.0),
        ("dry", 1.0),
    ],
)
def test_media_have_the_index_of_the_handbook(medium: str, index: float) -> None:
    assert stated(0.8, medium).immersion_index == pytest.approx(index, abs=0.004)


def test_lenses_of_40x_and_above_collect_widely_but_not_beyond_their_medium() -> None:
    for aperture, medium in _LENSES:
        found = stated(aperture, medium)
        assert found.immersion_index is not None, (aperture, medium)
        assert 0.49 * found.immersion_index < aperture < found.immersion_index
    numbers = [number for lenses in _LENSES.values() for number in lenses]
    assert len(numbers) == len(set(numbers))
    assert all(10000 <= number < 13000 for number in numbers)  # other series are of weaker lenses


@pytest.mark.parametrize(
    ("aperture", "index", "light", "kept"),
    [
        (0.02, 1.0, 0.3, (0.02, 1.0, 0.3)),
        (0.019, 0.99, 0.29, (None, None, None)),
        (1.69, 1.8, 1.2, (1.69, 1.8, 1.2)),
        (1.71, 1.81, 1.21, (None, None, None)),
    ],
)
def test_only_possible_optics_are_believed(
    aperture: float, index: float, light: float, kept: tuple[float | None, ...]
) -> None:
    found = stated(aperture, index, [light])
    believed = (found.numerical_aperture, found.immersion_index, *found.wavelengths_um)
    assert believed in (kept, kept[:2])
