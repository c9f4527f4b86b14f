"""``virtualstain models list|info|export``."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from .card_text import card_lines
from .jobs import running_job
from .options import Overwrite

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
        typer.echo(json.dumps([_entry(entry) for entry in entries], indent=2))
        return
    for entry in entries:
        if entry.card is None:
            typer.echo(f"{entry.name:<20} unreadable  {entry.problem}")
            continue
        size = f"{entry.card.pixel_size_um:g} µm/px" if entry.card.pixel_size_um else "any pixel"
        typer.echo(
            f"{entry.name:<20} {entry.card.kind:<10} {entry.source:<8} {size:<12} "
            f"{_first_sentence(entry.card.description)}".rstrip()
        )
    if not entries:
        typer.echo("No model is installed.")
    typer.echo(f"Put own models (.safetensors) into {user_model_folder()}", err=True)


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
        typer.echo(card.model_dump_json(indent=2))
        return
    typer.echo(f"{card.name}: {card.kind}")
    typer.echo(f"file: {find_model(model)}")
    for line in card_lines(card):
        typer.echo(line)
    typer.echo("Every setting, and the statistics of the training images: --json", err=True)


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
