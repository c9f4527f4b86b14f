"""Files that cannot be used: the message says what was given, expected, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_virtualstain.errors import AxesError, ImageFileError, InputError, VirtualStainError
from napari_virtualstain.io import open_stack, read_table, write_image
from napari_virtualstain.io.limits import check_extent

MOVIE = np.random.default_rng(3).integers(0, 4000, (5, 40, 50)).astype(np.uint16)


def test_a_missing_file_with_the_name_that_was_meant(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie_01.tif", MOVIE)
    with pytest.raises(ImageFileError, match=r"does not exist\. Did you mean 'movie_01\.tif'"):
        open_stack(tmp_path / "movie_1.tif")
    with pytest.raises(ImageFileError, match="nor does its folder"):
        open_stack(tmp_path / "nowhere" / "movie.tif")


@pytest.mark.parametrize("given", [None, 5, np.zeros((3, 8, 8))], ids=["none", "number", "array"])
def test_what_is_no_path_is_told_what_to_do(given: object) -> None:
    with pytest.raises(InputError, match="expected the path of a file or folder"):
        open_stack(given)  # type: ignore[arg-type]


def test_a_link_to_nothing_is_named_as_such(tmp_path: Path) -> None:
    link = tmp_path / "movie.tif"
    link.symlink_to(tmp_path / "gone.tif")
    with pytest.raises(ImageFileError, match=r"link to .*gone\.tif, which does not exist"):
        open_stack(link)


def test_a_glob_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match=r"No file matches .*\*\.png"):
        open_stack(str(tmp_path / "*.png"))


def test_an_empty_file_and_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    with pytest.raises(ImageFileError, match=r"empty\.tif is empty \(0 bytes\)"):
        open_stack(tmp_path / "empty.tif")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ImageFileError, match="holds no frames: expected files ending in .tif"):
        open_stack(tmp_path / "folder")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"hello, I am no image", "of a format that is not known"),
        (b"\xda\xce\xbe\x0aND2 FILE", "a Nikon ND2 file"),
        (b"ZISRAWFILE" + bytes(50), "a Zeiss CZI file"),
        (b"\x00\x00\x00\x20ftypmp42", "an MP4 video"),
        (b"PK\x03\x04" + bytes(50), "a ZIP archive"),
        (b"%PDF-1.7" + bytes(50), "a PDF document"),
    ],
)
def test_another_format_under_the_name_tif(tmp_path: Path, content: bytes, named: str) -> None:
    (tmp_path / "movie.tif").write_bytes(content)
    with pytest.raises(ImageFileError, match=f"is {named}.*Convert it to OME-TIFF"):
        open_stack(tmp_path / "movie.tif")


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("layout", ["plain", "lzw", "imagej", "ome", "bare", "bare-lzw", "ours"])
def test_a_truncated_tiff_never_opens_as_a_shorter_movie(
    tmp_path: Path, layout: str, fraction: float
) -> None:
    path = tmp_path / "movie.ome.tif"
    if layout == "ours":
        write_image(path, MOVIE, axes="tyx")
    else:
        options: dict[str, object] = {
            "plain": {"ome": False},
            "lzw": {"ome": False, "compression": "lzw"},
            "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
            "ome": {"metadata": {"axes": "TYX"}, "compression": "zlib"},
            "bare": {"ome": False, "metadata": None},
            "bare-lzw": {"ome": False, "metadata": None, "compression": "lzw"},
        }[layout]
        tifffile.imwrite(path, MOVIE, **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    with pytest.raises(ImageFileError, match=r"movie\.ome\.tif is truncated or damaged"):
        open_stack(path)


def test_a_truncated_picture_and_a_picture_with_a_broken_chunk(tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    Image.fromarray((MOVIE[0] % 256).astype(np.uint8)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageFileError, match=r"frame\.png is truncated or damaged"):
        open_stack(path)
    path.write_bytes(whole[:40] + bytes(8) + whole[48:])
    with pytest.raises(ImageFileError, match=r"frame\.png is truncated or damaged"):
        open_stack(path)


def test_a_truncated_deltavision_file(tmp_path: Path, real_data: Callable[..., Path]) -> None:
    whole = real_data("readers", "toxo.dv").read_bytes()
    for size in (600, 1024, len(whole) // 2, len(whole) - 1):
        (tmp_path / "movie.dv").write_bytes(whole[:size])
        with pytest.raises(ImageFileError, match=r"movie\.dv is truncated or damaged"):
            open_stack(tmp_path / "movie.dv")


def test_four_dimensions_without_names_are_asked_about(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", MOVIE.reshape(5, 2, 20, 50))
    with pytest.raises(AxesError, match=r"shape \(5, 2, 20, 50\) and does not say.*--axes tcyx"):
        open_stack(tmp_path / "m.tif")


@pytest.mark.parametrize("axes", ["tyxx", "qyx", "tx", "tczyx", "y"])
def test_wrong_axes(tmp_path: Path, axes: str) -> None:
    tifffile.imwrite(tmp_path / "m.tif", MOVIE)
    with pytest.raises(AxesError, match=f"Axes '{axes}'"):
        open_stack(tmp_path / "m.tif", axes=axes)


def test_y_and_x_must_be_last(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", MOVIE)
    with pytest.raises(AxesError, match="expected y and x last"):
        open_stack(tmp_path / "m.tif", axes="yxt")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_colour_is_refused_with_advice(tmp_path: Path, suffix: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / f"frame.{suffix}")
    with pytest.raises(InputError, match=r"colour \(RGB\) picture.*Image > Type > 16-bit"):
        open_stack(tmp_path / f"frame.{suffix}")


def test_frames_of_unlike_size_or_type_are_named(tmp_path: Path) -> None:
    for name, size in (("t1.png", (8, 9)), ("t2.png", (8, 9)), ("t10.png", (9, 9))):
        Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / name)
    with pytest.raises(ImageFileError, match=r"t1\.png is 8 × 9 px L, t10\.png is 9 × 9 px L"):
        open_stack(tmp_path)
    Image.fromarray(np.zeros((8, 9), np.uint16)).save(tmp_path / "t10.png")
    with pytest.raises(ImageFileError, match=r"t10\.png is 8 × 9 px I;16"):
        open_stack(tmp_path)


def test_a_folder_of_movies_is_not_a_movie(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, MOVIE)
    with pytest.raises(AxesError, match=r"a\.tif holds 5 planes: expected one frame a file"):
        open_stack(tmp_path)


def test_a_frame_that_vanishes_after_opening(tmp_path: Path) -> None:
    for t in range(3):
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / f"t{t}.png")
    stack = open_stack(tmp_path)
    (tmp_path / "t1.png").unlink()
    with pytest.raises(ImageFileError, match=r"t1\.png cannot be read"):
        np.asarray(stack.data[1])


def test_zarr_without_an_image(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "g.zarr")
    with pytest.raises(ImageFileError, match=r"g\.zarr is a Zarr group without a readable"):
        open_stack(tmp_path / "g.zarr")
    zarr.create_group(tmp_path / "p.zarr", attributes={"ome": {"plate": {}}})
    with pytest.raises(ImageFileError, match="plate: expected one image"):
        open_stack(tmp_path / "p.zarr")
    (tmp_path / "d.zarr").mkdir()
    (tmp_path / "d.zarr" / "zarr.json").write_text('{"zarr_for')
    with pytest.raises(ImageFileError, match=r"d\.zarr looks like Zarr but cannot be opened"):
        open_stack(tmp_path / "d.zarr")


def test_a_damaged_zarr_chunk(tmp_path: Path) -> None:
    path = write_image(tmp_path / "m.ome.zarr", MOVIE, axes="tyx")
    (path / "0" / "c" / "2" / "0" / "0").write_bytes(b"rubbish")
    stack = open_stack(path)
    np.testing.assert_array_equal(np.asarray(stack.data[1]), MOVIE[1])
    with pytest.raises(ImageFileError, match=r"Plane 2 of .* cannot be read"):
        np.asarray(stack.data[2])


def test_complex_pixels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", MOVIE.astype(np.complex64))
    with pytest.raises(ImageFileError, match="pixels of type complex64"):
        open_stack(tmp_path / "m.tif")


@pytest.mark.parametrize("name", ["x" * 300 + ".tif", "a\0b.tif"])
def test_impossible_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(VirtualStainError):
        open_stack(tmp_path / name)


def test_an_unfinished_output_is_no_input(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.ome.tif.partial", MOVIE)
    with pytest.raises(ImageFileError, match="unfinished output.*--resume"):
        open_stack(tmp_path / "m.ome.tif.partial")


@pytest.mark.parametrize("columns", [2000, 2001])
def test_a_table_has_at_most_two_thousand_columns(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "wide.csv"
    row = ",".join(map(str, range(columns)))
    path.write_text(",".join(f"c{i}" for i in range(columns)) + "\n" + row + "\n")
    if columns == 2000:
        assert read_table(path, "columns").shape == (1, columns)
    else:
        with pytest.raises(InputError, match="2,?001 columns|columns"):
            read_table(path, "columns")


def test_a_table_of_more_than_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "spots.csv"
    with path.open("wb") as file:
        file.truncate(2**30 + 1)  # sparse: no such space is taken
    with pytest.raises(InputError, match="more than 1 GB"):
        read_table(path, "frame, y_um, x_um")


@pytest.mark.parametrize(
    ("shape", "dtype", "refused"),
    [
        ((2_000_000, 8, 8), "u1", ""),
        ((2_000_001, 8, 8), "u1", "declares 2,000,001 planes"),
        ((2, 1_000_001, 8, 8), "u1", "declares 2,000,002 planes"),
        ((16_384, 16_384), "u2", ""),
        ((16_384, 16_385), "u2", "planes of 537 MB"),
        ((1, 0, 8), "u1", "holds no pixels"),
        ((1, 8, -1), "u1", "holds no pixels"),
        ((1, 1), "u1", ""),
    ],
)
def test_a_movie_has_at_most_two_million_planes_of_half_a_gigabyte(
    shape: tuple[int, ...], dtype: str, refused: str
) -> None:
    if not refused:
        check_extent("movie.tif", shape, np.dtype(dtype))
    else:
        with pytest.raises(ImageFileError, match=refused):
            check_extent("movie.tif", shape, np.dtype(dtype))


@pytest.mark.parametrize(("size_um", "taken"), [(19.9, True), (20.1, False), (4e-4, False)])
def test_pixel_sizes_beyond_twenty_micrometres_are_another_unit(
    tmp_path: Path, size_um: float, taken: bool
) -> None:
    path = write_image(tmp_path / "a.tif", np.eye(8, dtype=np.uint8), axes="yx")
    if taken:
        assert open_stack(path, pixel_size_um=size_um).pixel_size_um == size_um
    else:
        with pytest.raises(InputError, match="expected between 0.0005 and 20 µm"):
            open_stack(path, pixel_size_um=size_um)


@pytest.mark.parametrize(("interval_s", "taken"), [(9.9e5, True), (1.1e6, False)])
def test_frame_intervals_beyond_eleven_days_are_another_unit(
    tmp_path: Path, interval_s: float, taken: bool
) -> None:
    path = write_image(tmp_path / "a.tif", np.zeros((2, 8, 8), np.uint8), axes="tyx")
    if taken:
        assert open_stack(path, frame_interval_s=interval_s).frame_interval_s == interval_s
    else:
        with pytest.raises(InputError, match=r"expected between 1e-06 and 1e\+06 s"):
            open_stack(path, frame_interval_s=interval_s)


def test_a_comma_in_quotes_is_a_decimal_point(tmp_path: Path) -> None:
    path = tmp_path / "spots.csv"
    path.write_text('frame,y_um,x_um\n0,"1,5","-2,25"\n1,"1,6","3,0"\n')
    table = read_table(path, "frame, y_um, x_um")
    assert table.to_numpy().tolist() == [[0, 1.5, -2.25], [1, 1.6, 3.0]]
    path.write_text('frame,y_um,x_um,fragments\n0,1.5,2.5,"3,4"\n')  # a point is there: text
    assert read_table(path, "frame, y_um, x_um").iloc[0].tolist() == [0, 1.5, 2.5, "3,4"]
    path.write_text('frame,y_um,x_um\n0,"0,125","1234,567"\n')
    assert read_table(path, "frame, y_um, x_um").iloc[0].tolist() == [0, 0.125, 1234.567]
    path.write_text('frame,y_um,x_um\n0,"1,234","-12,345"\n')  # or thousands: nobody knows
    assert read_table(path, "frame, y_um, x_um").iloc[0].tolist() == [0, "1,234", "-12,345"]
