"""Each format is written by its own library and read back here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_virtualstain.io import open_stack, write_image

MOVIE = np.random.default_rng(1).integers(0, 4000, (5, 20, 30)).astype(np.uint16)


def _read(path: Path | str, **options: object) -> np.ndarray:
    return np.asarray(open_stack(path, **options).data)  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
@pytest.mark.parametrize("layout", ["plain", "ome", "imagej", "bigtiff", "tiled", "bare"])
def test_tiff_of_every_layout_and_compression(
    tmp_path: Path, compression: str | None, layout: str
) -> None:
    if layout == "imagej" and compression:
        pytest.skip("ImageJ hyperstacks are not compressed")
    path = tmp_path / ("movie.ome.tif" if layout == "ome" else "movie.tif")
    options: dict[str, object] = {
        "plain": {},
        "ome": {"metadata": {"axes": "TYX"}},
        "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
        "bigtiff": {"bigtiff": True},
        "tiled": {"tile": (16, 16)},
        "bare": {"metadata": None},
    }[layout]
    tifffile.imwrite(
        path, MOVIE, compression=compression, **{"photometric": "minisblack", **options}
    )
    stack = open_stack(path)
    assert (stack.axes, stack.name) == ("tyx", "movie")
    np.testing.assert_array_equal(np.asarray(stack.data), MOVIE)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_pixel_types_in_both_byte_orders_come_back_native(
    tmp_path: Path, byteorder: str, compression: str | None, dtype: str
) -> None:
    frames = (MOVIE % 100).astype(dtype)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(
        path, frames, byteorder=byteorder, compression=compression, photometric="minisblack"
    )
    stack = open_stack(path)
    assert stack.dtype == np.dtype(dtype)
    assert stack.dtype.isnative
    np.testing.assert_array_equal(np.asarray(stack.data), frames)


def test_one_bit_becomes_zero_and_one_and_half_floats_become_floats(tmp_path: Path) -> None:
    mask = MOVIE > 2000
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    tifffile.imwrite(tmp_path / "half.tif", MOVIE.astype(np.float16))
    assert _read(tmp_path / "mask.tif").dtype == np.uint8
    np.testing.assert_array_equal(_read(tmp_path / "mask.tif"), mask)
    assert _read(tmp_path / "half.tif").dtype == np.float32


def test_twelve_bit_packed_pixels_are_unpacked(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "packed.tif", MOVIE[:1], compression="zlib")
    frame = MOVIE[0] & 0x0FFF
    with tifffile.TiffWriter(tmp_path / "twelve.tif") as writer:
        writer.write(frame, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(_read(tmp_path / "twelve.tif"), frame)


def test_nan_and_infinity_are_kept(tmp_path: Path) -> None:
    frames = MOVIE.astype(np.float32)
    frames[1, 2, 3], frames[2, 3, 4] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "movie.tif", frames)
    np.testing.assert_array_equal(_read(tmp_path / "movie.tif"), frames)


def test_a_single_frame_has_axes_yx(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "frame.tif", MOVIE[:1])
    stack = open_stack(tmp_path / "frame.tif")
    assert (stack.axes, stack.shape) == ("yx", (20, 30))


def test_a_tiff_without_extension_is_known_by_its_content(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", MOVIE)
    wrong = (tmp_path / "movie.tif").rename(tmp_path / "movie.png")
    np.testing.assert_array_equal(_read(wrong), MOVIE)


def test_axes_out_of_order_are_brought_into_tczyx(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata={"axes": "CTYX"})
    stack = open_stack(tmp_path / "a.ome.tif")
    assert stack.axes == "tcyx"
    np.testing.assert_array_equal(np.asarray(stack.data), data.transpose(1, 0, 2, 3))


def test_an_imagej_hyperstack_of_all_axes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (3, 4, 2, 8, 9)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "h.tif", data, imagej=True, metadata={"axes": "TZCYX"})
    stack = open_stack(tmp_path / "h.tif")
    assert stack.axes == "tczyx"
    np.testing.assert_array_equal(np.asarray(stack.data), data.transpose(0, 2, 1, 3, 4))


def test_axes_given_override_the_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "z.tif", MOVIE, imagej=True, metadata={"axes": "ZYX"})
    assert open_stack(tmp_path / "z.tif").axes == "zyx"
    assert open_stack(tmp_path / "z.tif", axes="TYX").axes == "tyx"
    tifffile.imwrite(tmp_path / "q.tif", MOVIE[:4].reshape(2, 2, 20, 30))
    assert open_stack(tmp_path / "q.tif", axes="tcyx").sizes == {"t": 2, "c": 2, "y": 20, "x": 30}


def test_singleton_dimensions_do_not_make_axes_ambiguous(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", MOVIE.reshape(5, 1, 20, 30))
    stack = open_stack(tmp_path / "s.tif")
    assert stack.axes == "tyx"
    assert "taken as time" in stack.notes[0]
    assert open_stack(tmp_path / "s.tif", axes="zyx").axes == "zyx"


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_folder_of_frames_is_read_in_natural_order(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "my movie"
    folder.mkdir()
    order = list(range(12))
    for t in order:
        Image.fromarray(np.full((5, 6), t, np.uint8)).save(folder / f"img_t{t}_z3.{suffix}")
    (folder / "notes.txt").write_text("not a frame")
    (folder / "._img_t0_z3.png").write_text("macOS leaves these")
    stack = open_stack(folder)
    assert (stack.axes, stack.name) == ("tyx", "my movie")
    assert np.asarray(stack.data)[:, 0, 0].tolist() == order
    globbed = open_stack(str(folder / f"*_t1?_z3.{suffix}"))
    assert np.asarray(globbed.data)[:, 0, 0].tolist() == [10, 11]
    assert globbed.name == "my movie"


def test_a_folder_with_one_file_is_that_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", MOVIE)
    np.testing.assert_array_equal(_read(tmp_path), MOVIE)


def test_pictures_of_sixteen_bits_keep_their_values(tmp_path: Path) -> None:
    Image.fromarray(MOVIE[0]).save(tmp_path / "frame.png")
    np.testing.assert_array_equal(_read(tmp_path / "frame.png"), MOVIE[0])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_saved_as_rgb_is_taken_as_grey(tmp_path: Path, suffix: str) -> None:
    grey = (MOVIE[0] % 256).astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / f"frame.{suffix}")
    np.testing.assert_array_equal(_read(tmp_path / f"frame.{suffix}"), grey)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_grey_rgb_movies_are_reduced_in_either_sample_order(tmp_path: Path, planar: str) -> None:
    grey = (MOVIE % 256).astype(np.uint8)
    axis = -1 if planar == "contig" else 1
    rgb = np.stack([grey] * 3, axis)
    tifffile.imwrite(tmp_path / "m.tif", rgb, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal(_read(tmp_path / "m.tif"), grey)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_written_by_zarr_itself(tmp_path: Path, version: str) -> None:
    path = tmp_path / "movie.ome.zarr"
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    array = group.create_array("s0", shape=MOVIE.shape, dtype="u2", chunks=(2, 20, 30))
    array[...] = MOVIE
    multiscale = {
        "axes": [
            {"name": "t", "type": "time", "unit": "millisecond"},
            {"name": "y", "type": "space", "unit": "nanometer"},
            {"name": "x", "type": "space", "unit": "nanometer"},
        ],
        "datasets": [
            {
                "path": "s0",
                "coordinateTransformations": [{"type": "scale", "scale": [1.0, 40.0, 40.0]}],
            }
        ],
        "coordinateTransformations": [{"type": "scale", "scale": [500.0, 2.0, 2.0]}],
    }
    if version == "0.4":
        group.attrs["multiscales"] = [{**multiscale, "version": "0.4"}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    stack = open_stack(path)
    assert stack.axes == "tyx"
    assert stack.pixel_size_um == pytest.approx(0.08)
    assert stack.frame_interval_s == pytest.approx(0.5)
    np.testing.assert_array_equal(np.asarray(stack.data), MOVIE)


def test_bioformats2raw_keeps_its_image_one_level_down(tmp_path: Path) -> None:
    path = tmp_path / "series.zarr"
    zarr.create_group(path, attributes={"bioformats2raw.layout": 3})
    write_image(path / "0.zarr", MOVIE, axes="tyx")
    (path / "0.zarr").rename(path / "0")
    np.testing.assert_array_equal(_read(path), MOVIE)


def test_a_plain_zarr_array_is_read_like_a_tiff_without_axes(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=MOVIE)
    np.testing.assert_array_equal(_read(tmp_path / "a.zarr"), MOVIE)


def test_a_real_deltavision_file(real_data: Callable[..., Path]) -> None:
    path = real_data("readers", "toxo.dv")
    stack = open_stack(path)
    assert (stack.axes, stack.shape) == ("czyx", (2, 17, 128, 128))
    assert stack.pixel_size_um == pytest.approx(0.13262, abs=1e-5)
    assert stack.z_step_um == pytest.approx(0.3)
    assert stack.channel_names == ("525 nm", "632 nm")
    raw = np.fromfile(path, "<u2")[512:].reshape(2, 17, 128, 128)
    np.testing.assert_array_equal(np.asarray(stack.data[1, 16]), raw[1, 16])
    assert int(np.asarray(stack.data[0]).max()) == 3545, "the header's own maximum"


def test_real_pairs_open_as_a_movie(real_data: Callable[..., Path]) -> None:
    stack = open_stack(real_data("h9c2_pairs", "bright_field"))
    assert (stack.axes, stack.dtype) == ("tyx", np.uint8)
    assert stack.shape[1:] == (256, 256)


def test_channels_are_selected_by_number_and_name(tmp_path: Path) -> None:
    data = np.stack([MOVIE, MOVIE + 1], axis=1)
    names = ["bright-field", "mCherry"]
    path = write_image(tmp_path / "m.ome.tif", data, axes="tcyx", channel_names=names)
    by_name = open_stack(path, channel="mCherry")
    assert (by_name.axes, by_name.channel_names) == ("tyx", ("mCherry",))
    for channel in (1, -1, "1"):
        np.testing.assert_array_equal(_read(path, channel=channel), MOVIE + 1)


def test_long_and_unicode_paths(tmp_path: Path) -> None:
    folder = tmp_path / "Zellen µm 細胞 ∆" / ("x" * 200)
    path = write_image(folder / "Ünïcode 线粒体.ome.tif", MOVIE, axes="tyx")
    stack = open_stack(path)
    assert stack.name == "Ünïcode 线粒体"
    np.testing.assert_array_equal(np.asarray(stack.data), MOVIE)


def test_three_frames_that_tifffile_calls_colour_are_frames(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 4000, (3, 20, 30)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", frames, photometric="rgb", planarconfig="separate")
    stack = open_stack(tmp_path / "m.tif")
    assert stack.axes == "tyx"
    assert "taken as planes" in " ".join(stack.notes)
    np.testing.assert_array_equal(np.asarray(stack.data), frames)
