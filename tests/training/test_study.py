"""The study's script: its methods differ in their loss alone, and its tables add up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.training import TrainingConfig

from .conftest import script


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    yield from script("paper.study")


def test_fine_tuned_methods_differ_in_their_loss_alone(study: ModuleType) -> None:
    methods = study.fine_tuned_methods(Path("mito-start"), steps=30, crop_size=64)
    first = next(iter(methods.values()))
    assert (first.steps, first.crop_size, first.init) == (30, 64, "mito-start")
    assert len({config.loss.model_dump_json() for config in methods.values()}) == len(methods)
    for name, config in methods.items():
        assert config.updated(loss=first.loss) == first, name
    weighted, binary = methods[study.PSF].loss, methods[study.BINARY].loss
    assert binary.model_copy(update={"weight_map": weighted.weight_map}) == weighted


def test_every_method_of_the_paper_is_there_with_its_own_settings(study: ModuleType) -> None:
    published = study.published_methods()
    assert sum(name.startswith("Table 1") for name in published) == 8
    # with A (psf_deconvolution) and E (none) these are the six maps
    assert sum(name.startswith("Fig. 6") for name in published) == 4
    assert all(config.epochs == 200 and not config.init for config in published.values())
    assert published["Table 1 C"].batch_size == 16
    compared = {name for pair in study.COMPARISONS for name in pair}
    assert compared <= published.keys() | study.losses().keys()


def _scores(
    study: ModuleType, setting: str, cell: str, seed: int, values: list[float]
) -> list[pd.DataFrame]:
    names = [str(i) for i in range(len(values))]
    rows = pd.DataFrame(dict.fromkeys(study.SCORES, values)).assign(
        setting=setting, cell=cell, seed=seed, name=names
    )
    zeros = dict.fromkeys(study.SCORES, 0.0)
    return [rows.assign(method="virtual stain"), rows.assign(**zeros, method="best constant")]


def test_tables_count_each_cell_once_and_pair_crops_of_one_seed(study: ModuleType) -> None:
    scores = pd.concat(
        [
            *_scores(study, study.PSF, "x", 1, [0.5, 0.7]),
            *_scores(study, study.PSF, "x", 2, [0.6, 0.8]),
            *_scores(study, study.PSF, "y", 1, [0.6]),
            *_scores(study, study.PLAIN, "x", 1, [0.4, 0.6]),
            *_scores(study, study.PLAIN, "x", 2, [0.4, 0.6]),
            *_scores(study, study.PLAIN, "y", 1, [0.5]),
            *_scores(study, study.PLAIN, "y", 3, [9.0]),
        ],
        ignore_index=True,
    )
    table = study.summary(scores).set_index("method")
    assert table.loc[study.PSF, "pearson"] == pytest.approx(np.mean([0.65, 0.6]))
    assert table.loc["baseline: best constant", "pearson"] == 0
    # x: seeds bring .1 and .2; y: .1, its third seed has no partner
    difference = study.paired(scores, study.PSF, study.PLAIN)
    half = 12.706 * np.std([0.15, 0.1], ddof=1) / np.sqrt(2)
    assert difference["pearson"] == f"+0.125 ± {half:.3f}, 2/2"
    assert study.paired(scores, study.PSF, study.TN) is None
    # the seeds of x differ by .1 and 0, those of L1 on y by 8.5; PSF has one seed on y
    variances = [0.1**2 / 2, 0, 8.5**2 / 2]
    assert study.seed_deviation(scores)["pearson"] == pytest.approx(np.sqrt(np.mean(variances)))
    text = study.markdown(scores)
    assert f"| {study.PSF} minus {study.PLAIN} |" in text
    assert "Standard deviation between seeds" in text


def test_a_finished_run_is_read_and_another_setting_is_run(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[TrainingConfig] = []

    class Result:
        scores = pd.DataFrame({"method": ["virtual stain"], "name": ["a"], "pearson": [0.5]})
        steps = 3

    def train(pairs: object, settings: TrainingConfig, *, output: Path, overwrite: bool) -> Result:
        trained.append(settings)
        output.parent.mkdir(parents=True, exist_ok=True)
        return Result()

    monkeypatch.setattr(study, "train", train)
    config = study.fine_tuned_methods(Path("mito-start"), steps=3, crop_size=64)[study.TN]
    for steps, expected in ((3, 1), (3, 1), (4, 2)):
        study.run(study.TN, config.updated(steps=steps), "x", None, tmp_path)
        assert len(trained) == expected
    study.run(study.TN, config.updated(steps=4, seed=9), "x", None, tmp_path)
    assert len(trained) == 3
    assert trained[0].validation_groups == ("x",)
