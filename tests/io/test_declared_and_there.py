"""Declared and actual content of a file: nothing is shortened or invented without a word."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_virtualstain.errors import ImageFileError, InputError
from napari_virtualstain.io import open_stack, plain_name
from napari_virtualstain.io.readers.pictures import picture_size

MOVIE = (np.arange(1, 6, dtype=np.uint16)[:, None, None] * np.ones((8, 9))).astype(np.uint16)


def _means(path: Path, **options: Any) -> list[float]:
    data = np.asarray(open_stack(path, **options).data)
    return [float(mean) for mean in data.reshape(-1, *data.shape[-2:]).mean((1, 2))]


def test_a_tiff_written_a_frame_or_a_chunk_a_call(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "loop.tif") as writer:
        for frame in MOVIE:
            writer.write(frame, photometric="minisblack")
    stack = open_stack(tmp_path / "loop.tif")
    assert (stack.axes, _means(tmp_path / "loop.tif")) == ("tyx", [1, 2, 3, 4, 5])
    assert "written one by one" in stack.notes[0]
    for chunk in (MOVIE[:2], MOVIE[2:4], MOVIE[4:]):
        tifffile.imwrite(tmp_path / "append.tif", chunk, append=True, photometric="minisblack")
    assert _means(tmp_path / "append.tif") == [1, 2, 3, 4, 5]
    with tifffile.TiffWriter(tmp_path / "loop.ome.tif") as writer:
        for frame in MOVIE:
            writer.write(frame, metadata={"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1})
    assert _means(tmp_path / "loop.ome.tif") == [1, 2, 3, 4, 5]
    assert open_stack(tmp_path / "loop.ome.tif").pixel_size_um == 0.1


@pytest.mark.parametrize("lengths", [(3, 3, 3), (4, 4, 2), (3, 1)])
def test_chunks_that_tifffile_takes_for_colour(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    frames = np.arange(sum(lengths), dtype=np.uint16)[:, None, None] * np.ones((24, 32), np.uint16)
    start = 0
    with tifffile.TiffWriter(tmp_path / "m.tif") as writer:
        for length in lengths:
            layout = {"photometric": "rgb", "planarconfig": "separate"} if length > 2 else {}
            writer.write(frames[start : start + length], **layout)
            start += length
    stack = open_stack(tmp_path / "m.tif")
    assert stack.axes == "tyx"
    np.testing.assert_array_equal(np.asarray(stack.data), frames)


def test_equal_frames_that_tifffile_takes_for_colour_are_all_there(tmp_path: Path) -> None:
    frames = np.zeros((3, 24, 32), np.uint16)
    tifffile.imwrite(tmp_path / "dark.tif", frames, photometric="rgb", planarconfig="separate")
    assert open_stack(tmp_path / "dark.tif").shape == (3, 24, 32)


@pytest.mark.parametrize("samples", [2, 5])
def test_grey_samples_of_a_pixel_are_channels(tmp_path: Path, samples: int) -> None:
    pixels = np.arange(3 * 24 * 32 * samples, dtype=np.uint16).reshape(3, 24, 32, samples)
    tifffile.imwrite(
        tmp_path / "m.ome.tif",
        pixels,
        photometric="minisblack",
        planarconfig="contig",
        metadata={"axes": "TYXS"},
    )
    stack = open_stack(tmp_path / "m.ome.tif")
    assert stack.axes == "tcyx"
    np.testing.assert_array_equal(np.asarray(stack.data), np.moveaxis(pixels, -1, 1))


def test_the_opacity_of_a_grey_pixel_is_no_channel(tmp_path: Path) -> None:
    pixels = np.stack([np.full((24, 32), 7), np.full((24, 32), 255)], -1).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="minisblack", extrasamples=["unassalpha"]
    )
    stack = open_stack(tmp_path / "a.tif")
    assert (stack.axes, int(np.asarray(stack.data).max())) == ("yx", 7)


def test_a_colour_picture_of_16_bits_by_a_camera_is_refused(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 60000, (3, 24, 32)).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "c.tif", colours, photometric="rgb", planarconfig="separate", metadata=None
    )
    with pytest.raises(InputError, match="colour"):
        open_stack(tmp_path / "c.tif")


def test_images_of_an_ome_tiff_are_positions_each_with_its_own_facts(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "m.ome.tif") as writer:
        for i in (1, 2):
            size = {"PhysicalSizeX": 0.1 * i, "PhysicalSizeY": 0.1 * i}
            writer.write(MOVIE + 10 * i, metadata={"axes": "TYX", "Name": f"cell {i}", **size})
    first, second = (open_stack(tmp_path / "m.ome.tif", position=p) for p in (None, "cell 2"))
    assert "2 positions (0 cell 1, 1 cell 2)" in first.notes[0]
    assert (first.pixel_size_um, second.pixel_size_um) == (0.1, 0.2)
    assert int(second.data[0, 0, 0].compute()) == 21


def _ome(path: Path, pixels: str, *, images: str = "", uuid: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME '
        f'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {uuid}>'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="9" '
        f'SizeY="8" SizeC="1" SizeZ="1" {pixels}</Pixels></Image>{images}</OME>'
    )


def _with_ome(path: Path, pixels: str, frames: np.ndarray = MOVIE) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for i, frame in enumerate(frames):
            text = _ome(path, pixels) if i == 0 else None
            writer.write(
                frame, photometric="minisblack", metadata=None, description=text, contiguous=False
            )
    return path


PLANES = '<Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/>'
LATER = "".join(f'<Plane TheC="0" TheZ="0" TheT="{t}" DeltaT="{2 * t}"/>' for t in (1, 2, 4))


@pytest.mark.parametrize("increment", ['TimeIncrement="0"', 'TimeIncrement="NaN"', ""])
def test_times_of_planes_where_the_increment_says_nothing(tmp_path: Path, increment: str) -> None:
    path = _with_ome(tmp_path / "m.ome.tif", f'SizeT="5" {increment}>{PLANES}{LATER}')
    stack = open_stack(path)
    assert stack.frame_interval_s == pytest.approx(2.0)
    assert stack.notes == ()


@pytest.mark.parametrize("increment_s", [1.0, 3.0])
def test_an_increment_counts_before_times(tmp_path: Path, increment_s: float) -> None:
    stated = f'SizeT="5" TimeIncrement="{increment_s}"'
    path = _with_ome(tmp_path / "m.ome.tif", f"{stated}>{PLANES}{LATER}")
    assert open_stack(path).frame_interval_s == increment_s


@pytest.mark.parametrize("order", [(0, 1, 3), (3, 1, 0), (1, 3, 0)])
def test_times_of_planes_may_stand_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    times = "".join(
        f'<Plane TheC="0" TheZ="0" TheT="{frame}" DeltaT="{2.5 * frame}"/>' for frame in order
    )
    stack = open_stack(_with_ome(tmp_path / "m.ome.tif", f'SizeT="5">{PLANES}{times}'))
    assert (stack.frame_interval_s, stack.notes) == (2.5, ())


def test_fewer_planes_declared_than_there_are_is_said(tmp_path: Path) -> None:
    path = _with_ome(tmp_path / "m.ome.tif", f'SizeT="3">{PLANES}')
    assert _means(path) == [1, 2, 3]
    assert "holds 5 pages, of which its metadata describe 3" in open_stack(path).notes[0]


@pytest.mark.parametrize("size", ["6", "1000000000", "99999999999999999999999", "-3", "five"])
def test_more_planes_declared_than_there_are_is_refused(tmp_path: Path, size: str) -> None:
    path = _with_ome(tmp_path / "m.ome.tif", f'SizeT="{size}">{PLANES}')
    with pytest.raises(ImageFileError, match="truncated or damaged"):
        open_stack(path)


def test_a_series_that_lies_wholly_in_another_file(tmp_path: Path) -> None:
    """Its bytes are there, not at the same place of the file that describes it."""
    names = ("a.ome.tif", "b.ome.tif")
    parts = "".join(
        f'<TiffData IFD="{t}" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="b.ome.tif">urn:uuid:b</UUID></TiffData>'
        for t in range(5)
    )
    pixels = f'SizeT="5"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{parts}'
    for name, frames, uuid in zip(names, (MOVIE + 100, MOVIE), "ab", strict=True):
        text = _ome(tmp_path / name, pixels, uuid=f'UUID="urn:uuid:{uuid}"')
        tifffile.imwrite(
            tmp_path / name, frames, photometric="minisblack", metadata=None, description=text
        )
    assert _means(tmp_path / "a.ome.tif") == [1, 2, 3, 4, 5]
    (tmp_path / "b.ome.tif").unlink()
    with pytest.raises(ImageFileError, match=r"names b\.ome\.tif, which is not in its folder"):
        open_stack(tmp_path / "a.ome.tif")


def _parts(count: int) -> str:
    """Planes in files of their own, as bfconvert and Leica write them."""
    return "".join(
        f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="x_T{t}.ome.tif">urn:uuid:{t}</UUID></TiffData>'
        for t in range(count)
    )


def test_a_folder_of_files_that_describe_one_another(tmp_path: Path) -> None:
    for t in range(5):
        path = tmp_path / f"x_T{t}.ome.tif"
        text = _ome(path, f'SizeT="5" TimeIncrement="3">{_parts(5)}', uuid=f'UUID="urn:uuid:{t}"')
        tifffile.imwrite(path, MOVIE[4 - t], metadata=None, description=text)
    for given in (tmp_path, tmp_path / "x_T3.ome.tif", tmp_path / "x_*.ome.tif"):
        stack = open_stack(given)
        assert (stack.shape, stack.frame_interval_s) == ((5, 8, 9), 3.0)
        assert _means(given) == [5, 4, 3, 2, 1]


def test_a_file_that_was_renamed_is_known_by_its_uuid(tmp_path: Path) -> None:
    part = '<TiffData IFD="0"><UUID FileName="first name.ome.tif">urn:uuid:7</UUID></TiffData>'
    for uuid, opens in (("7", True), ("8", False)):
        path = tmp_path / f"{uuid}.ome.tif"
        text = _ome(path, f'SizeT="1">{part}', uuid=f'UUID="urn:uuid:{uuid}"')
        tifffile.imwrite(path, MOVIE[2], metadata=None, description=text)
        if opens:
            assert _means(path) == [3]
        else:
            with pytest.raises(ImageFileError, match=r"names first name\.ome\.tif"):
                open_stack(path)


@pytest.mark.parametrize(("last", "is_said"), [(9, False), (10, True)])
def test_frames_that_are_not_evenly_spaced_are_said(
    tmp_path: Path, last: float, is_said: bool
) -> None:
    times = "".join(
        f'<Plane TheC="0" TheZ="0" TheT="{t}" DeltaT="{time}"/>'
        for t, time in enumerate((0, 2, 4, 6, last))
    )
    stack = open_stack(_with_ome(tmp_path / "m.ome.tif", f'SizeT="5">{PLANES}{times}'))
    assert stack.frame_interval_s == 2.0
    assert any("not evenly spaced" in note for note in stack.notes) is is_said


def test_images_that_a_description_of_imagej_declares(tmp_path: Path) -> None:
    """One page and the images behind it, as Fiji writes more than 4 GB."""
    path = tmp_path / "m.tif"
    text = "ImageJ=1.53t\nimages=5\nframes=5\n"
    tifffile.imwrite(path, MOVIE[0], metadata=None, description=text)
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].dataoffsets[0]
    head = path.read_bytes()[:start]
    path.write_bytes(head + MOVIE.astype("<u2").tobytes())
    assert _means(path) == [1, 2, 3, 4, 5]
    path.write_bytes(head + MOVIE[:3].astype("<u2").tobytes())
    with pytest.raises(ImageFileError, match="declares 5 images"):
        open_stack(path)


def test_fewer_pages_than_a_description_of_imagej_declares(tmp_path: Path) -> None:
    for name, more in (("axes", "frames=5\n"), ("count", "")):
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as writer:
            for i, frame in enumerate(MOVIE[:4]):
                told = f"ImageJ=1.53t\nimages=5\n{more}" if i == 0 else None
                writer.write(frame, metadata=None, description=told, contiguous=False)
    with pytest.raises(ImageFileError, match="declares 5 images, but 4 are there"):
        open_stack(tmp_path / "axes.tif")
    stack = open_stack(tmp_path / "count.tif")
    assert stack.shape == (4, 8, 9)
    assert "declares 5 images, but 4 are there" in stack.notes[0]


def test_white_as_zero_is_said(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "w.tif", MOVIE.astype(np.uint8), photometric="miniswhite")
    assert _means(tmp_path / "w.tif") == [1, 2, 3, 4, 5]
    assert "0 as white" in open_stack(tmp_path / "w.tif").notes[0]


def test_a_dataset_with_its_metadata_in_a_companion_file(tmp_path: Path) -> None:
    parts = "".join(
        f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="t{t}.ome.tif">urn:uuid:{t}</UUID></TiffData>'
        for t in range(5)
    )
    text = _ome(tmp_path, f'SizeT="5" PhysicalSizeX="0.1" PhysicalSizeY="0.1">{parts}')
    (tmp_path / "m.companion.ome").write_text(text)
    only = '<OME xmlns="x"><BinaryOnly MetadataFile="m.companion.ome" UUID="urn:uuid:m"/></OME>'
    for t in range(5):
        tifffile.imwrite(
            tmp_path / f"t{t}.ome.tif",
            MOVIE[4 - t],
            photometric="minisblack",
            metadata=None,
            description=only,
        )
    for name in ("m.companion.ome", "t3.ome.tif"):
        stack = open_stack(tmp_path / name)
        assert (stack.axes, stack.pixel_size_um) == ("tyx", 0.1)
        np.testing.assert_array_equal(np.asarray(stack.data)[:, 0, 0], [5, 4, 3, 2, 1])
    assert open_stack(tmp_path / "m.companion.ome").name == "m"
    assert open_stack(tmp_path).shape == (5, 8, 9)
    (tmp_path / "t2.ome.tif").unlink()
    with pytest.raises(ImageFileError, match=r"t2\.ome\.tif is missing"):
        open_stack(tmp_path / "m.companion.ome")
    (tmp_path / "m.companion.ome").unlink()
    alone = open_stack(tmp_path / "t3.ome.tif")
    assert "only the planes of this file" in alone.notes[0]


# --- other files ----------------------------------------------------------------------------------


def _deltavision(path: Path, order: str, *, frames: int, waves: tuple[int, ...]) -> Path:
    channels = len(waves)
    sections = max(frames, 1) * channels
    head = bytearray(1024)
    struct.pack_into(f"{order}4i", head, 0, 9, 8, sections, 6)
    struct.pack_into(f"{order}3f", head, 40, 0.1, 0.1, 0.2)
    struct.pack_into(f"{order}ih", head, 92, 40 * sections, -16224)
    struct.pack_into(f"{order}2h", head, 128, 8, 2)
    struct.pack_into(f"{order}2h", head, 180, frames, 2)
    struct.pack_into(f"{order}6h", head, 196, channels, *waves, *(0,) * (5 - channels))
    extended = b"".join(
        struct.pack(f"{order}8i2f", *(0,) * 8, 0.0, 5.0 * (i // channels)) for i in range(sections)
    )
    pixels = np.repeat(np.arange(sections), 72).astype(f"{order}u2").tobytes()
    path.write_bytes(bytes(head) + extended + pixels)
    return path


@pytest.mark.parametrize("order", "<>")
def test_deltavision_in_both_byte_orders(tmp_path: Path, order: str) -> None:
    stack = open_stack(_deltavision(tmp_path / "m.dv", order, frames=3, waves=(-50, 525)))
    assert (stack.axes, stack.shape) == ("tcyx", (3, 2, 8, 9))
    assert (stack.channel_names, stack.frame_interval_s) == (("bright-field", "525 nm"), 5.0)
    assert stack.pixel_size_um == pytest.approx(0.1)
    np.testing.assert_array_equal(np.asarray(stack.data)[..., 0, 0].ravel(), range(6))


def test_no_frames_stated_is_one(tmp_path: Path) -> None:
    assert open_stack(_deltavision(tmp_path / "m.dv", "<", frames=0, waves=(525,))).axes == "yx"


def test_a_pipe_and_an_address_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.tif")
    with pytest.raises(ImageFileError, match="is a pipe, socket or device"):
        open_stack(tmp_path / "p.tif")
    for address in ("https://example.org/m.tif", "s3://bucket/m.zarr"):
        with pytest.raises(ImageFileError, match=r"is an address \((https|s3)\)"):
            open_stack(address)


@pytest.mark.parametrize(
    ("height", "said"), [(8000, ""), (8001, "at most 80 megapixels"), (60000, "damaged")]
)
def test_a_picture_has_at_most_80_megapixels(tmp_path: Path, height: int, said: str) -> None:
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "f.png")
    held = bytearray((tmp_path / "f.png").read_bytes())
    struct.pack_into(">II", held, 16, 10_000, height)
    struct.pack_into(">I", held, 29, zlib.crc32(held[12:29]))
    (tmp_path / "f.png").write_bytes(held)
    if not said:
        assert picture_size(tmp_path / "f.png")[0] == (height, 10_000)
    else:
        with pytest.raises(ImageFileError, match=said):
            open_stack(tmp_path / "f.png")


@pytest.mark.parametrize("name", ["...tif", "..zarr", "..", ".", "/", "a\nb.tif", " .tif", ".tif"])
def test_a_plain_name_can_be_a_file(tmp_path: Path, name: str) -> None:
    plain = plain_name(name)
    assert plain not in ("", ".", "..")
    assert "\n" not in plain
    assert "/" not in plain


def test_a_text_that_a_spreadsheet_would_run_is_written_as_text(tmp_path: Path) -> None:
    import pandas as pd

    from napari_virtualstain.io import read_table, write_table

    names = ["=HYPERLINK(1)", "+1+1", "@SUM(A1)", "-2", "plain", "- cell"]
    table = pd.DataFrame({"name": names, "score": [-1.5, 0.1, 2, 3, 4, 5]})
    path = write_table(tmp_path / "t.csv", table)
    cells = [line.partition(",")[0] for line in path.read_text().splitlines()[1:]]
    assert cells == ["'=HYPERLINK(1)", "'+1+1", "'@SUM(A1)", "-2", "plain", "'- cell"]
    back = read_table(path, "name, score", texts=("name",))
    assert back["name"].tolist() == names
    assert back["score"].tolist() == table["score"].tolist()


def test_a_name_that_is_not_unicode_can_be_written(tmp_path: Path) -> None:
    import pandas as pd

    from napari_virtualstain.io import write_table

    table = pd.DataFrame({"name": ["caf\udce9"]}, dtype=object)
    text = write_table(tmp_path / "t.csv", table).read_text(encoding="utf-8")
    assert "\\udce9" in text


@pytest.mark.parametrize("pages", [1, 2, 150])
def test_pages_in_a_row_are_read(tmp_path: Path, pages: int) -> None:
    _write_pages(tmp_path / "m.tif", pages)
    assert np.asarray(open_stack(tmp_path / "m.tif").data).size == pages * 12


def _write_pages(path: Path, pages: int) -> None:
    with tifffile.TiffWriter(path) as writer:
        for _ in range(pages):
            writer.write(np.ones((3, 4), np.uint8), metadata=None, photometric="minisblack")


def _with_pages_in_a_circle(path: Path, pages: int, back_to: int) -> None:
    """Write a TIFF whose last page names an earlier one as the next."""
    _write_pages(path, pages)
    with tifffile.TiffFile(path) as file:
        target, last = file.pages[back_to].offset, file.pages[pages - 1].offset
    held = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from("<H", held, last)
    struct.pack_into("<I", held, last + 2 + 12 * tags, target)
    path.write_bytes(bytes(held))


@pytest.mark.parametrize(("pages", "back_to"), [(1, 0), (2, 0), (2, 1), (150, 120)])
def test_pages_in_a_circle_are_refused(tmp_path: Path, pages: int, back_to: int) -> None:
    _with_pages_in_a_circle(tmp_path / "m.tif", pages, back_to)
    with pytest.raises(ImageFileError, match=f"page {pages} leads back to an earlier one"):
        open_stack(tmp_path / "m.tif")
