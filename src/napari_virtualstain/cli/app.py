"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from .._version import __version__
from .demo import demo
from .doctor import doctor
from .evaluate import evaluate
from .exits import PlainGroup
from .models import models_app
from .run import run
from .segment import segment
from .simulate import simulate
from .stain import stain
from .track import track
from .train import train
from .train_segmenter import train_segmenter

app = typer.Typer(
    name="virtualstain",
    cls=PlainGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Virtual fluorescence of mitochondria from bright-field movies, segmented and tracked.",
    epilog="Begin with: virtualstain demo, and look at the overview.png that it writes.",
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"virtualstain {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


for _command in (demo, simulate, stain, segment, track, run, evaluate, train, doctor):
    app.command()(_command)
app.command("train-segmenter")(train_segmenter)
app.add_typer(models_app, name="models")
