"""Table and sentence of an outcome, on both sides of each number."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from napari_virtualstain.plugin.train.outcome_view import (
    BEFORE,
    SIMULATED,
    STAIN,
    outcome_sentence,
    outcome_table,
)

CONSTANT, TEXTURE = "best constant", "bright-field texture"


def _images(groups: tuple[str, ...] = ("a", "b"), **scores: list[float]) -> pd.DataFrame:
    """Return a row for each method and image with its band-pass Pearson."""
    names = {"stain": STAIN, "before": BEFORE, "constant": CONSTANT, "texture": TEXTURE}
    return pd.DataFrame(
        [
            {"method": names[method], "group": group, "bandpass_pearson": value}
            for method, values in scores.items()
            for group, value in zip(groups * len(values), values, strict=False)
        ]
    )


def test_without_held_out_images_there_is_no_score() -> None:
    assert outcome_sentence(None, {}).startswith("No score can be given")


@pytest.mark.parametrize(
    ("stain", "said"),
    [
        (
            [0.5, 0.42],
            "Better than the starting model on 1 of 2 held-out images (band-pass ",
        ),
        ([0.5, 0.38], "No better than the starting model: higher on 1 of 2 held-out images"),
        ([0.4, 0.4], "No better than the starting model: higher on 0 of 2 held-out images"),
    ],
)
def test_the_gain_over_the_starting_model_decides(stain: list[float], said: str) -> None:
    table = _images(stain=stain, before=[0.45, 0.45], constant=[0.9, 0.9])
    assert outcome_sentence(table, {}).startswith(said)


def test_without_a_starting_model_the_best_baseline_is_the_rival() -> None:
    table = _images(("a",), stain=[0.5], constant=[0.1], texture=[0.2])
    text = outcome_sentence(table, {})
    assert text.startswith(
        "Better than the best baseline (bright-field texture) on 1 of 1 held-out image "
        "(band-pass Pearson +0.300 on average)."
    )
    undefined = _images(("a",), stain=[0.5], constant=[float("nan")], texture=[-0.2])
    assert "best baseline (best constant)" in outcome_sentence(undefined, {})


@pytest.mark.parametrize(
    ("groups", "scores", "meaning"),
    [
        (("a", "a"), {}, "of one cell only"),
        (("a", "b"), {}, "of 2 cells that did not train"),
        (("a", "b"), {"independent": False}, "of cells that also trained"),
        ((SIMULATED, SIMULATED), {}, "simulated scenes"),
        ((SIMULATED, "b"), {}, "of 2 cells that did not train"),
    ],
)
def test_it_is_said_for_what_the_score_counts(
    groups: tuple[str, ...], scores: dict[str, Any], meaning: str
) -> None:
    assert meaning in outcome_sentence(_images(groups, stain=[0.5, 0.5]), scores)


@pytest.mark.parametrize(
    ("judged_on", "meaning"), [(["a"], "one cell only"), (["a", "b"], "of 2 ")]
)
def test_without_groups_the_card_says_how_many_cells(judged_on: list[str], meaning: str) -> None:
    table = _images(stain=[0.5]).drop(columns="group")
    assert meaning in outcome_sentence(table, {"judged_on": judged_on})


@pytest.mark.parametrize(
    ("score", "text"),
    [
        ({"mean": 0.612, "low": 0.55, "high": 0.664}, "0.61\n0.55–0.66"),
        ({"mean": 4.99, "low": 4.123, "high": 6.0}, "4.99\n4.12–6.00"),
        ({"mean": 5.01, "low": 4.123, "high": 6.0}, "5.0\n4.1–6.0"),
        ({"mean": -5.01, "low": -6.0, "high": -4.0}, "-5.0\n-6.0–-4.0"),
        ({"mean": None}, ""),
        (None, ""),
    ],
)
def test_scores_have_their_interval_and_two_digits_up_to_five(score: Any, text: str) -> None:
    table = outcome_table({STAIN: {"psnr": score, "ssim": {"mean": 0.5}}})
    assert table.set_index("score").loc["PSNR (dB)", "after"] == text


@pytest.mark.parametrize(("count", "has_interval"), [(2, False), (3, True)])
def test_of_one_cell_the_interval_is_over_three_images_or_more(
    count: int, has_interval: bool
) -> None:
    images = _images(("a",), stain=[0.2, 0.4, 0.6][:count])
    text = outcome_table({STAIN: {"bandpass_pearson": {"mean": 0.4}}}, images)["after"][0]
    assert text == ("0.40\n0.20–0.60" if has_interval else "0.40")


def test_the_interval_is_that_of_95_percent() -> None:
    images = _images(("a",), stain=[0.0, 1.0] * 50)
    text = outcome_table({STAIN: {"bandpass_pearson": {"mean": 0.5}}}, images)["after"][0]
    # 1.96 times 0.5 / 10 on both sides
    low, high = (float(value) for value in text.splitlines()[1].split("–"))
    assert (low, high) == pytest.approx((0.402, 0.598), abs=0.011)


def test_the_best_baseline_stands_beside_before_and_after() -> None:
    means = {
        STAIN: {"pearson": {"mean": 0.6}},
        "before": {BEFORE: {"pearson": {"mean": 0.5}}},
        CONSTANT: {"pearson": {"mean": 0.1}},
        TEXTURE: {"pearson": {"mean": 0.3}},
        "independent": True,
    }
    (row,) = outcome_table(means).to_dict("records")
    assert row == {
        "score": "Pearson",
        "before": "0.50",
        "after": "0.60",
        "best baseline": "0.30\ntexture",
    }
    assert "best baseline" not in outcome_table({STAIN: means[STAIN]})
    unknown = {STAIN: means[STAIN], CONSTANT: {"pearson": {"mean": None}}}
    assert outcome_table(unknown)["best baseline"].tolist() == [""]
