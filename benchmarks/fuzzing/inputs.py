"""A small valid input of every kind that a reader takes."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import napari_virtualstain as vs
from napari_virtualstain.io import write_image

MOVIE = (np.arange(4 * 12 * 14) % 251).reshape(4, 12, 14).astype(np.uint16)


def tiff_input(**options: Any) -> Callable[[Path], Path]:
    """Make a TIFF movie, written with `options`."""

    def make(folder: Path) -> Path:
        tifffile.imwrite(folder / "m.tif", MOVIE, **{"photometric": "minisblack", **options})
        return folder / "m.tif"

    return make


def ome_input(folder: Path) -> Path:
    """Make an OME-TIFF."""
    return write_image(
        folder / "m.ome.tif", MOVIE, axes="tyx", pixel_size_um=0.1, frame_interval_s=2
    )


def companion_input(folder: Path) -> Path:
    """Make a companion OME file over a TIFF a frame."""
    parts = "".join(
        f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1"><UUID FileName="t{t}.tif">u</UUID>'
        "</TiffData>"
        for t in range(4)
    )
    for t in range(4):
        tifffile.imwrite(folder / f"t{t}.tif", MOVIE[t], photometric="minisblack", metadata=None)
    path = folder / "m.companion.ome"
    path.write_text(
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels '
        'DimensionOrder="XYCZT" Type="uint16" SizeX="14" SizeY="12" SizeC="1" SizeZ="1" SizeT="4" '
        f'PhysicalSizeX="0.1" TimeIncrement="2">{parts}</Pixels></Image></OME>'
    )
    return path


def _directory(offset: int, plane: np.ndarray, told: dict[str, Any], is_last: bool) -> bytes:
    text = json.dumps(told).encode() + b"\0"
    pixels = offset + 2 + 9 * 12 + 4
    end = pixels + plane.nbytes + len(text)
    height, width = plane.shape
    rows = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, pixels), (278, 4, 1, height), (279, 4, 1, plane.nbytes),
        (51123, 2, len(text), pixels + plane.nbytes),
    ]  # fmt: skip
    head = struct.pack("<H", 9) + b"".join(struct.pack("<HHII", *row) for row in rows)
    return head + struct.pack("<I", 0 if is_last else end) + plane.astype("<u2").tobytes() + text


def micromanager_input(folder: Path) -> Path:
    """Make a Micro-Manager stack."""
    summary = json.dumps(
        {"MicroManagerVersion": "2", "Frames": 4, "Channels": 1, "ChNames": ["BF"]}
    ).encode()
    offset = 40 + len(summary)
    body, index = b"", []
    for t, plane in enumerate(MOVIE):
        index.append((0, 0, t, 0, offset))
        body += (part := _directory(offset, plane, {"FrameIndex": t}, t == 3))
        offset += len(part)
    table = struct.pack("<II", 3453623, len(index))
    table += b"".join(struct.pack("<5I", *row) for row in index)
    head = struct.pack("<2sHIII", b"II", 42, 40 + len(summary), 54773648, offset)
    head += struct.pack("<6I", 0, 0, 0, 0, 2355492, len(summary))
    (folder / "m_MMStack_Pos0.ome.tif").write_bytes(head + summary + body + table)
    return folder / "m_MMStack_Pos0.ome.tif"


def ndtiff_input(folder: Path) -> Path:
    """Make an NDTiff folder."""
    summary = b'{"PixelSize_um": 0.1}'
    offset = 28 + len(summary)
    body, index = b"", b""
    for t, plane in enumerate(MOVIE):
        axes = {"time": t, "channel": "BF"}
        part = _directory(offset, plane, {"Axes": axes}, t == 3)
        for text in (json.dumps(axes).encode(), b"d_NDTiffStack.tif"):
            index += struct.pack("<I", len(text)) + text
        index += struct.pack("<IiiiiIii", offset + 114, 14, 12, 1, 0, offset, 2, 0)
        body += part
        offset += len(part)
    head = struct.pack("<2sHI5I", b"II", 42, 28 + len(summary), 483729, 3, 0, 2355492, len(summary))
    (folder / "d_NDTiffStack.tif").write_bytes(head + summary + body)
    (folder / "NDTiff.index").write_bytes(index)
    return folder


def deltavision_input(folder: Path) -> Path:
    """Make a DeltaVision file."""
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, 14, 12, 4, 6)
    struct.pack_into("<3f", head, 40, 0.1, 0.1, 0.2)
    struct.pack_into("<ih", head, 92, 160, -16224)
    struct.pack_into("<2h", head, 128, 8, 2)
    struct.pack_into("<2h", head, 180, 4, 2)
    struct.pack_into("<6h", head, 196, 1, 525, 0, 0, 0, 0)
    extended = b"".join(struct.pack("<8i2f", *(0,) * 8, 0.0, 5.0 * t) for t in range(4))
    (folder / "m.dv").write_bytes(bytes(head) + extended + MOVIE.astype("<u2").tobytes())
    return folder / "m.dv"


def pictures_input(suffix: str) -> Callable[[Path], Path]:
    """Make a folder of pictures of one kind."""

    def make(folder: Path) -> Path:
        from PIL import Image

        for t in range(3):
            if suffix == "tif":
                tifffile.imwrite(folder / f"c_t{t:03}.tif", MOVIE[t], photometric="minisblack")
            else:
                Image.fromarray(MOVIE[t].astype(np.uint8)).save(folder / f"c_t{t:03}.{suffix}")
        return folder

    return make


def zarr_input(version: int) -> Callable[[Path], Path]:
    """Make an OME-Zarr image of Zarr 2 or 3."""

    def make(folder: Path) -> Path:
        import zarr

        path = folder / "m.zarr"
        group = zarr.create_group(path, zarr_format=version)  # type: ignore[arg-type]
        group.create_array("0", shape=MOVIE.shape, dtype="u2", chunks=(2, 12, 14))[...] = MOVIE
        space = {"type": "space", "unit": "micrometer"}
        multiscale = {
            "version": "0.4",
            "name": "m",
            "axes": [
                {"name": "t", "type": "time", "unit": "second"},
                {"name": "y", **space},
                {"name": "x", **space},
            ],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": [2.0, 0.1, 0.1]}],
                }
            ],
        }
        if version == 2:
            group.attrs["multiscales"] = [multiscale]
            group.attrs["omero"] = {"channels": [{"label": "BF"}]}
        else:
            group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
        return path

    return make


def plate_input(folder: Path) -> Path:
    """Make an OME-Zarr plate of one well."""
    import zarr

    path = folder / "p.zarr"
    zarr.create_group(path, zarr_format=2).attrs["plate"] = {
        "wells": [{"path": "A/1"}, {"path": "B/2"}], "rows": [{"name": "A"}], "version": "0.4"
    }  # fmt: skip
    zarr.create_group(path / "A" / "1", zarr_format=2).attrs["well"] = {"images": [{"path": "0"}]}
    shutil.move(zarr_input(2)(folder), path / "A" / "1" / "0")
    return path


def model_input(folder: Path) -> Path:
    """Make a model file."""
    from napari_virtualstain.models import ModelCard, build_network, save_model

    architecture = {"name": "unet", "arguments": {"widths": (4, 8), "kernel": 3}}
    card = ModelCard(name="small", architecture=architecture, pixel_size_um=0.08)  # type: ignore[arg-type]
    return save_model(folder / "m.safetensors", build_network(architecture), card)


def detections_input(folder: Path) -> Path:
    """Make a table of detections."""
    rows = ["frame,y_um,x_um,height_um,width_um,area_um2,intensity"]
    rows += [
        f"{t},{2 * i + 0.1 * t},{3 * i + 0.05 * t},0.5,0.6,0.25,{100 + i}"
        for t in range(6)
        for i in range(5)
    ]
    (folder / "d.csv").write_text("\n".join(rows) + "\n")
    return folder / "d.csv"


def tracks_input() -> vs.Tracks:
    """Make tracks with a fission."""
    import pandas as pd

    rows = [(name, t) for name, start in ((1, 0), (2, 2), (3, 2)) for t in range(start, start + 3)]
    table = pd.DataFrame(rows, columns=["track_id", "frame"])
    table = table[~((table.track_id == 1) & (table.frame > 1))]
    table = table.assign(y_um=1.0 + table.track_id, x_um=2.0 + 0.1 * table.frame, area_um2=0.4)
    event = {"kind": "fission", "frame": 2, "time_s": 4.0, "y_um": 1.0, "x_um": 2.0}
    event |= {"probability": 0.9, "parents": "1", "children": "2;3"}
    return vs.Tracks.from_table(
        table, {2: [1], 3: [1]}, pd.DataFrame([event]), pixel_size_um=0.1, frame_interval_s=2.0
    )


def ctc_input(folder: Path) -> Path:
    """Make a Cell Tracking Challenge folder."""
    for t in range(4):
        plane = np.zeros((12, 12), np.uint16)
        plane[2:5, 2:5], plane[7:9, 3 + t : 6 + t] = 1, 2
        tifffile.imwrite(folder / f"mask{t:03}.tif", plane, compression="zlib")
    (folder / "res_track.txt").write_text("1 0 3 0\n2 0 3 0\n")
    return folder


def pairs_input(folder: Path) -> Path:
    """Make two folders of pairs."""
    for name in ("bf", "fl"):
        for i in range(2):
            tifffile.imwrite(folder / f"{name}{i}.tif", MOVIE[i], photometric="minisblack")
    (folder / "pairs.csv").write_text(
        "bright_field,fluorescence,group\nbf0.tif,fl0.tif,a\nbf1.tif,fl1.tif,b\n"
    )
    return folder / "pairs.csv"


def settings_input(folder: Path) -> Path:
    """Make a settings file."""
    from napari_virtualstain.pipeline import PipelineSettings, save_settings

    return save_settings(folder / "settings.json", PipelineSettings())


# --- readers --------------------------------------------------------------------------------------
