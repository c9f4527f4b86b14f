"""``virtualstain models list|info|export``."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .exits import tell
from .options import Overwrite
from .running import running_job

if TYPE_CHECKING:
    from ..models import ModelCard

_FIRST = ("description", "licence", "pixel_size_um", "inputs", "outputs", "scores", "split", "data")
_ONLY_FOR_PROGRAMS = {"activation_ranges", "name", "kind", "schema_version", "statistics"}
_SUMMARY = ("mean", "low", "high")
_NONE = dict.fromkeys(_SUMMARY)
_MOST_ITEMS = 12
_LETTERS_OF_A_NAME = 40  # a list of longer texts, such as warnings, has a line for each

models_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Shipped and own models: list them, read their cards, export them.",
)


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of a model, or a .safetensors file.")
]


@models_app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List the models at hand.

    Example:  virtualstain models list
    """
    from ..models import list_models as find_models
    from ..models import user_model_folder

    entries = find_models()
    if as_json:
        tell(json.dumps([_entry(entry) for entry in entries], indent=2))
        return
    for entry in entries:
        if entry.card is None:
            tell(f"{entry.name:<20} unreadable  {entry.problem}")
            continue
        size = f"{entry.card.pixel_size_um:g} µm/px" if entry.card.pixel_size_um else "any pixel"
        tell(
            f"{entry.name:<20} {entry.card.kind:<10} {entry.source:<8} {size:<12} "
            f"{_first_sentence(entry.card.description)}".rstrip()
        )
    if not entries:
        tell("No model is installed.")
    tell(f"Put own models (.safetensors) into {user_model_folder()}", err=True)


def _entry(entry: Any) -> dict[str, Any]:
    card = None if entry.card is None else entry.card.model_dump(mode="json")
    return {
        "name": entry.name,
        "path": str(entry.path),
        "source": entry.source,
        "problem": entry.problem,
        "card": card,
    }


def _first_sentence(text: str) -> str:
    return textwrap.shorten(text.split(". ")[0], 90, placeholder=" …")


@models_app.command("info")
def info(
    model: ModelArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole card as JSON.")] = False,
) -> None:
    """Show the card of a model: training data, scores with baselines, licence.

    Example:  virtualstain models info mito-h9c2
    """
    from ..models import find_model, read_card

    card = read_card(model)
    if as_json:
        tell(card.model_dump_json(indent=2))
        return
    tell(f"{card.name}: {card.kind}")
    tell(f"file: {find_model(model)}")
    for line in card_lines(card):
        tell(line)
    tell("Every setting, and the statistics of the training images: --json", err=True)


@models_app.command("export")
def export(
    model: ModelArgument,
    out: Annotated[
        Path, typer.Option("--output", "-o", help="Ends in .onnx, or .zip for BioImage.IO.")
    ],
    overwrite: Overwrite = False,
) -> None:
    """Export a model to ONNX or BioImage.IO; needs the extra [export].

    Example:  virtualstain models export mito-h9c2 -o mito-h9c2.onnx
    """
    from ..errors import InputError
    from ..io import check_output
    from ..models import find_model

    kinds = {".onnx": "ONNX", ".zip": "BioImage.IO package"}
    kind = kinds.get(out.suffix.lower())
    if kind is None:
        raise InputError(
            f"The output {out} cannot be written: expected a name ending in .onnx (ONNX) or .zip "
            "(BioImage.IO)."
        )
    with running_job() as job:
        check_output(out, overwrite=overwrite)
        find_model(model)
        from ..engine import export_model

        export_model(model, out, overwrite=overwrite)
        job.say(f"{out}: {model} as {kind}")


def card_lines(card: ModelCard) -> list[str]:
    """Return the card without what only programs read: settings, statistics of the images.

    Examples
    --------
    >>> from ..models import ModelCard
    >>> summary = {"mean": 0.64, "low": 0.61, "high": 0.67, "median": 0.66}
    >>> card = ModelCard(name="mine", scores={"virtual stain": {"pearson": summary}})
    >>> for line in card_lines(card)[5:8]:
    ...     print(line)
    scores: mean of the judged cells (95 % interval)
               virtual stain
      pearson  0.640 (0.610 to 0.670)
    """
    fields = card.model_dump(mode="json", exclude=_ONLY_FOR_PROGRAMS)
    fields["training"].pop("settings", None)
    lines: list[str] = []
    for name in dict.fromkeys((*_FIRST, *fields)):
        value = fields[name]
        is_table = name == "scores" and value
        lines += _score_lines(value) if is_table else _lines(name.replace("_", " "), value, "")
    return lines


def _lines(name: str, value: Any, indent: str) -> list[str]:
    """Return a field and what is in it, nothing for an empty one."""
    if value in (None, "", {}, []):
        return []
    if _is_summary(value):
        value = _summary(value)
    if isinstance(value, dict):
        inner = [line for key, part in value.items() for line in _lines(key, part, indent + "  ")]
        return [f"{indent}{name}:", *inner]
    if isinstance(value, list):
        items = [str(item) for item in value]
        more = f" … ({len(items)} in all)" if len(items) > _MOST_ITEMS else ""
        if not more and max(map(len, items)) > _LETTERS_OF_A_NAME:
            return [f"{indent}{name}:", *(f"{indent}  - {item}" for item in items)]
        value = ", ".join(items[:_MOST_ITEMS]) + more
    return [
        f"{indent}{name}: {value:.4g}" if isinstance(value, float) else f"{indent}{name}: {value}"
    ]


def _score_lines(scores: dict[str, Any]) -> list[str]:
    """Return a table of the scores of the model and of its baselines, and what is said of them."""
    fields = dict(scores)
    if isinstance(fields.get("before"), dict):
        fields |= fields.pop("before")
    methods = {name: values for name, values in fields.items() if _is_method(values)}
    if not methods:
        return _lines("scores", fields, "")
    rest = {name: value for name, value in fields.items() if name not in methods}
    said = [line for name, value in rest.items() for line in _lines(name, value, "  ")]
    return ["scores: mean of the judged cells (95 % interval)", *_table(methods), *said]


def _table(methods: dict[str, dict[str, Any]]) -> list[str]:
    """Return a row per score and a column per method, the interval in the first one."""
    names = list(next(iter(methods.values())))
    rows = [["", *methods]]
    for name in names:
        first, *others = (values.get(name, _NONE) for values in methods.values())
        rows.append([name, _summary(first), *(_number(other["mean"]) for other in others)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _is_method(values: Any) -> bool:
    return isinstance(values, dict) and bool(values) and all(map(_is_summary, values.values()))


def _is_summary(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() >= set(_SUMMARY):
        return False
    # a card of another program may hold anything
    return all(value[key] is None or isinstance(value[key], int | float) for key in _SUMMARY)


def _summary(value: dict[str, Any]) -> str:
    mean, low, high = (_number(value[key]) for key in _SUMMARY)
    return mean if value["mean"] is None else f"{mean} ({low} to {high})"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:#.3g}"
