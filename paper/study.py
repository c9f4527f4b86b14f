r"""Leave-one-cell-out study of the methods of the paper, their rivals, and ours.

For each method and each of the cells TL_009 to TL_012: train on all other cells, judge on
that one. One process can do it all, or several can share the work (``--only``); what is
finished is kept, so that a stopped study goes on where it was.

    python -m paper.study --data DATA/h9c2_pairs --steps 100 --batch 4 --crop 96 \
        --network unet --widths 8 16 32 64 --discriminator-width 8 --rate-factor 5

The full study (the paper's network, the presets' own 200 epochs) needs a GPU: leave
the shortening options out. Whatever was shortened is written above the table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.training import TABLE_1, TrainingConfig, preset, train
from recipes.h9c2 import h9c2_pairs

CELLS = ("TL_009", "TL_010", "TL_011", "TL_012")
KEPT_SHARE = 0.3
SCORES = ("pearson", "bandpass_pearson", "ssim", "psnr", "kl", "mask_iou")
# the other two maps of Fig. 6 are methods of Table 1 already
WEIGHT_MAPS = ("binary", "logit", "gaussian", "psf_convolution")
LABELS = {
    "Table 1 A": "Table 1 A = Fig. 6 psf_deconvolution",
    "Table 1 E": "Table 1 E = Fig. 6 none",
}


def methods() -> dict[str, TrainingConfig]:
    """Return all settings to compare: Table 1, Fig. 6, plain L1, Spotlight-like, ours."""
    chosen = {f"Table 1 {method.name}": preset(method.name) for method in TABLE_1}
    base = preset("A")
    for kind in WEIGHT_MAPS:
        loss = base.loss.model_copy(update={"weight_map": kind})
        chosen[f"Fig. 6 {kind}"] = base.model_copy(update={"loss": loss})
    ours = preset("recommended")
    chosen["recommended"] = ours
    chosen["recommended, BatchNorm kept"] = ours.updated(frozen_statistics=KEPT_SHARE)
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
    if arguments.rate_factor and config.preset != "recommended":
        # 2e-4 is meant for 200 epochs; both networks learn faster, in the same proportion
        rates = config.optimisation.model_dump()
        for rate in ("learning_rate", "discriminator_learning_rate"):
            rates[rate] *= arguments.rate_factor
        changes["optimisation"] = rates
    return config.updated(**changes)


def run(
    name: str, config: TrainingConfig, cell: str, pairs: CorrelativePairs, folder: Path
) -> pd.DataFrame:
    """Return the scores of one method on one held-out cell, from disk if they are there."""
    slug = "".join(c if c.isalnum() else "-" for c in f"{name}-{cell}").lower()
    table_path = folder / slug / "scores.csv"
    settings = config.updated(name=slug, validation_groups=(cell,))
    settings_path = folder / slug / "settings.json"
    if table_path.exists() and _settings(settings_path) == settings:
        return pd.read_csv(table_path)
    result = train(pairs, settings, output=folder / slug / "model.safetensors", overwrite=True)
    assert result.scores is not None
    table = result.scores.assign(setting=name, cell=cell, steps=result.steps)
    settings_path.write_text(settings.model_dump_json(indent=1))
    table.to_csv(table_path, index=False)
    return table


def _settings(path: Path) -> TrainingConfig | None:
    """Return the settings of a finished run; settings that came later have their defaults."""
    try:
        return TrainingConfig.model_validate_json(path.read_text())
    except (OSError, ValueError):
        return None


def summary(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return one row a method: mean and standard error over the cells, each counted once."""
    scores = pd.concat(tables, ignore_index=True)
    stains = scores[scores["method"] == "virtual stain"]
    rows = [
        _row(LABELS.get(str(name), str(name)), part)
        for name, part in stains.groupby("setting", sort=False)
    ]
    baselines = scores[scores["method"] != "virtual stain"]
    for method, part in baselines.drop_duplicates(["method", "cell", "name"]).groupby("method"):
        rows.append(_row(f"baseline: {method}", part))
    return pd.DataFrame(rows)


def _row(name: str, part: pd.DataFrame) -> dict[str, object]:
    cells = part.groupby("cell")[list(SCORES)].mean()
    errors = cells.std(ddof=1) / np.sqrt(cells.count())
    return {
        "method": name,
        "cells": len(cells),
        **cells.mean().to_dict(),
        **{f"{score}_error": errors[score] for score in SCORES},
    }


def paired(tables: list[pd.DataFrame], first: str, second: str) -> dict[str, object] | None:
    """Return what `first` brings over `second`, crop by crop, and in how many of the cells."""
    scores = pd.concat(tables, ignore_index=True)
    scores = scores[scores["method"] == "virtual stain"]
    sides = [
        scores[scores["setting"] == name].set_index(["cell", "name"])[list(SCORES)]
        for name in (first, second)
    ]
    common = sides[0].index.intersection(sides[1].index)
    if common.empty:
        return None
    difference = (sides[0].loc[common] - sides[1].loc[common]).groupby("cell").mean()
    row: dict[str, object] = {"comparison": f"{first} minus {second}", "crops": len(common)}
    for score in SCORES:
        cells = difference[score].dropna()
        error = cells.std(ddof=1) / np.sqrt(len(cells)) if len(cells) > 1 else np.nan
        row[score] = _text(float(cells.mean()), float(error), "+.3f")
        row[score] += f", {int((cells > 0).sum())}/{len(cells)}"
    return row


def _text(mean: float, error: float, form: str) -> str:
    """Return a mean with its standard error, which one cell alone does not have."""
    if not np.isfinite(mean):
        return "undefined"
    return f"{mean:{form}}" + (f" ± {error:.3f}" if np.isfinite(error) else "")


COMPARISONS = (
    ("Table 1 A", "Table 1 E"),
    ("Table 1 D", "Table 1 F"),
    ("Table 1 A", "Fig. 6 binary"),
    ("Table 1 A", "Fig. 6 logit"),
    ("Table 1 A", "Fig. 6 gaussian"),
    ("Table 1 A", "Fig. 6 psf_convolution"),
    ("Table 1 A", "Table 1 G"),
    ("Table 1 A", "Table 1 H"),
    ("ours, PSF-weighted L1 only", "ours, L1 only"),
    ("ours, Spotlight-like only", "ours, L1 only"),
    ("recommended", "ours, L1 only"),
    ("recommended", "Table 1 A"),
    ("recommended, BatchNorm kept", "recommended"),
)


def markdown(table: pd.DataFrame) -> str:
    """Return the summary as a table for the documentation."""
    lines = ["| method | cells | " + " | ".join(SCORES) + " |", "|---" * (len(SCORES) + 2) + "|"]
    for _, row in table.iterrows():
        cells = [_text(row[score], row[f"{score}_error"], ".3f") for score in SCORES]
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
        "a time; mean ± standard error over the cells, each counted once; m/n: higher in m of n."
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
    parser.add_argument("--rate-factor", type=float, default=0, help="shorten: on A to H's rates")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", nargs="+", default=list(CELLS))
    parser.add_argument("--only", nargs="+", default=[], help="parts of method names")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    pairs = h9c2_pairs(arguments.data)
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
