"""Defaults of public functions and settings are part of the interface.

Scripts, saved settings and model cards leave defaults out: another default changes what they
mean. A change that is meant is recorded with ``VIRTUALSTAIN_STORE_FIGURES=1`` and named in the
changelog.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import napari_virtualstain as vs

ROOT = Path(vs.__file__).parent
STORED = Path(__file__).parent / "figures" / "public_defaults.json"


def modules(*, of_docks: bool) -> Iterator[Any]:
    """Yield the modules of the docks, or all others of the package."""
    for path in sorted(ROOT.rglob("*.py")):
        rooms = path.relative_to(ROOT).with_suffix("").parts
        if not rooms[-1].startswith("_") and ("plugin" in rooms) == of_docks:
            yield importlib.import_module(".".join(["napari_virtualstain", *rooms]))


def flat(name: str, value: Any) -> dict[str, Any]:
    """Return the numbers and words of a value, each by its name."""
    if isinstance(value, BaseModel):  # what its class says already stands there
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in flat(f"{name}.{key}", part).items()}
    if isinstance(value, tuple | list):
        return {k: v for n, part in enumerate(value) for k, v in flat(f"{name}.{n}", part).items()}
    is_word = isinstance(value, str) and " " not in value
    return {name: value} if is_word or isinstance(value, bool | int | float) else {}


def defaults_of(kind: Any) -> dict[str, Any]:
    """Return the defaults of a class's fields, or of a function's arguments."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {
            name: field.get_default(call_default_factory=True)
            for name, field in kind.model_fields.items()
            if not field.is_required()
        }
    if dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        return {f.name: f.default for f in dataclasses.fields(kind) if f.default is not missing}
    if inspect.isfunction(kind):
        arguments = inspect.signature(kind).parameters.values()
        return {a.name: a.default for a in arguments if a.default is not inspect.Parameter.empty}
    return {}


def limits_of(kind: Any) -> dict[str, dict[str, Any]]:
    """Return the limits of the numbers of a settings class: what may be set at all."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    limits = ("ge", "gt", "le", "lt", "min_length", "max_length")
    return {
        name: {
            limit: getattr(rule, limit)
            for rule in field.metadata
            for limit in limits
            if getattr(rule, limit, None) is not None
        }
        for name, field in kind.model_fields.items()
    }


def public_defaults(*, of_docks: bool) -> dict[str, Any]:
    """Return each default, and limit, by room, function or class, and argument."""
    found: dict[str, Any] = {}
    for module in modules(of_docks=of_docks):
        for name, kind in vars(module).items():
            if name.startswith("_") or getattr(kind, "__module__", "") != module.__name__:
                continue
            room = module.__name__.split(".")[1]
            for argument, value in (*defaults_of(kind).items(), *limits_of(kind).items()):
                found |= flat(f"{room}.{name}.{argument}", value)
    return dict(sorted(found.items()))


@pytest.mark.parametrize("of_docks", [False, True])
def test_defaults_are_those_of_the_last_version(of_docks: bool) -> None:
    if of_docks:
        pytest.importorskip("napari")
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    others = {k: v for k, v in stored.items() if k.startswith("plugin.") != of_docks}
    found = public_defaults(of_docks=of_docks)
    if os.environ.get("VIRTUALSTAIN_STORE_FIGURES"):
        both = dict(sorted({**others, **found}.items()))
        STORED.write_text(json.dumps(both, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    changed = {
        name: (stored.get(name), found.get(name))
        for name in sorted({*stored, *found} - {*others})
        if stored.get(name) != found.get(name)
    }
    assert not changed, f"stored and found: {changed}"
