"""Names: partners are found by three rules, and doubts are never guessed away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_virtualstain.data import group_of, guess_groups, match_names
from napari_virtualstain.errors import InputError


@given(st.permutations(list(range(6))))
def test_order_of_the_lists_does_not_matter(order: list[int]) -> None:
    first = [f"cell{i}_BF.tif" for i in range(6)]
    second = [f"cell{i}_mCherry.ome.tif" for i in order]
    for a, b in match_names(first, second).pairs:
        assert first[a].split("_")[0] == second[b].split("_")[0]
    assert len(match_names(first, second).pairs) == 6


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["a.tif", "b.tif"], ["a.tif", "b.tif"]),
        (["a.png", "b.png"], ["a.ome.tif", "b.ome.tif"]),
        (["a_c0.tif", "b_c0.tif"], ["a_c1.tif", "b_c1.tif"]),
        (["trans-x-a.tif", "trans-x-b.tif"], ["red-y-a.tif", "red-y-b.tif"]),
        (["d1/bf.tif", "d2/bf.tif"], ["d1/gfp.tif", "d2/gfp.tif"]),
        (["a_c0.tif", "b.tif"], ["a_c1.tif", "b.tif"]),  # b by an earlier rule
    ],
)
def test_every_rule_finds_the_partners(first: list[str], second: list[str]) -> None:
    assert match_names(first, second).pairs == ((0, 0), (1, 1))


def test_one_of_each_belongs_together() -> None:
    assert match_names(["movie.tif"], ["whatever.tif"]).pairs == ((0, 0),)


def test_one_image_finds_its_partner_among_several() -> None:
    match = match_names(["1.tif"], ["1_dye.tif", "2_dye.tif"])
    assert match.pairs == ((0, 0),)


def test_what_did_not_match_is_reported() -> None:
    match = match_names(["a.tif", "b.tif", "c.tif"], ["a.tif", "x.tif"])
    assert match.left_over == (("b.tif", "c.tif"), ("x.tif",))
    text = match.describe()
    assert "1 pair matched" in text
    assert "b.tif, c.tif" in text
    assert "x.tif" in text


def test_ambiguous_names_are_not_guessed() -> None:
    match = match_names(["a_BF.tif", "a_DIC.tif", "b_BF.tif"], ["a_GFP.tif", "b_GFP.tif"])
    assert match.pairs == ((2, 1),)
    with pytest.raises(InputError, match="CSV"):
        match_names(["a.tif", "a.png"], ["a.tif"])


def test_groups_by_pattern() -> None:
    name = "20201008_H9C2_galac_1520_TL_009_t001_z005_10.png"
    assert group_of(name, r"TL_\d+|v_\d+") == "TL_009"
    assert group_of(name, r"TL_(\d+)") == "009"
    with pytest.raises(InputError, match="does not match"):
        group_of(name, "cell")
    with pytest.raises(InputError, match="not a regular expression"):
        group_of(name, "(")


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("x_1520_TL_009_t001_z005_10.png", "x_1520_TL_009"),
        ("v_002_visit_10017_5.png", "v_002_visit_10017"),
        ("c1_t001_z05_3.png", "c1"),
        ("fov3-frame012.tif", "fov3"),
        ("17.png", "all"),
        ("cell_2.tif", "cell_2"),
        ("img_001.tif", "img"),
        ("img001.tif", "all"),
        ("cellA/img_3.tif", "cellA/img"),
        ("condition_2.tif", "condition"),
    ],
)
def test_guessed_group_leaves_out_time_plane_and_crop(name: str, group: str) -> None:
    assert guess_groups([name]) == (group,)
