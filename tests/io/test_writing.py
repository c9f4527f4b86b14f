"""Written files are read back the same, by us and by others, whole or not at all."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_virtualstain.errors import (
    AxesError,
    CancelledError,
    InputError,
    OutputError,
    OutputExistsError,
)
from napari_virtualstain.io import (
    check_output,
    open_stack,
    write_image,
    write_table,
    write_text_atomically,
)
from napari_virtualstain.io.output import output_error
from napari_virtualstain.progress import CancelToken, Progress

MOVIE = np.random.default_rng(4).integers(0, 4000, (4, 20, 30)).astype(np.uint16)
SUFFIXES = [".ome.tif", ".tif", ".ome.zarr"]
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]


@st.composite
def images(draw: st.DrawFn) -> tuple[np.ndarray, str]:
    leading = draw(st.lists(st.sampled_from("tcz"), unique=True, max_size=3))
    axes = "".join(axis for axis in "tcz" if axis in leading) + "yx"
    shape = (
        *(draw(st.integers(2, 3)) for _ in leading),
        draw(st.integers(1, 9)),
        draw(st.integers(1, 9)),
    )
    dtype = draw(st.sampled_from(DTYPES))
    return draw(arrays(dtype, shape)), axes


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    images(),
    st.sampled_from(SUFFIXES),
    st.one_of(st.none(), st.floats(0.001, 10)),
    st.one_of(st.none(), st.floats(0.001, 1e4)),
    st.booleans(),
)
def test_every_image_comes_back_with_its_geometry(
    tmp_path_factory: pytest.TempPathFactory,
    image: tuple[np.ndarray, str],
    suffix: str,
    pixel_size_um: float | None,
    frame_interval_s: float | None,
    is_lazy: bool,
) -> None:
    data, axes = image
    path = tmp_path_factory.mktemp("round") / f"image{suffix}"
    write_image(
        path,
        da.from_array(data) if is_lazy else data,
        axes=axes,
        pixel_size_um=pixel_size_um,
        frame_interval_s=frame_interval_s,
        z_step_um=pixel_size_um,
    )
    stack = open_stack(path)
    assert stack.axes == axes
    assert stack.dtype == data.dtype
    np.testing.assert_array_equal(np.asarray(stack.data), data)
    assert stack.pixel_size_um == (None if pixel_size_um is None else pytest.approx(pixel_size_um))
    if "t" in axes:
        assert stack.frame_interval_s == (
            None if frame_interval_s is None else pytest.approx(frame_interval_s)
        )
    if "z" in axes:
        assert stack.z_step_um == (None if pixel_size_um is None else pytest.approx(pixel_size_um))


def test_tifffile_reads_our_ome_tiff_with_its_axes_and_pixel_size(tmp_path: Path) -> None:
    data = np.stack([MOVIE, MOVIE + 1], 1)
    path = write_image(
        tmp_path / "m.ome.tif", data, axes="tcyx", pixel_size_um=0.08, channel_names=["a", "b"]
    )
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.series[0].axes == "TCYX"
        np.testing.assert_array_equal(file.asarray(), data)
        pixels, units = file.pages[0].tags["XResolution"].value
        assert 1e4 * units / pixels == pytest.approx(0.08)
        assert file.pages[0].tags["ResolutionUnit"].value == 3
        assert 'Channel ID="Channel:0:1"' in (file.ome_metadata or "")


def test_others_read_our_ome_zarr(tmp_path: Path) -> None:
    models = pytest.importorskip("ome_zarr_models.v05.image")
    import zarr

    data = np.stack([MOVIE, MOVIE + 1], 1)
    path = write_image(
        tmp_path / "m.ome.zarr",
        data,
        axes="tcyx",
        pixel_size_um=0.08,
        frame_interval_s=2,
        channel_names=["a", "b"],
    )
    image = models.Image.from_zarr(zarr.open_group(path, mode="r"))
    axes = image.ome_attributes.multiscales[0].axes
    assert [(a.name, a.unit) for a in axes] == [
        ("t", "second"),
        ("c", None),
        ("y", "micrometer"),
        ("x", "micrometer"),
    ]
    scale = image.ome_attributes.multiscales[0].datasets[0].coordinateTransformations[0].scale
    assert scale == [2.0, 1.0, 0.08, 0.08]


@pytest.mark.parametrize(
    ("dtype", "stored"), [("bool", "uint8"), ("float16", "float32"), ("int64", "int32")]
)
def test_types_that_ome_does_not_know_are_stored_in_the_next_one(
    tmp_path: Path, dtype: str, stored: str
) -> None:
    data = (MOVIE % 2).astype(dtype)
    stack = open_stack(write_image(tmp_path / "m.ome.tif", data, axes="tyx"))
    assert stack.dtype == stored
    np.testing.assert_array_equal(np.asarray(stack.data), data)


def test_large_whole_numbers_are_refused_not_wrapped(tmp_path: Path) -> None:
    data = np.full((2, 3, 4), 2**40)
    with pytest.raises(InputError, match="1099511627776 do not fit into int32"):
        write_image(tmp_path / "m.ome.tif", data, axes="tyx")
    assert list(tmp_path.iterdir()) == []


def test_big_endian_input_is_written_with_its_values(tmp_path: Path) -> None:
    path = write_image(tmp_path / "m.ome.tif", MOVIE.astype(">u2"), axes="tyx")
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), MOVIE)


def test_axes_in_any_order_are_written_in_order(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    stack = open_stack(write_image(tmp_path / "m.ome.tif", data, axes="ctyx"))
    assert stack.axes == "tcyx"
    np.testing.assert_array_equal(np.asarray(stack.data), data.swapaxes(0, 1))


def test_wrong_axes_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AxesError, match="name 2 dimensions but the image has 3"):
        write_image(tmp_path / "m.ome.tif", MOVIE, axes="yx")
    with pytest.raises(InputError, match=r"expected a name that ends in \.ome\.tif"):
        write_image(tmp_path / "m.png", MOVIE, axes="tyx")
    with pytest.raises(InputError, match="1 channel names for 4 channels"):
        write_image(tmp_path / "m.ome.tif", MOVIE, axes="cyx", channel_names=["a"])
    with pytest.raises(InputError, match="cannot be written: expected numbers"):
        write_image(tmp_path / "m.ome.tif", MOVIE.astype(np.complex64), axes="tyx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_output_needs_permission_and_survives_a_failure(
    tmp_path: Path, suffix: str
) -> None:
    path = write_image(tmp_path / f"m{suffix}", MOVIE, axes="tyx")
    with pytest.raises(OutputExistsError, match=r"exists already.*--overwrite"):
        write_image(path, MOVIE + 1, axes="tyx")

    def explode(block: np.ndarray) -> np.ndarray:
        raise KeyError("the disk of the input was unplugged")

    broken = da.concatenate(
        [da.from_array(MOVIE[:2] + 1), da.from_array(MOVIE[2:]).map_blocks(explode, dtype="u2")]
    )
    with pytest.raises(KeyError):
        write_image(path, broken, axes="tyx", overwrite=True)
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), MOVIE)
    write_image(path, MOVIE + 1, axes="tyx", overwrite=True)
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), MOVIE + 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_progress_counts_planes_and_cancelling_leaves_nothing(tmp_path: Path) -> None:
    seen: list[Progress] = []
    write_image(tmp_path / "a.ome.tif", MOVIE, axes="tyx", progress=seen.append)
    assert [p.done for p in seen] == [1, 2, 3, 4]
    assert seen[-1].total == 4
    token = CancelToken()
    with pytest.raises(CancelledError):
        write_image(
            tmp_path / "b.ome.tif",
            MOVIE,
            axes="tyx",
            progress=lambda _: token.cancel(),
            cancel=token,
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ome.tif"]


def test_a_disk_too_small_is_said_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="the disk has 0.0 MB free"):
        write_image(tmp_path / "m.ome.tif", MOVIE, axes="tyx")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_while_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_virtualstain.io.writers.plane_store import TiffStore

    def full(self: TiffStore, index: int, plane: np.ndarray) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TiffStore, "write", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_image(tmp_path / "m.ome.tif", MOVIE, axes="tyx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_device_refuses_a_table() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full exists on Linux only")
    from napari_virtualstain.io.output import translated_errors

    with (
        pytest.raises(OutputError, match="the disk is full"),
        translated_errors(Path("t.csv")),
        open("/dev/full", "w") as file,
    ):
        file.write("x" * 100_000)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "you may not write there"),
        (errno.ENOSPC, "the disk is full"),
    ],
)
def test_folders_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def refuse(self: Path, *args: object, **options: object) -> None:
        raise OSError(code, "as the system says")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputError, match=words):
        check_output(tmp_path / "t.csv", overwrite=False)


@pytest.mark.parametrize("here", ["", "."])
def test_the_folder_itself_is_no_output(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputExistsError):
        check_output(here, overwrite=False)
    with pytest.raises(OutputError, match="no earlier result"):
        check_output(here, overwrite=True)


def test_a_home_folder_that_was_not_replaced_is_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="home folder"):
        check_output("~nobody-knows/labels.tif", overwrite=False)
    check_output("~labels.tif", overwrite=False)
    (tmp_path / "~backup").mkdir()
    check_output("~backup/labels.tif", overwrite=False)


def test_impossible_output_names(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        check_output(tmp_path / "file" / "t.csv", overwrite=False)
    with pytest.raises(OutputError, match="the name is too long"):
        check_output(tmp_path / ("x" * 300), overwrite=False)
    with pytest.raises(OutputError, match="no usable name"):
        check_output(tmp_path / "a\0b", overwrite=False)


@given(
    st.lists(
        st.tuples(st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text('aµ,"\n ')),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=25, deadline=None)
def test_tables_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float, str]]
) -> None:
    frame = pd.DataFrame(rows, columns=["track_id", "y_um", "note"])
    path = write_table(tmp_path_factory.mktemp("table") / "t.csv", frame)
    # as text: Python reads numbers exactly, pandas below 3.1 only when asked to
    back = pd.read_csv(path, keep_default_na=False, dtype=str)
    assert back["track_id"].map(int).tolist() == frame["track_id"].tolist()
    assert back["y_um"].map(float).tolist() == frame["y_um"].tolist()
    assert back["note"].tolist() == frame["note"].tolist()


def test_text_is_replaced_only_with_permission(tmp_path: Path) -> None:
    path = write_text_atomically(tmp_path / "deep" / "er" / "n.txt", "µ\n")
    assert path.read_bytes() == "µ\n".encode()
    with pytest.raises(OutputExistsError):
        write_text_atomically(path, "other")
    write_text_atomically(path, "other", overwrite=True)
    assert path.read_text() == "other"
    assert [entry.name for entry in path.parent.iterdir()] == ["n.txt"]


def test_a_file_that_windows_keeps_open_is_said_to_be_open(tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "the process cannot access the file")
    assert "may not write there" in str(output_error(tmp_path / "a", error))
    error.winerror = 32
    assert "has it open. Close it there first" in str(output_error(tmp_path / "a", error))
