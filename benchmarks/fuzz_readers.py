"""Whether any damaged file escapes its reader, hangs it or exhausts the memory.

    python -m benchmarks.fuzz_readers --count 10000
    python -m benchmarks.fuzz_readers --only zarr-3 trackmate --count 500 --seed 7
    python -m benchmarks.fuzz_readers --cases FOLDER

Small valid inputs of every kind that the package reads are made, changed at random and read, the
pixels and rows too. A mutation flips, cuts, repeats or overwrites bytes; replaces values of JSON,
attributes of XML, cells of a table or numbers of a header by absurd ones; removes or repeats parts;
or renames, removes and empties files of a folder. Each is read in a process of its own (a fork),
with a limit on time and on memory. It passes when the reader returns or raises an error of the
package; it fails as an *escape* (another exception), a *hang* or *memory*.

``--cases`` reads the files of a folder whose names begin with a kind instead. ``--keep`` copies
what fails. The exit status is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import napari_virtualstain as vs
from napari_virtualstain.errors import VirtualStainError
from napari_virtualstain.io import open_stack, write_image

SECONDS = 20  # of the processor, so that a busy machine makes no hang
WALL_SECONDS = 90
MEMORY_BYTES = 2**30
MOVIE = (np.arange(4 * 12 * 14) % 251).reshape(4, 12, 14).astype(np.uint16)
EXTREMES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 255, 65536, 2**31, 2**63, 10**12, 10**30, 1e300, -1e300, 0.5, 1e-300,
    float("nan"), float("inf"), "", "x", "1e999", "../..", "/etc/passwd", "\0", "µ" * 300, [], {},
    [1], [[]], {"a": 1}, [10**9] * 3, [-1, 0], ["x"] * 5,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input: how a valid one is made, and how it is read."""

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]


# --- valid inputs ---------------------------------------------------------------------------------


def _tiff(**options: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        tifffile.imwrite(folder / "m.tif", MOVIE, **{"photometric": "minisblack", **options})
        return folder / "m.tif"

    return make


def _ome(folder: Path) -> Path:
    return write_image(
        folder / "m.ome.tif", MOVIE, axes="tyx", pixel_size_um=0.1, frame_interval_s=2
    )


def _companion(folder: Path) -> Path:
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


def _micromanager(folder: Path) -> Path:
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


def _ndtiff(folder: Path) -> Path:
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


def _deltavision(folder: Path) -> Path:
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


def _pictures(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from PIL import Image

        for t in range(3):
            if suffix == "tif":
                tifffile.imwrite(folder / f"c_t{t:03}.tif", MOVIE[t], photometric="minisblack")
            else:
                Image.fromarray(MOVIE[t].astype(np.uint8)).save(folder / f"c_t{t:03}.{suffix}")
        return folder

    return make


def _zarr(version: int) -> Callable[[Path], Path]:
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


def _plate(folder: Path) -> Path:
    import zarr

    path = folder / "p.zarr"
    zarr.create_group(path, zarr_format=2).attrs["plate"] = {
        "wells": [{"path": "A/1"}, {"path": "B/2"}], "rows": [{"name": "A"}], "version": "0.4"
    }  # fmt: skip
    zarr.create_group(path / "A" / "1", zarr_format=2).attrs["well"] = {"images": [{"path": "0"}]}
    shutil.move(_zarr(2)(folder), path / "A" / "1" / "0")
    return path


def _model(folder: Path) -> Path:
    from napari_virtualstain.models import ModelCard, build_network, save_model

    architecture = {"name": "unet", "arguments": {"widths": (4, 8), "kernel": 3}}
    card = ModelCard(name="small", architecture=architecture, pixel_size_um=0.08)  # type: ignore[arg-type]
    return save_model(folder / "m.safetensors", build_network(architecture), card)


def _detections(folder: Path) -> Path:
    rows = ["frame,y_um,x_um,height_um,width_um,area_um2,intensity"]
    rows += [
        f"{t},{2 * i + 0.1 * t},{3 * i + 0.05 * t},0.5,0.6,0.25,{100 + i}"
        for t in range(6)
        for i in range(5)
    ]
    (folder / "d.csv").write_text("\n".join(rows) + "\n")
    return folder / "d.csv"


def _tracks() -> vs.Tracks:
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


def _ctc(folder: Path) -> Path:
    for t in range(4):
        plane = np.zeros((12, 12), np.uint16)
        plane[2:5, 2:5], plane[7:9, 3 + t : 6 + t] = 1, 2
        tifffile.imwrite(folder / f"mask{t:03}.tif", plane, compression="zlib")
    (folder / "res_track.txt").write_text("1 0 3 0\n2 0 3 0\n")
    return folder


def _pairs(folder: Path) -> Path:
    for name in ("bf", "fl"):
        for i in range(2):
            tifffile.imwrite(folder / f"{name}{i}.tif", MOVIE[i], photometric="minisblack")
    (folder / "pairs.csv").write_text(
        "bright_field,fluorescence,group\nbf0.tif,fl0.tif,a\nbf1.tif,fl1.tif,b\n"
    )
    return folder / "pairs.csv"


def _settings(folder: Path) -> Path:
    from napari_virtualstain.pipeline import PipelineSettings, save_settings

    return save_settings(folder / "settings.json", PipelineSettings())


# --- readers --------------------------------------------------------------------------------------


def _read_image(path: Path) -> None:
    stack = open_stack(path)
    for index in (0, -1):
        place = tuple(index for _ in stack.axes[:-2])
        np.asarray(stack.data[place])
    stack.describe()


def _read_model(path: Path) -> None:
    vs.load_model(path)


def _read_detections(**options: Any) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from napari_virtualstain.io import read_table
        from napari_virtualstain.pipeline import tracking_config

        vs.link(read_table(path, "frame, y_um, x_um"), config=tracking_config(**options))

    return read


def _read_pairs(path: Path) -> None:
    from napari_virtualstain.data import match_pairs

    match_pairs(path)


def _read_settings(path: Path) -> None:
    from napari_virtualstain.pipeline import load_settings

    load_settings(path)


KINDS = {
    "tiff": Kind(_tiff(), _read_image),
    "tiff-deflate": Kind(_tiff(compression="zlib"), _read_image),
    "tiff-tiled": Kind(_tiff(tile=(16, 16), compression="lzw"), _read_image),
    "tiff-big": Kind(_tiff(bigtiff=True, byteorder=">"), _read_image),
    "imagej": Kind(
        _tiff(imagej=True, metadata={"axes": "TYX", "unit": "um", "finterval": 2.0}), _read_image
    ),
    "ome-xml": Kind(_ome, _read_image),
    "companion": Kind(_companion, _read_image),
    "micromanager": Kind(_micromanager, _read_image),
    "ndtiff": Kind(_ndtiff, _read_image),
    "deltavision": Kind(_deltavision, _read_image),
    "folder-pngs": Kind(_pictures("png"), _read_image),
    "folder-jpegs": Kind(_pictures("jpg"), _read_image),
    "folder-tiffs": Kind(_pictures("tif"), _read_image),
    "zarr-v2": Kind(_zarr(2), _read_image),
    "zarr-v3": Kind(_zarr(3), _read_image),
    "zarr-plate": Kind(_plate, _read_image),
    "model": Kind(_model, _read_model),
    "detections-kalman-extended": Kind(_detections, _read_detections(mode="extended")),
    "detections-kalman-paper": Kind(_detections, _read_detections(mode="paper")),
    "detections-trackpy": Kind(_detections, _read_detections(linker="trackpy")),
    "tracks-csv": Kind(lambda folder: _tracks().to_csv(folder / "t.csv"), vs.Tracks.from_csv),
    "trackmate-xml": Kind(
        lambda folder: _tracks().to_trackmate(folder / "t.xml"), vs.Tracks.from_trackmate
    ),
    "ctc": Kind(_ctc, vs.Tracks.from_ctc),
    "geff": Kind(lambda folder: _tracks().to_geff(folder / "t.geff"), vs.Tracks.from_geff),
    "pairs": Kind(_pairs, _read_pairs),
    "settings": Kind(_settings, _read_settings),
}

# --- mutations ------------------------------------------------------------------------------------


def mutate(path: Path, chance: random.Random) -> None:
    """Change one input, a file or a folder, in one to three places."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        files = [file for file in files if file.is_file()]
        if not files:
            return
        file = chance.choice(files)
        if path.is_dir() and chance.random() < 0.1:
            _change_file(file, chance)
            continue
        held = file.read_bytes()
        file.write_bytes(_changed(file, held, chance))


def _changed(file: Path, held: bytes, chance: random.Random) -> bytes:
    is_text = chance.random() < 0.75
    if file.name.endswith((".json", ".zattrs", ".zarray", ".zgroup", ".zmetadata")) and is_text:
        return _changed_json(held, chance)
    if file.suffix == ".safetensors" and is_text:
        return _changed_model(held, chance)
    if file.suffix in (".xml", ".ome") and is_text:
        return _changed_xml(held, chance)
    if file.suffix in (".csv", ".txt") and is_text:
        return _changed_table(held, chance)
    start, end = held.find(b"<?xml"), held.rfind(b"</OME>")
    if 0 <= start < end and is_text:
        xml = held[start : end + 6]
        new = _changed_xml(xml, chance)
        # the same length, so that the rest of the file stays where it is
        return held[:start] + new[: len(xml)].ljust(len(xml)) + held[end + 6 :]
    start, end = held.find(b"{"), held.find(b"}")
    if 0 <= start < end and is_text:
        new = _changed_text(held[start : end + 1], chance)
        return held[:start] + new[: end + 1 - start].ljust(end + 1 - start) + held[end + 1 :]
    return _changed_bytes(held, chance)


def _changed_bytes(held: bytes, chance: random.Random) -> bytes:
    if not held:
        return chance.randbytes(50)
    data = bytearray(held)
    at = chance.randrange(len(data) if chance.random() < 0.5 else min(len(data), 400))
    length = chance.choice((1, 2, 4, 8, 64, 1024))
    what = chance.randrange(7)
    if what == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif what == 1:
        del data[at : at + length]
    elif what == 2:
        data[at:at] = chance.randbytes(length)
    elif what == 3:
        data[at : at + length] = chance.choice((b"\0", b"\xff")) * length
    elif what == 4:
        del data[at:]
    elif what == 5:
        number = chance.choice((0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 10**9))
        data[at : at + 4] = struct.pack(chance.choice("<>") + "I", number)
    else:
        data[at : at + length] = data[at : at + length] * 2
    return bytes(data)


def _changed_json(held: bytes, chance: random.Random) -> bytes:
    try:
        content = json.loads(held)
    except (ValueError, RecursionError):
        return _changed_bytes(held, chance)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in list(entries):
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    if isinstance(content, dict | list):
        walk(content)
    if not places or chance.random() < 0.03:
        if chance.random() < 0.3:
            return b"[" * 100_000
        return json.dumps(chance.choice(EXTREMES)).encode()
    node, key = chance.choice(places)
    what = chance.randrange(5)
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(node, dict):
        node[chance.choice(("x", "", str(key) * 2))] = node.pop(key)
    elif what == 2 and isinstance(node[key], int | float):
        node[key] = chance.choice((-node[key], node[key] * 10**9, float(node[key]), str(node[key])))
    else:
        node[key] = chance.choice(EXTREMES)
    return json.dumps(content).encode()


def _changed_model(held: bytes, chance: random.Random) -> bytes:
    length = int.from_bytes(held[:8], "little")
    head, rest = held[8 : 8 + length], held[8 + length :]
    try:
        content = json.loads(head)
        cards = content["__metadata__"]
        if chance.random() < 0.6:
            key = chance.choice(list(cards))
            cards[key] = _changed_json(cards[key].encode(), chance).decode()
            head = json.dumps(content).encode()
        else:
            head = _changed_json(head, chance)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        head = _changed_bytes(head, chance)
    return len(head).to_bytes(8, "little") + head + rest


def _changed_xml(held: bytes, chance: random.Random) -> bytes:
    what = chance.randrange(5)
    attributes = list(re.finditer(rb'[\w:]+="([^"]*)"', held))
    elements = list(re.finditer(rb"<[^>]*>", held))
    if what < 3 and attributes:
        found = chance.choice(attributes)
        value = str(chance.choice(EXTREMES)).replace('"', "").replace("<", "").encode()
        return held[: found.start(1)] + value + held[found.end(1) :]
    if what == 3 and attributes:
        found = chance.choice(attributes)
        return held[: found.start()] + held[found.end() :]
    if elements:
        found = chance.choice(elements)
        times = chance.choice((0, 2, 3))
        return held[: found.start()] + found[0] * times + held[found.end() :]
    return _changed_bytes(held, chance)


def _changed_text(held: bytes, chance: random.Random) -> bytes:
    numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", held))
    if not numbers:
        return _changed_bytes(held, chance)
    found = chance.choice(numbers)
    value = json.dumps(chance.choice(EXTREMES)).encode()
    return held[: found.start()] + value + held[found.end() :]


def _changed_table(held: bytes, chance: random.Random) -> bytes:
    text = held.decode(errors="replace")
    separator = "," if "," in text else " "
    rows = [line.split(separator) for line in text.splitlines()]
    if not rows or not rows[0]:
        return _changed_bytes(held, chance)
    row = chance.randrange(len(rows))
    column = chance.randrange(len(rows[0]))
    what = chance.randrange(6)
    if what < 3 and column < len(rows[row]):
        extra = ("1+2j", "1e400", "0x10", "1,5", "=1+1", "True", "2020-01-01", "9" * 400, "-0")
        rows[row][column] = chance.choice((*map(str, EXTREMES), *extra))
    elif what == 3:
        rows = [[c for i, c in enumerate(r) if i != column] for r in rows]
    elif what == 4:
        rows = [[*r, r[column] if column < len(r) else ""] for r in rows]
    elif chance.random() < 0.5:
        rows.insert(row, rows[row] * chance.choice((1, 2)))
    else:
        del rows[row]
    return "\n".join(separator.join(cells) for cells in rows).encode(errors="replace")


def _change_file(file: Path, chance: random.Random) -> None:
    what = chance.randrange(4)
    if what == 0:
        file.unlink()
    elif what == 1:
        file.write_bytes(b"")
    elif what == 2:
        name = re.sub(r"\d+", chance.choice(("7", "99999999999", "-1", "")), file.name)
        name = name if name.strip(".") else "x"
        file.rename(file.with_name(name))
    else:
        file.unlink()
        file.mkdir()


# --- running --------------------------------------------------------------------------------------


_LIBRARIES = (
    "PIL.Image",
    "dask.array",
    "geff.core_io",
    "geff_spec",
    "pandas",
    "scipy.ndimage",
    "scipy.optimize",
    "skimage.measure",
    "tifffile",
    "torch",
    "trackpy",
    "zarr",
    "zarr.codecs",
    "safetensors.torch",
    "xml.etree",
    "networkx",
    "imagecodecs",
    "napari_virtualstain.data",
    "napari_virtualstain.models",
    "napari_virtualstain.pipeline",
    "napari_virtualstain.tracking.formats.csv",
    "napari_virtualstain.tracking.formats.ctc",
    "napari_virtualstain.tracking.formats.geff",
    "napari_virtualstain.tracking.formats.trackmate",
)


def warm_up() -> None:
    """Import what readers need, so that no case spends its time on it."""
    for name in _LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    for attribute in ("Tracks", "link", "load_model"):
        getattr(vs, attribute)


def attempt(kind: Kind, path: Path) -> tuple[str, str]:
    """Return what reading `path` ends in, and the last lines of its traceback.

    ``fine``, ``refused``, ``escape``, ``hang`` or ``memory``; in a fork of this process.
    """
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        outcome, detail = _in_child(kind, path)
        os.write(send, f"{outcome}\n{detail}"[:4000].encode(errors="replace"))
        os._exit(0)
    os.close(send)
    end = time.monotonic() + WALL_SECONDS
    most = _resident_bytes(os.getpid()) + MEMORY_BYTES
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        is_late = time.monotonic() > end
        if is_late or _resident_bytes(child) > most:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(receive)
            return ("hang" if is_late else "memory"), "killed"
        time.sleep(0.003)
    with os.fdopen(receive, "rb") as pipe:
        outcome, _, detail = pipe.read().decode(errors="replace").partition("\n")
    return outcome or "memory", detail or "the process died"


def _resident_bytes(process: int) -> int:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class _TooLongError(BaseException):
    """The time of one case is over."""


def _in_child(kind: Kind, path: Path) -> tuple[str, str]:
    def stop(number: int, frame: Any) -> None:
        raise _TooLongError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    # allocators reserve addresses that they never use; what is used is watched from outside
    limit = pages * os.sysconf("SC_PAGE_SIZE") + 8 * MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("ignore")
    try:
        kind.read(path)
        return "fine", ""
    except VirtualStainError as error:
        is_memory = isinstance(error.__cause__, MemoryError)
        return ("memory" if is_memory else "refused"), str(error)
    except _TooLongError:
        return "hang", traceback.format_exc(limit=-6)
    except MemoryError:
        return "memory", traceback.format_exc(limit=-6)
    except BaseException:
        return "escape", traceback.format_exc(limit=-6)


def run(
    kinds: dict[str, Kind], count: int, seed: int, *, keep: Path | None = None
) -> Counter[tuple[str, str]]:
    """Read `count` mutations, the kinds in turn, and return how often each kind ended how."""
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        made = {name: _valid(kind, root / name) for name, kind in kinds.items()}
        for number in range(count):
            name = list(kinds)[number % len(kinds)]
            case = root / "case"
            shutil.copytree(root / name, case)
            path = case / made[name]
            chance = random.Random(f"{seed}-{name}-{number}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mutate(path if path.exists() else case, chance)
            outcome, detail = attempt(kinds[name], path)
            counts[name, outcome] += 1
            if outcome not in ("fine", "refused"):
                print(f"{name} {number}: {outcome}: {detail.strip()[-600:]}", file=sys.stderr)
                if keep is not None:
                    shutil.copytree(case, keep / f"{name}-{number}-{outcome}", dirs_exist_ok=True)
            shutil.rmtree(case)
    return counts


def _valid(kind: Kind, folder: Path) -> str:
    """Make a valid input in a process of its own, and return its path below `folder`."""
    folder.mkdir()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            (folder / ".path").write_text(os.path.relpath(kind.make(folder), folder))
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{folder.name} could not be made")
    place = folder / ".path"
    path = place.read_text()
    place.unlink()
    return path


def _cases(folder: Path) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for case in sorted(folder.iterdir()):
        names = [name for name in KINDS if case.name.startswith(name)]
        if not names:
            continue
        name = max(names, key=len)
        outcome, detail = attempt(KINDS[name], case)
        counts[name, outcome] += 1
        print(f"{case.name}: {outcome}: {detail.strip()[-160:]}")
    return counts


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2600, help="mutations, over all kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=KINDS, help="kinds to try")
    parser.add_argument("--cases", type=Path, help="folder of inputs instead of mutations")
    parser.add_argument("--keep", type=Path, help="where inputs that fail are copied")
    given = parser.parse_args()
    kinds = {name: KINDS[name] for name in given.only or KINDS}
    started = time.monotonic()
    warm_up()
    if given.cases is not None:
        counts = _cases(given.cases)
    else:
        counts = run(kinds, given.count, given.seed, keep=given.keep)
    outcomes = ("fine", "refused", "escape", "hang", "memory")
    print(f"{'kind':28}", *(f"{outcome:>8}" for outcome in outcomes))
    for name in KINDS:
        if any(counts[name, outcome] for outcome in outcomes):
            print(f"{name:28}", *(f"{counts[name, outcome]:8}" for outcome in outcomes))
    total = {o: sum(n for (_, found), n in counts.items() if found == o) for o in outcomes}
    print(f"{'all':28}", *(f"{total[outcome]:8}" for outcome in outcomes))
    print(f"{time.monotonic() - started:.0f} s")
    failed = total["escape"] + total["hang"] + total["memory"]
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
