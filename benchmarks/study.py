"""Leave-one-cell-out study of the methods of the paper, their rivals, and ours.

For each method and each of the cells TL_009 to TL_012: train on all other cells, judge on
that one. One process can do it all, or several can share the work (``--only``); what is
finished is kept, so that a stopped study goes on where it was.

    python benchmarks/study.py --data DATA/h9c2_pairs --steps 300 --network compact

The full study (``--network paper``, the presets' own 200 epochs) needs a GPU: leave
``--steps`` and ``--network`` out. Whatever was shortened is written above the table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from napari_virtualstain.data import CorrelativePairs, match_pairs
from napari_virtualstain.metrics import bootstrap_interval
from napari_virtualstain.training import TABLE_1, TrainingConfig, preset, train

CELLS = ("TL_009", "TL_010", "TL_011", "TL_012")
SCORES = ("pearson", "bandpass_pearson", "ssim", "psnr", "kl", "mask_iou")
WEIGHT_MAPS = ("none", "binary", "logit", "gaussian", "psf_convolution", "psf_deconvolution")


def methods() -> dict[str, TrainingConfig]:
    """Return all settings to compare: Table 1, Fig. 6, plain L1, Spotlight-like, ours."""
    chosen = {f"Table 1 {method.name}": preset(method.name) for method in TABLE_1}
    base = preset("A")
    for kind in WEIGHT_MAPS:
        if kind == "psf_deconvolution":
            continue  # method A itself
        # without a map the weighted term is plain L1 with the same weight
        loss = base.loss.model_copy(update={"weight_map": kind})
        chosen[f"Fig. 6 {kind}"] = base.model_copy(update={"loss": loss})
    ours = preset("recommended")
    chosen["recommended"] = ours
    plain = {**dict.fromkeys(_terms(ours), 0.0), "l1": 1.0}
    chosen["ours, L1 only"] = _with_loss(ours, plain)
    chosen["ours, PSF-weighted L1 only"] = _with_loss(
        ours,
        {**plain, "l1": 0.0, "weighted_l1": 1.0, "weight_map": "psf_deconvolution",
         "weight_mean_one": True},
    )  # fmt: skip
    chosen["ours, Spotlight-like only"] = _with_loss(ours, {**plain, "l1": 0.0, "spotlight": 1.0})
    return chosen


def _terms(config: TrainingConfig) -> list[str]:
    return [
        name for name in ("l1", "correlation", "band_pass", "gradient", "multi_scale", "laplace",
                          "mse", "weighted_l1", "spotlight", "adversarial")
        if getattr(config.loss, name)
    ]  # fmt: skip


def _with_loss(config: TrainingConfig, changes: dict[str, object]) -> TrainingConfig:
    return config.updated(loss={**config.loss.model_dump(), **changes})


def shortened(config: TrainingConfig, arguments: argparse.Namespace) -> TrainingConfig:
    """Return the settings as this machine can afford them."""
    changes: dict[str, object] = {"validate_every": 10**6, "report": False, "seed": arguments.seed}
    if arguments.steps:
        # one batch size for all, so that every method sees equally many crops and makes
        # equally many steps; a batch of one is where a small machine is slowest
        changes |= {"steps": arguments.steps, "epochs": None, "batch_size": arguments.batch}
    if arguments.crop:
        changes["crop_size"] = arguments.crop
    if arguments.network:
        kept = ("replicate", "dropout", "output_activation")
        old = config.architecture.arguments
        network = {name: old[name] for name in kept if name in old}
        if arguments.widths:
            network["widths"] = arguments.widths
        changes["architecture"] = {"name": arguments.network, "arguments": network}
    if arguments.discriminator_width:
        changes["discriminator_width"] = arguments.discriminator_width
    return config.updated(**changes)


def run(
    name: str, config: TrainingConfig, cell: str, pairs: CorrelativePairs, folder: Path
) -> pd.DataFrame:
    """Return the scores of one method on one held-out cell, from disk if they are there."""
    slug = "".join(c if c.isalnum() else "-" for c in f"{name}-{cell}").lower()
    table_path = folder / slug / "scores.csv"
    settings = config.updated(name=slug, validation_groups=(cell,))
    settings_path = folder / slug / "settings.json"
    text = settings.model_dump_json()
    if table_path.exists() and settings_path.read_text() == text:
        return pd.read_csv(table_path)
    result = train(pairs, settings, output=folder / slug / "model.safetensors", overwrite=True)
    assert result.scores is not None
    table = result.scores.assign(setting=name, cell=cell, steps=result.steps)
    settings_path.write_text(text)
    table.to_csv(table_path, index=False)
    return table


def summary(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return one row a method: mean over the crops, interval over the cells."""
    scores = pd.concat(tables, ignore_index=True)
    rows = []
    stains = scores[scores["method"] == "virtual stain"]
    for setting, part in stains.groupby("setting", sort=False):
        rows.append(_row(str(setting), part))
    baselines = scores[scores["method"] != "virtual stain"]
    for method, part in baselines.drop_duplicates(["method", "cell", "name"]).groupby("method"):
        rows.append(_row(f"baseline: {method}", part))
    return pd.DataFrame(rows)


def _row(name: str, part: pd.DataFrame) -> dict[str, object]:
    row: dict[str, object] = {"method": name, "cells": part["cell"].nunique()}
    for score in SCORES:
        values = part[score].to_numpy(float)
        interval = bootstrap_interval(
            values, list(part["cell"]), generator=np.random.default_rng(0)
        )
        row[score] = interval.mean
        row[f"{score}_low"], row[f"{score}_high"] = interval.low, interval.high
    return row


def paired(tables: list[pd.DataFrame], first: str, second: str) -> dict[str, object] | None:
    """Return what `first` brings over `second`, crop by crop, with intervals over cells."""
    scores = pd.concat(tables, ignore_index=True)
    scores = scores[scores["method"] == "virtual stain"]
    sides = [
        scores[scores["setting"] == name].set_index(["cell", "name"]) for name in (first, second)
    ]
    common = sides[0].index.intersection(sides[1].index)
    if common.empty:
        return None
    row: dict[str, object] = {"comparison": f"{first} minus {second}", "crops": len(common)}
    for score in SCORES:
        difference = (sides[0].loc[common, score] - sides[1].loc[common, score]).to_numpy(float)
        interval = bootstrap_interval(
            difference, [cell for cell, _ in common], generator=np.random.default_rng(0)
        )
        row[score] = _text(interval.mean, interval.low, interval.high, "+.3f")
        if not np.isfinite(interval.low):
            # one cell has no interval over cells; its crops are not independent of each other
            error = np.nanstd(difference, ddof=1) / np.sqrt(np.isfinite(difference).sum())
            row[score] = f"{row[score]} ± {error:.3f}"
    return row


def _text(mean: float, low: float, high: float, form: str) -> str:
    """Return a mean with its interval, which one cell alone does not have."""
    if not np.isfinite(mean):
        return "undefined"
    return f"{mean:{form}}" + (f" ({low:{form}} to {high:{form}})" if np.isfinite(low) else "")


COMPARISONS = (
    ("Table 1 A", "Table 1 E"),
    ("Table 1 D", "Table 1 F"),
    ("Table 1 A", "Fig. 6 gaussian"),
    ("ours, PSF-weighted L1 only", "ours, L1 only"),
    ("ours, Spotlight-like only", "ours, L1 only"),
    ("recommended", "ours, L1 only"),
    ("recommended", "Table 1 A"),
)


def markdown(table: pd.DataFrame) -> str:
    """Return the summary as a table for the documentation."""
    lines = ["| method | cells | " + " | ".join(SCORES) + " |", "|---" * (len(SCORES) + 2) + "|"]
    for _, row in table.iterrows():
        cells = [
            _text(row[score], row[f"{score}_low"], row[f"{score}_high"], ".3f") for score in SCORES
        ]
        lines.append(f"| {row['method']} | {row['cells']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(tables: list[pd.DataFrame], arguments: argparse.Namespace, folder: Path) -> None:
    """Write the tables as CSV and markdown."""
    table = summary(tables)
    table.to_csv(folder / "study.csv", index=False)
    differences = [row for a, b in COMPARISONS if (row := paired(tables, a, b))]
    parts = [note(arguments, tables), markdown(table)]
    if differences:
        names = list(differences[0])
        parts.append("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|\n" + "\n".join(
            "| " + " | ".join(str(row[name]) for name in names) + " |" for row in differences
        ))  # fmt: skip
    (folder / "study.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def note(arguments: argparse.Namespace, tables: list[pd.DataFrame]) -> str:
    """Return what was shortened."""
    given = {
        key: " ".join(map(str, value)) if isinstance(value, list) else value
        for key, value in vars(arguments).items()
        if value and key not in ("data", "output", "cells", "only")
    }
    command = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in given.items())
    cells = sorted({cell for table in tables for cell in table["cell"]})
    return (
        f"Settings: `{command or 'as in the presets'}`; held-out cells {', '.join(cells)}, one at "
        "a time; mean over crops, 95 % interval over cells (± is the standard error over the crops "
        "of one cell)."
    )


def main() -> None:
    """Run what is asked for and write the tables after every training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder h9c2_pairs")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/study"))
    parser.add_argument("--steps", type=int, default=0, help="shorten: steps of --batch crops")
    parser.add_argument("--batch", type=int, default=8, help="crops a step, when shortened")
    parser.add_argument("--crop", type=int, default=0, help="shorten: side of the crops")
    parser.add_argument("--network", default="", help="shorten: compact instead of paper")
    parser.add_argument("--widths", type=int, nargs="+", default=[], help="shorten: channels")
    parser.add_argument("--discriminator-width", type=int, default=0, help="shorten: 16, not 64")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", nargs="+", default=list(CELLS))
    parser.add_argument("--only", nargs="+", default=[], help="parts of method names")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    pairs = match_pairs(
        arguments.data / "bright_field",
        arguments.data / "fluorescence",
        group_by=r"TL_\d+|v_\d+",
        pixel_size_um=0.08,
    )
    wanted: Callable[[str], bool] = lambda name: (  # noqa: E731
        not arguments.only or any(part in name for part in arguments.only)
    )
    tables: list[pd.DataFrame] = []
    for cell in arguments.cells:
        for name, config in methods().items():
            if wanted(name):
                table = run(name, shortened(config, arguments), cell, pairs, arguments.output)
                tables.append(table)
                stain = table[table["method"] == "virtual stain"]
                means = {score: round(float(stain[score].mean()), 3) for score in SCORES}
                print(cell, name, json.dumps(means), flush=True)
                write(tables, arguments, arguments.output)


if __name__ == "__main__":
    main()
