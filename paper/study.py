r"""Losses of the paper and their rivals, judged on cells that the training has not seen.

Each loss fine-tunes all weights of one network, `mito-start`, which saw simulated pairs only, on
all cells but one, and is judged on that one; five cells, three seeds:

    python -m paper.study --data DATA/h9c2_pairs

What is finished is kept, so that the same command goes on where it was stopped; several
processes share the work by ``--cells`` and ``--seeds``, and ``--join`` puts their scores
together. ``--published`` trains the methods of Table 1 and Fig. 6 as published instead (network
of the paper, from nothing, 200 epochs): that needs a GPU.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from napari_virtualstain.data import CorrelativePairs
from napari_virtualstain.losses import LossConfig
from napari_virtualstain.training import TABLE_1, TrainingConfig, preset, train
from recipes.h9c2 import h9c2_pairs
from recipes.train_shipped_models import JUDGED, real_config

SCORES = ("pearson", "bandpass_pearson", "ssim", "psnr", "kl", "mask_iou")
# the other two maps of Fig. 6 are methods of Table 1 already
WEIGHT_MAPS = ("binary", "logit", "gaussian", "psf_convolution")
PSF, PLAIN, TN, MASKED, BINARY, OURS = (
    "PSF-weighted L1",
    "L1",
    "TN",
    "masked (Spotlight-like)",
    "binary-weighted L1",
    "recommended",
)
COMPARISONS = (
    (PSF, PLAIN),
    (PSF, TN),
    (PSF, MASKED),
    (PSF, BINARY),
    (OURS, PLAIN),
    (OURS, PSF),
    ("Table 1 A", "Table 1 E"),
    ("Table 1 D", "Table 1 F"),
    ("Table 1 A", "Table 1 G"),
    ("Table 1 A", "Table 1 H"),
    *(("Table 1 A", f"Fig. 6 {kind}") for kind in WEIGHT_MAPS),
)


def losses() -> dict[str, LossConfig]:
    """Return the losses to compare, each alone, and that of `recommended`."""
    ours = preset().loss
    weighted = LossConfig(
        l1=0,
        weighted_l1=1,
        weight_map="psf_deconvolution",
        weight_background=ours.weight_background,
        weight_mean_one=True,
    )
    return {
        PSF: weighted,
        PLAIN: LossConfig(l1=1),
        TN: LossConfig(l1=0, threshold_normalised=1),
        MASKED: LossConfig(l1=0, spotlight=1),
        BINARY: weighted.model_copy(update={"weight_map": "binary"}),
        OURS: ours,
    }


def fine_tuned_methods(start: Path, steps: int, crop_size: int) -> dict[str, TrainingConfig]:
    """Return settings that differ in their loss alone: those of the shipped recipe otherwise."""
    base = real_config(start, steps, psf_weight=0).updated(crop_size=crop_size)
    return {name: base.updated(loss=loss) for name, loss in losses().items()}


def published_methods() -> dict[str, TrainingConfig]:
    """Return the methods of Table 1 and the maps of Fig. 6 with their own settings."""
    chosen = {f"Table 1 {method.name}": preset(method.name) for method in TABLE_1}
    base = preset("A")
    for kind in WEIGHT_MAPS:
        loss = base.loss.model_copy(update={"weight_map": kind})
        chosen[f"Fig. 6 {kind}"] = base.updated(loss=loss)
    return {
        name: config.updated(validate_every=10**6, report=False) for name, config in chosen.items()
    }


def run(
    name: str, config: TrainingConfig, cell: str, pairs: CorrelativePairs, folder: Path
) -> pd.DataFrame:
    """Return the scores of one method on one held-out cell, from disk if they are there."""
    slug = "".join(c if c.isalnum() else "-" for c in f"{name}-{cell}-{config.seed}").lower()
    table_path = folder / slug / "scores.csv"
    settings = config.updated(name=slug, validation_groups=(cell,))
    settings_path = folder / slug / "settings.json"
    if table_path.exists() and _settings(settings_path) == settings:
        return pd.read_csv(table_path)
    result = train(pairs, settings, output=folder / slug / "model.safetensors", overwrite=True)
    assert result.scores is not None
    table = result.scores.assign(setting=name, cell=cell, seed=config.seed, steps=result.steps)
    settings_path.write_text(settings.model_dump_json(indent=1))
    table.to_csv(table_path, index=False)
    return table


def _settings(path: Path) -> TrainingConfig | None:
    """Return the settings of a finished run; settings that came later have their defaults."""
    try:
        return TrainingConfig.model_validate_json(path.read_text())
    except (OSError, ValueError):
        return None


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row a method, and one a baseline: mean and 95 % interval over the cells."""
    stains = scores[scores["method"] == "virtual stain"]
    rows = [_row(str(name), part) for name, part in stains.groupby("setting", sort=False)]
    baselines = scores[scores["method"] != "virtual stain"]
    for method, part in baselines.drop_duplicates(["method", "cell", "name"]).groupby("method"):
        rows.append(_row(f"baseline: {method}", part))
    return pd.DataFrame(rows)


def _row(name: str, part: pd.DataFrame) -> dict[str, object]:
    cells = part.groupby("cell")[list(SCORES)].mean()
    row: dict[str, object] = {"method": name, "cells": len(cells), "seeds": part["seed"].nunique()}
    for score in SCORES:
        row[score] = cells[score].mean()
        row[f"{score}_interval"] = half_interval(cells[score])
    return row


def half_interval(values: pd.Series) -> float:
    """Return half of the 95 % interval of a mean by Student's t; NaN for fewer than two values."""
    values = values.dropna()
    if len(values) < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def paired(scores: pd.DataFrame, first: str, second: str) -> dict[str, object] | None:
    """Return what `first` brings over `second`, crop by crop, and in how many of the cells."""
    stains = scores[scores["method"] == "virtual stain"]
    sides = [
        stains[stains["setting"] == name].set_index(["cell", "seed", "name"])[list(SCORES)]
        for name in (first, second)
    ]
    common = sides[0].index.intersection(sides[1].index)
    if common.empty:
        return None
    by_seed = (sides[0].loc[common] - sides[1].loc[common]).groupby(["cell", "seed"]).mean()
    by_cell = by_seed.groupby("cell").mean()
    row: dict[str, object] = {"comparison": f"{first} minus {second}"}
    for score in SCORES:
        cells = by_cell[score].dropna()
        row[score] = _text(float(cells.mean()), half_interval(cells), "+.3f")
        row[score] += f", {int((cells > 0).sum())}/{len(cells)}"
    return row


def _text(mean: float, half: float, form: str) -> str:
    """Return a mean with half its interval, which one cell alone does not have."""
    if not np.isfinite(mean):
        return "undefined"
    return f"{mean:{form}}" + (f" ± {half:.3f}" if np.isfinite(half) else "")


def seed_deviation(scores: pd.DataFrame) -> pd.Series:
    """Return the standard deviation between seeds of one method on one cell, pooled over all."""
    stains = scores[scores["method"] == "virtual stain"]
    means = stains.groupby(["setting", "cell", "seed"])[list(SCORES)].mean()
    variances = means.groupby(["setting", "cell"]).var(ddof=1)
    return np.sqrt(variances.mean())


def markdown(scores: pd.DataFrame) -> str:
    """Return all tables for the documentation."""
    table = summary(scores)
    rows = [
        {
            "method": row["method"],
            "cells, seeds": f"{row['cells']}, {row['seeds']}",
            **{score: _text(row[score], row[f"{score}_interval"], ".3f") for score in SCORES},
        }
        for _, row in table.iterrows()
    ]
    differences = [row for a, b in COMPARISONS if (row := paired(scores, a, b))]
    parts = [
        "Mean and 95 % interval over the held-out cells, each counted once; m/n: higher in m of "
        "n cells.",
        _table(rows),
        _table(differences),
    ]
    deviation = seed_deviation(scores).round(4).dropna().to_dict()
    if deviation:
        parts.append(f"Standard deviation between seeds: {json.dumps(deviation)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(rows: list[dict[str, object]]) -> str:
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write(scores: pd.DataFrame, folder: Path) -> None:
    """Write the tables, and the scores of each crop behind them; those of a baseline once."""
    (folder / "study.md").write_text(markdown(scores), encoding="utf-8")
    columns = ["setting", "method", "cell", "seed", "name", *SCORES]
    again = scores.duplicated(["method", "cell", "name"]) & (scores["method"] != "virtual stain")
    kept = scores.loc[~again, columns]
    kept.to_csv(folder / "study_scores.csv", index=False, float_format="%.4f")


def main() -> None:
    """Run what is asked for and write the tables after every training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder h9c2_pairs")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/study"))
    parser.add_argument("--init", type=Path, default=Path("mito-start"), help="model to start from")
    parser.add_argument("--steps", type=int, default=300, help="steps of two crops")
    parser.add_argument("--crop", type=int, default=160, help="side of the crops")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cells", nargs="+", default=list(JUDGED))
    parser.add_argument("--only", nargs="+", default=[], help="parts of names of methods")
    parser.add_argument(
        "--join", type=Path, nargs="+", default=[], help="study_scores.csv of other seeds"
    )
    parser.add_argument("--published", action="store_true", help="Table 1 and Fig. 6, from nothing")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    pairs = h9c2_pairs(arguments.data)
    methods = (
        published_methods()
        if arguments.published
        else fine_tuned_methods(arguments.init, arguments.steps, arguments.crop)
    )
    tables = [pd.read_csv(path) for path in arguments.join]
    for seed in arguments.seeds:
        for cell in arguments.cells:
            for name, config in methods.items():
                if arguments.only and not any(part in name for part in arguments.only):
                    continue
                table = run(name, config.updated(seed=seed), cell, pairs, arguments.output)
                tables.append(table)
                stain = table[table["method"] == "virtual stain"]
                means = {score: round(float(stain[score].mean()), 3) for score in SCORES}
                print(seed, cell, name, json.dumps(means), flush=True)
                write(pd.concat(tables, ignore_index=True), arguments.output)


if __name__ == "__main__":
    main()
