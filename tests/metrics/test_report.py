"""The report: everything in one file, true to the table, plain about its limits."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from napari_virtualstain.errors import InputError, OutputExistsError
from napari_virtualstain.metrics import COLUMNS, evaluate, write_report
from napari_virtualstain.metrics.intervals import summarise
from napari_virtualstain.metrics.report import _own_warnings
from napari_virtualstain.metrics.report_figures import spectrum_figure
from napari_virtualstain.metrics.report_page import _row


@pytest.fixture(scope="module")
def movie() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    scene = ndimage.gaussian_filter(rng.random((6, 64, 48)), (1, 2, 2))
    scene = 100 + 900 * (scene - scene.min()) / np.ptp(scene)
    return {
        "predicted": scene + rng.normal(0, 60, scene.shape),
        "reference": rng.poisson(scene).astype(np.uint16),
        "bright_field": 4000 - 0.5 * scene + rng.normal(0, 900, scene.shape),
    }


@pytest.fixture
def no_pictures(monkeypatch) -> None:
    """Leave out the drawing, which is most of the time, where a test reads the text."""
    monkeypatch.setattr("napari_virtualstain.metrics.report.png", lambda figure: b"")


class _Page(HTMLParser):
    """Collects images, references to anything outside, and the rows of tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str]] = []
        self.outside: list[str] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes) -> None:
        values = dict(attributes)
        if tag == "img":
            self.images.append(values)
        self.outside += [
            value
            for name, value in attributes
            if name in ("src", "href") and not value.startswith("data:")
        ]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_page_is_whole_and_true_to_the_table(movie, tmp_path) -> None:
    report = write_report(tmp_path / "new", **movie, groups=list("aabbcc"), pixel_size_um=0.1)
    expected = evaluate(
        movie["predicted"], movie["reference"], groups=list("aabbcc"), pixel_size_um=0.1
    )
    pd.testing.assert_frame_equal(
        pd.read_csv(report.table_path), expected, check_dtype=False, check_exact=False
    )
    page = _Page(report.page.read_text(encoding="utf-8"))
    assert page.open == []
    assert page.outside == []
    assert len(page.images) >= 8
    for image in page.images:
        assert image["alt"]
        assert base64.b64decode(image["src"].partition(",")[2]).startswith(b"\x89PNG")
    heads = next(row for row in page.rows if row[0] == "score")
    row = next(row for row in page.rows if row[0] == "pearson")
    values = dict(zip(heads, row, strict=True))
    assert float(values["virtual stain, mean"]) == pytest.approx(expected.pearson.mean(), abs=1e-3)
    assert values["best constant"] == "–"
    low, high = map(float, values["95 % interval"].split(" to "))
    assert low < expected.pearson.mean() < high
    assert {row[0] for row in page.rows} >= set(COLUMNS)
    assert "It beats every trivial baseline" in report.page.read_text(encoding="utf-8")


def test_the_baselines_are_scored_with_the_same_ranges(movie, tmp_path, no_pictures) -> None:
    report = write_report(tmp_path, **movie, data_range=4095.0)
    error = np.mean((movie["reference"] - movie["reference"].mean()) ** 2, axis=(1, 2))
    expected = (10 * np.log10(4095.0**2 / error)).mean()
    assert report.summary.loc["psnr", "best constant"] == pytest.approx(expected)


def test_a_stain_that_loses_against_its_own_input_is_told_so(movie, tmp_path, no_pictures) -> None:
    noise = np.random.default_rng(5).normal(500, 100, movie["reference"].shape)
    report = write_report(tmp_path, noise, movie["reference"], bright_field=movie["reference"])
    text = report.page.read_text(encoding="utf-8")
    assert "A trivial baseline does better in" in text
    assert "pearson (bright-field 1.000)" in text


def test_what_limits_the_numbers_is_said_first(movie, tmp_path, no_pictures) -> None:
    predicted = movie["predicted"].copy()
    predicted[1] = 5
    page = write_report(
        tmp_path,
        predicted,
        movie["reference"],
        warnings=["Cell <TL_009> also trained this model."],
    ).page
    text = page.read_text(encoding="utf-8")
    assert "Cell &lt;TL_009&gt; also trained" in text
    assert "1 of 6 frames are constant" in text
    assert "No groups were given" in text
    one = write_report(tmp_path, **movie, groups=["a"] * 6, overwrite=True).page
    assert "All frames are of one cell or movie" in one.read_text(encoding="utf-8")


@pytest.mark.parametrize(("gain", "told"), [(1, False), (100, True)])
def test_a_stain_in_other_units_is_told_so(movie, tmp_path, no_pictures, gain, told) -> None:
    page = write_report(tmp_path, gain * movie["predicted"].astype(float), movie["reference"]).page
    assert ("in different units" in page.read_text(encoding="utf-8")) == told


def test_one_frame_of_odd_content_still_makes_a_report(tmp_path) -> None:
    flat = np.full((32, 40), 7, np.uint8)
    rng = np.random.default_rng(0)
    cases = [
        (flat, flat, None),
        (rng.random((32, 40)), flat.astype(float), flat),
        (rng.integers(0, 255, (32, 40), np.uint8), rng.integers(0, 255, (32, 40), np.uint8), flat),
    ]
    for number, (predicted, reference, light) in enumerate(cases):
        report = write_report(tmp_path / str(number), predicted, reference, bright_field=light)
        assert not re.search(r"\bnan\b", report.page.read_text(encoding="utf-8"), re.IGNORECASE)


def test_nothing_of_the_users_is_overwritten(movie, tmp_path) -> None:
    mine = tmp_path / "report.html"
    mine.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"report\.html exists already"):
        write_report(tmp_path, **movie)
    assert mine.read_text() == "mine"
    with pytest.raises(InputError):
        write_report(tmp_path / "other", movie["predicted"][:2], movie["reference"])
    assert list((tmp_path / "other").iterdir()) == []


def test_the_same_input_gives_the_same_page(movie, tmp_path) -> None:
    few = {name: images[:1] for name, images in movie.items()}
    first, second = (write_report(tmp_path / name, **few).page.read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize("group", [r"$\x$", "a$_$b", "caf\udce9", "a\nb\x07", "x" * 500])
def test_no_name_of_a_group_loses_the_report(tmp_path: Path, group: str) -> None:
    images = np.random.default_rng(0).normal(100, 10, (4, 32, 32))
    report = write_report(
        tmp_path / "r", images, images + 1.0, groups=[group, group, "b", "b"], names=[group] * 4
    )
    assert report.page.exists()
    assert report.table.shape[0] == 4


def test_tables_are_there_when_a_picture_cannot_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("no font")

    monkeypatch.setattr("napari_virtualstain.metrics.report.scores_figure", fails)
    images = np.random.default_rng(0).normal(100, 10, (2, 32, 32))
    with pytest.raises(ValueError, match="no font"):
        write_report(tmp_path / "r", images, images + 1.0)
    assert (tmp_path / "r" / "metrics.csv").exists()


@pytest.mark.parametrize(("gain", "warned"), [(3.9, False), (4.2, True)])
def test_other_units_are_named_from_three_times_the_spread(gain, warned, tmp_path) -> None:
    truth = np.random.default_rng(0).normal(0, 1, (2, 64, 64))
    truth -= truth.mean((1, 2), keepdims=True)
    table = evaluate(gain * truth, truth)
    assert table["nrmse"].to_numpy() == pytest.approx(gain - 1, rel=0.02)
    texts = _own_warnings(table, summarise(table))
    assert any("different units" in text for text in texts) == warned


@pytest.mark.parametrize(
    ("groups", "said"),
    [(None, "No groups were given"), (["a", "a"], "one cell or movie"), (["a", "b"], None)],
)
def test_intervals_are_doubted_without_groups_and_with_one_only(groups, said: str | None) -> None:
    truth = np.random.default_rng(0).normal(0, 1, (2, 64, 64))
    table = evaluate(truth + 0.1, truth, groups=groups)
    texts = _own_warnings(table, summarise(table))
    assert [said in text for text in texts] == ([True] if said else [])


@pytest.mark.parametrize(
    ("baselines", "bold"),
    [({}, []), ({"best constant": 0.2}, [0]), ({"best constant": 0.9, "bright-field": 0.3}, [5])],
)
def test_the_best_of_stain_and_baselines_is_bold_where_there_is_a_baseline(
    baselines: dict[str, float], bold: list[int]
) -> None:
    columns = ("mean", "low", "high", "median", "minimum", "maximum", "undefined")
    row = _row("pearson", pd.Series(0.5, columns), baselines)
    assert [i for i, cell in enumerate(row.cells) if cell.is_best] == bold


@pytest.mark.parametrize(("lowest", "bottom"), [(0.3, -0.1), (-0.05, -0.1), (-0.4, -0.4)])
def test_negative_correlations_are_inside_the_spectrum(lowest: float, bottom: float) -> None:
    curve = pd.DataFrame({"frequency_per_um": [0.0, 1.0], "correlation": [1.0, lowest]})
    (panel,) = spectrum_figure([curve]).axes
    assert panel.get_ylim() == (bottom, 1.02)
