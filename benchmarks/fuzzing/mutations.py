"""Random damage to a file or folder: bytes, declared numbers, tags, cells, missing files."""

from __future__ import annotations

import json
import random
import re
import struct
from pathlib import Path
from typing import Any

EXTREMES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 255, 65536, 2**31, 2**63, 10**12, 10**30, 1e300, -1e300, 0.5, 1e-300,
    float("nan"), float("inf"), "", "x", "1e999", "../..", "/etc/passwd", "\0", "µ" * 300, [], {},
    [1], [[]], {"a": 1}, [10**9] * 3, [-1, 0], ["x"] * 5,
)  # fmt: skip


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
