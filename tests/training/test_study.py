"""The study's script: every method is a valid setting, and its tables add up."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.models import unet_arguments

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    # as with `python -m paper.study`, which runs in the root of the repository
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        yield importlib.import_module("paper.study")


ARGUMENTS = argparse.Namespace(
    steps=300,
    batch=4,
    crop=128,
    network="unet",
    widths=[8, 16],
    discriminator_width=8,
    rate_factor=5,
    seed=3,
)


def test_every_method_of_the_paper_and_every_rival_is_there(study: ModuleType) -> None:
    names = list(study.methods())
    assert sum(name.startswith("Table 1") for name in names) == 8
    # with A (psf_deconvolution) and E (none) these are the six maps
    assert sum(name.startswith("Fig. 6") for name in names) == 4
    assert {"recommended", "ours, L1 only", "ours, Spotlight-like only"} <= set(names)


def test_shortening_touches_cost_and_nothing_else(study: ModuleType) -> None:
    for name, config in study.methods().items():
        short = study.shortened(config, ARGUMENTS)
        assert (short.steps, short.batch_size, short.crop_size) == (300, 4, 128), name
        assert short.loss == config.loss
        rates = [c.optimisation for c in (short, config)]
        if config.preset == "recommended":
            assert rates[0] == rates[1], name
            continue
        faster = 5
        assert rates[0].learning_rate == pytest.approx(faster * rates[1].learning_rate)
        assert rates[0].discriminator_learning_rate == pytest.approx(
            faster * rates[1].discriminator_learning_rate
        )
        network = unet_arguments(short.network_architecture())
        assert network.widths == (8, 16)
        if name == "Table 1 C":
            assert (network.replicate, network.dropout) == (3, 0.5)
            assert network.output_activation == "sigmoid"


def _table(study: ModuleType, setting: str, cell: str, values: list[float]) -> pd.DataFrame:
    rows = pd.DataFrame(dict.fromkeys(study.SCORES, values))
    names = [str(i) for i in range(len(values))]
    stain = rows.assign(method="virtual stain", setting=setting, cell=cell, name=names)
    constant = (rows * 0).assign(method="best constant", setting=setting, cell=cell, name=names)
    return pd.concat([stain, constant], ignore_index=True)


def test_tables_have_means_and_paired_differences(study: ModuleType, tmp_path: Path) -> None:
    tables = [
        _table(study, "Table 1 A", "x", [0.5, 0.7]),
        _table(study, "Table 1 A", "y", [0.6]),
        _table(study, "Table 1 E", "x", [0.4, 0.6]),
        _table(study, "Table 1 E", "y", [0.5]),
    ]
    summary = study.summary(tables).set_index("method")
    assert summary.loc[study.LABELS["Table 1 A"], "pearson"] == pytest.approx(
        np.mean([np.mean([0.5, 0.7]), 0.6])
    )
    assert summary.loc["baseline: best constant", "pearson"] == 0
    difference = study.paired(tables, "Table 1 A", "Table 1 E")
    assert difference["crops"] == 3
    assert difference["pearson"].startswith("+0.100 ± 0.000, 2/2")
    assert study.paired(tables, "Table 1 A", "Table 1 H") is None
    arguments = argparse.Namespace(**vars(ARGUMENTS), data=tmp_path, output=tmp_path)
    study.write(tables, arguments, tmp_path)
    text = (tmp_path / "study.md").read_text()
    assert "--widths 8 16" in text
    assert "| Table 1 A minus Table 1 E |" in text
