from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_virtualstain.engine import activation_ranges
from napari_virtualstain.errors import CancelledError, InputError, OutputExistsError, TrainingError
from napari_virtualstain.models import build_network, load_model, save_model
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.segmentation import (
    Segmenter,
    SegmenterTraining,
    segment,
    split_instances,
    train_segmenter,
)
from napari_virtualstain.segmentation.fine_tuning import SEGMENTATION_DEFAULTS, _scores, new_card
from napari_virtualstain.segmentation.learning import (
    Learner,
    as_batch,
    contact_target,
    pair_targets,
    segmentation_loss,
    widened,
)
from napari_virtualstain.segmentation.painted import LabelledImage, draw_crop, hold_out
from napari_virtualstain.settings import checked_settings

from .test_affinities import exact_pairs

STEPS = [tuple(step) for step in SEGMENTATION_DEFAULTS["steps"]]
QUICK = SegmenterTraining(steps=40, learning_rate=0.1, batch_size=2, crop=32, held_out=0.3)


@pytest.fixture
def truth() -> np.ndarray:
    labels = np.zeros((2, 30, 34), np.int32)
    labels[0, 4:9, 3:30], labels[0, 9:14, 3:20], labels[1, 5:25, 12:17] = 1, 2, 7
    return labels


def test_targets_agree_with_an_oracle_pixel_by_pixel(truth):
    same, valid = pair_targets(torch.from_numpy(truth), STEPS)
    contact = contact_target(torch.from_numpy(truth))
    for index, labels in enumerate(truth):
        expected_contact, expected = exact_pairs(labels)
        assert np.array_equal((same & valid)[index].numpy()[:, labels > 0], expected > 0)
        assert not (same & valid)[index].numpy()[:, labels == 0].any()
        # the corners of the 5 x 5 window are farther than two pixels
        assert not (contact[index].numpy() & (expected_contact == 0)).any()
        assert contact[index].any() == (expected_contact > 0).any()


def test_perfect_outputs_cost_next_to_nothing_and_unknown_pixels_do_not_count(truth):
    labels = torch.from_numpy(truth)
    wide = widened(labels)
    same, _ = pair_targets(wide, STEPS)
    maps = torch.cat([(labels > 0)[:, None], contact_target(labels, wide)[:, None], same], 1)
    perfect = (maps.float() * 2 - 1) * 20
    known = torch.ones_like(labels, dtype=torch.bool)
    assert float(segmentation_loss(perfect, labels, known, STEPS)) < 0.01
    spoilt = perfect.clone()
    spoilt[:, 0, :, -3:] *= -1
    assert float(segmentation_loss(spoilt, labels, known, STEPS)) > 0.5
    known[:, :, -3:] = False
    assert float(segmentation_loss(spoilt, labels, known, STEPS)) < 0.01


def test_pairs_are_taught_in_the_gap_between_two_but_not_beyond(truth):
    """What is outlined a little too wide must still part there; far background is free."""
    labels = torch.zeros(1, 40, 40, dtype=torch.int32)
    labels[0, 10:14, 5:35], labels[0, 16:20, 5:35] = 1, 2
    outputs = torch.zeros(1, 2 + len(STEPS), 40, 40, requires_grad=True)
    segmentation_loss(outputs, labels, labels >= 0, STEPS).backward()
    across = STEPS.index((3, 0))
    gradient = outputs.grad[0, 2 + across]
    assert (gradient[14, 6:34] > 0).all()  # of one, three pixels down the other: not the same
    assert (gradient[8, 6:34] < 0).all()  # just outside, three pixels down inside: the same
    assert (gradient[:5] == 0).all()
    assert (gradient[25:] == 0).all()


def test_small_mitochondria_count_more_a_pixel():
    labels = torch.zeros(1, 48, 48, dtype=torch.int32)
    labels[0, 4:8, 4:9], labels[0, 20:40, 10:40] = 3, 7
    outputs = torch.zeros(1, 2 + len(STEPS), 48, 48, requires_grad=True)
    segmentation_loss(outputs, labels, labels >= 0, STEPS).backward()
    right = outputs.grad[0, 2 + STEPS.index((0, 3))]
    assert float(right[5, 5] / right[30, 20]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("shape", "share"),
    [((2, 5), 2.0), ((5, 5), 1.79), ((8, 10), 1.0), ((14, 20), 0.535), ((20, 35), 0.5)],
)
def test_the_weight_of_a_pixel_falls_from_twice_to_half(shape: tuple[int, int], share: float):
    """Beside one of usual area, 80 pixels."""
    labels = torch.zeros(1, 48, 48, dtype=torch.int32)
    labels[0, 2:10, 4:14], labels[0, 20 : 20 + shape[0], 4 : 4 + shape[1]] = 3, 7
    outputs = torch.zeros(1, 2 + len(STEPS), 48, 48, requires_grad=True)
    segmentation_loss(outputs, labels, labels >= 0, STEPS).backward()
    right = outputs.grad[0, 2 + STEPS.index((0, 3))]
    assert float(right[20, 4] / right[5, 5]) == pytest.approx(share, rel=0.01)


@pytest.mark.parametrize(
    ("output", "row", "share"),
    [(STEPS.index((3, 0)), 11, 2.5), (STEPS.index((3, 0)), 8, 0.5), (-1, 12, 3), (-1, 8, 0.5)],
    ids=["pair of two", "pair outside", "contact", "no contact outside"],
)
def test_what_parts_two_counts_more_and_pixels_outside_half(output: int, row: int, share: float):
    """Rows 10 to 13 are of one mitochondrion, rows 14 to 17 of another of the same area."""
    labels = torch.zeros(1, 40, 40, dtype=torch.int32)
    labels[0, 10:14, 5:35], labels[0, 14:18, 5:35] = 1, 2
    outputs = torch.zeros(1, 2 + len(STEPS), 40, 40, requires_grad=True)
    segmentation_loss(outputs, labels, labels >= 0, STEPS).backward()
    down = outputs.grad[0, 2 + output, :, 20].abs()
    assert float(down[row] / down[10]) == pytest.approx(share)


def test_an_undecided_network_costs_ln_2_a_term_of_which_the_foreground_counts_most() -> None:
    labels = torch.zeros(1, 200, 200, dtype=torch.int32)
    labels[0, 50:150, 50:150] = 1
    outputs = torch.zeros(1, 2 + len(STEPS), 200, 200)
    loss = float(segmentation_loss(outputs, labels, labels >= 0, STEPS))
    dice = 1 - 2 * 0.5 * 100**2 / (0.5 * 200**2 + 100**2)
    assert loss == pytest.approx((2 + 0.5 + 1) * np.log(2) + dice, rel=1e-3)


def test_the_learning_rate_rises_over_ten_steps_and_falls_along_half_a_cosine() -> None:
    learner = Learner(torch.nn.Conv2d(1, 1, 1), [], learning_rate=0.01, total_steps=40)
    image = np.zeros((8, 8), np.float32)
    batch = as_batch([(image, image > 0, image == 0)])
    rates = []
    for _ in range(40):
        learner.learn(batch)
        rates.append(100 * learner.optimiser.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(0.1)
    assert rates[4] == pytest.approx(0.5, abs=0.02)
    assert np.argmax(rates) == 9
    assert rates[20] == pytest.approx(0.5)
    assert rates[30] == pytest.approx((1 - 0.5**0.5) / 2)
    assert rates[39] < 0.01


@pytest.mark.parametrize(("contrast", "norm"), [(1.0, None), (1e3, 2.0)])
def test_the_gradient_of_a_step_is_cut_at_a_norm_of_two(contrast: float, norm: float | None):
    network = torch.nn.Conv2d(1, 1, 1)
    torch.nn.init.zeros_(network.weight)
    image = np.full((8, 8), contrast, np.float32)
    image[4:] *= -1
    Learner(network, [], 0.01, 10).learn(as_batch([(image, image < 0, image == image)]))
    found = float(torch.stack([p.grad.norm() for p in network.parameters()]).norm())
    assert found == pytest.approx(norm, rel=1e-3) if norm else 0.5 < found < 1.9


@pytest.mark.parametrize(("init", "kept"), [("mito-segment", True), (None, False)])
def test_fine_tuning_keeps_the_statistics_of_batch_norm(init, kept, discs, tmp_path):
    """A handful of regions cannot tell them; a new network has to learn them."""
    settings = SegmenterTraining(steps=1, batch_size=1, crop=32, held_out=0)
    labels = [(frame > 300).astype(int) for frame in discs]
    result = train_segmenter(
        list(discs), labels, tmp_path / "m.safetensors", init=init, settings=settings
    )
    tuned = load_model(result.path).network.state_dict()
    start = load_model(init).network.state_dict() if init else None
    statistics = [name for name in tuned if "running_mean" in name]
    assert statistics
    for name in statistics:
        before = start[name] if start else torch.zeros_like(tuned[name])
        assert torch.equal(tuned[name], before) == kept


def foreground_only(channels: int, tmp_path) -> Path:
    """A model file of one or two outputs that knows no pairs; brighter is more probable."""
    card = new_card("plain")
    arguments = {"in_channels": 1, "out_channels": channels, "widths": [4, 4]}
    architecture = card.architecture.model_copy(update={"arguments": arguments})
    card = card.model_copy(
        update={
            "architecture": architecture,
            "outputs": ["foreground", "contact"][:channels],
            "segmentation": {"asinh_gain": 5.0},
        }
    )
    network = build_network(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_().clamp_(min=0.01)
    return save_model(tmp_path / "plain.safetensors", network, card)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("pixel_size_um", [None, 0.2])
def test_a_model_that_knows_no_pairs_splits_along_the_skeleton(
    channels, pixel_size_um, discs, tmp_path
):
    model = foreground_only(channels, tmp_path)
    segmenter = Segmenter(model, pixel_size_um=pixel_size_um)
    maps = segmenter.maps(discs[1])
    threshold = float(maps.foreground.min() + maps.foreground.max()) / 2
    expected = split_instances(maps.foreground, threshold=threshold, pixel_size_um=pixel_size_um)
    assert expected.any()
    assert np.array_equal(maps.labels(threshold=threshold), expected)
    assert not segmenter.maps(np.full((40, 50), 7.0)).labels().any()


def test_a_model_of_the_foreground_alone_can_be_fine_tuned(discs, tmp_path):
    images, labels = shifted_task(discs)
    settings = SegmenterTraining(steps=2, batch_size=1, crop=32)
    out = tmp_path / "tuned.safetensors"
    model = foreground_only(1, tmp_path)
    result = train_segmenter(images, labels, out, init=model, settings=settings)
    assert 0 <= result.after["iou"] <= 1


def shifted_task(discs: np.ndarray) -> tuple[list, list]:
    """Images where only the dim discs count: the threshold model must be taught."""
    images, labels = [], []
    y, x = np.mgrid[:72, :90]
    for frame in discs:
        dim = np.hypot(y - 55, x - 45) < 8
        bright = frame > 300
        images.append(frame + 45.0 * dim)
        labels.append(np.where(dim, 9, np.where(bright, 5, 0)))
    return images * 2, labels * 2


def test_fine_tuning_learns_and_says_how_much(discs, threshold_model, tmp_path):
    images, labels = shifted_task(discs)
    out = tmp_path / "mine.safetensors"
    result = train_segmenter(images, labels, out, init=threshold_model, settings=QUICK)
    assert result.after["iou"] > result.before["iou"] + 0.05
    assert len(result.history) == QUICK.steps
    assert f"{result.after['iou']:.3f} after" in result.summary
    model = load_model(out, kind="segmenter")
    assert model.card.name == "mine"
    assert model.card.scores["before"] == result.before
    assert set(model.card.split["train"]).isdisjoint(model.card.split["held_out"])
    found = segment(images[0], model) > 0
    assert (found & (labels[0] == 9)).sum() > 100


def test_ranges_for_int8_are_those_of_the_new_weights(discs, tmp_path):
    images, labels = shifted_task(discs)
    settings = SegmenterTraining(steps=1, learning_rate=0.1, batch_size=1, crop=32, held_out=0)
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    train_segmenter(images, labels, first, init=None, settings=settings)
    train_segmenter(images, labels, second, init=first, settings=settings)
    for path in (first, second):
        model = load_model(path, kind="segmenter")
        segmenter, normalisation = Segmenter(model), model.card.normalisation.input
        read = [
            segmenter.compressed(normalisation.fit(image[None]).apply(image[None]))
            for image in images
        ]
        found, expected = model.card.activation_ranges, activation_ranges(model.network, read)
        assert list(found) == list(expected)
        assert len(found) > 3
        for name, limits in found.items():  # weights are stored in float16
            assert limits == pytest.approx(expected[name], rel=0.01, abs=1e-3)


def test_unpainted_pixels_teach_nothing():
    """Labels under unpainted pixels change neither the loss nor its gradient."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(1, 2 + len(STEPS), 32, 32, generator=generator).requires_grad_()
    labels = torch.zeros(1, 32, 32, dtype=torch.int32)
    labels[0, 5:9, 3:20], labels[0, 20:24, 3:20] = 2, 3
    known = torch.zeros(1, 32, 32, dtype=torch.bool)
    known[0, :15] = True
    labels[~known] = 0
    segmentation_loss(outputs, labels, known, STEPS).backward()
    assert outputs.grad[:, 0, :15].abs().min() > 0
    assert outputs.grad[:, :, 15:].abs().max() == 0


def test_where_nothing_is_known_nothing_is_to_lose():
    outputs = torch.ones(1, 2 + len(STEPS), 16, 16)
    labels = torch.zeros(1, 16, 16, dtype=torch.int32)
    assert float(segmentation_loss(outputs, labels, labels > 0, STEPS)) == 0


def test_a_mask_teaches_where_they_are_but_not_how_to_part_them():
    labels = torch.zeros(2, 32, 32, dtype=torch.int32)
    labels[:, 5:9, 3:20], labels[:, 11:15, 3:20] = 1, 1
    outputs = torch.zeros(2, 2 + len(STEPS), 32, 32, requires_grad=True)
    parted = torch.tensor([True, False])
    segmentation_loss(outputs, labels, labels >= 0, STEPS, parted=parted).backward()
    assert outputs.grad[1, 0].abs().min() > 0
    assert outputs.grad[0, 1:].abs().max() > 0
    assert outputs.grad[1, 1:].abs().max() == 0


@pytest.mark.parametrize(("other", "is_mask"), [(255, True), (7, False), (0, False)])
def test_masks_among_the_label_files_are_told_of(other, is_mask, tmp_path):
    """One value for all would teach that all of them are one mitochondrion."""
    labels = np.zeros((48, 48), np.uint8)
    labels[8:14, 4:30], labels[30:36, 4:30] = 255, other
    quick = SegmenterTraining(steps=1, batch_size=1, crop=32, held_out=0)
    out = tmp_path / "m.safetensors"
    result = train_segmenter([labels * 2.0], [labels], out, settings=quick, names=["cell 3"])
    assert result.card.training["masks"] == (["cell 3"] if is_mask else [])
    assert ("cell 3" in result.summary) == is_mask


def test_painting_with_a_background_value_fine_tunes(discs, threshold_model, tmp_path):
    images, labels = shifted_task(discs)
    painted = [label.copy() for label in labels]
    for mark in painted:
        mark[:12] = 1
    settings = SegmenterTraining(steps=30, learning_rate=0.1, batch_size=1, crop=32)
    out = tmp_path / "painted.safetensors"
    result = train_segmenter(
        images, painted, out, init=threshold_model, painted=True, settings=settings
    )
    assert result.after["iou"] > result.before["iou"]
    assert "f1" not in result.after


def test_the_same_seed_gives_the_same_model_and_resuming_too(discs, threshold_model, tmp_path):
    images, labels = shifted_task(discs)
    settings = SegmenterTraining(steps=6, batch_size=1, crop=32, held_out=0)
    options = {"init": threshold_model, "settings": settings}
    whole = train_segmenter(images, labels, tmp_path / "a.safetensors", **options)
    token, checkpoint = CancelToken(), tmp_path / "half.checkpoint"

    def stop_at_three(progress) -> None:
        if progress.done == 3:
            token.cancel()

    with pytest.raises(CancelledError):
        train_segmenter(
            images,
            labels,
            tmp_path / "b.safetensors",
            checkpoint=checkpoint,
            progress=stop_at_three,
            cancel=token,
            **options,
        )
    assert not (tmp_path / "b.safetensors").exists()
    resumed = train_segmenter(
        images, labels, tmp_path / "b.safetensors", checkpoint=checkpoint, **options
    )
    assert not checkpoint.exists()
    assert resumed.history["step"].tolist() == [3, 4, 5]
    assert resumed.history["loss"].tolist() == whole.history["loss"].tolist()[3:]
    first, second = (load_model(r.path).network.state_dict() for r in (whole, resumed))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_new_network_can_be_started(discs, tmp_path):
    images, labels = shifted_task(discs)
    settings = SegmenterTraining(steps=1, batch_size=1, crop=32, held_out=0)
    result = train_segmenter(
        images, labels, tmp_path / "new.safetensors", init=None, settings=settings, name="fresh"
    )
    assert result.card.name == "fresh"
    assert result.before == result.after == {}
    assert "nothing was held out" in result.summary


def test_training_never_sees_the_held_out_blocks():
    rng = np.random.default_rng(3)
    labels = np.zeros((200, 200), np.int32)
    labels[10:190:20, 10:190] = 1
    example = LabelledImage(np.zeros((200, 200), np.float32), labels, np.ones((200, 200), bool))
    train, test = hold_out([example], 0.4, rng)
    assert test[0].labels.any()
    assert not (train[0].known & test[0].known).any()
    for _ in range(20):
        _, cut, known = draw_crop(train[0], 64, rng)
        assert cut.shape == known.shape == (64, 64)
        assert not cut[~known].any()


@pytest.mark.parametrize(("fraction", "held"), [(0.01, 1), (0.5, 3), (0.99, 5)])
def test_of_several_images_one_at_least_is_held_out_and_one_left(fraction: float, held: int):
    plane = np.ones((8, 8))
    examples = [LabelledImage(plane, plane.astype(int), plane > 0, name) for name in "abcdef"]
    train, test = hold_out(examples, fraction, np.random.default_rng(0))
    assert (len(train), len(test)) == (6 - held, held)


@pytest.mark.parametrize("columns", [2, 5])
def test_a_block_of_64_pixels_is_held_out_with_a_margin_of_eight(columns: int) -> None:
    shape = (64, 64 * columns)
    example = LabelledImage(np.zeros(shape), np.ones(shape, int), np.ones(shape, bool))
    (train,), (test,) = hold_out([example], 0.2, np.random.default_rng(0))
    held = np.flatnonzero(test.known.all(axis=0))
    assert len(held) == test.known.any(axis=0).sum() == 64
    assert held[0] % 64 == 0
    away = np.abs(np.arange(shape[1])[:, None] - held).min(axis=1)
    assert np.array_equal(train.known, np.broadcast_to(away > 8, shape))


@pytest.mark.parametrize(
    ("count", "rows", "held", "unit"),
    [(2, 128, 2, "block of 64 pixels"), (3, 64, 0, "block of 64 pixels"), (4, 64, 1, "image")],
)
def test_whole_images_are_held_out_from_four_on_and_the_card_says_so(
    count: int, rows: int, held: int, unit: str, tmp_path
) -> None:
    labels = np.zeros((count, rows, 64), int)
    labels[:, 20:30, 10:50], labels[:, -30:-20, 10:50] = 1, 2
    settings = SegmenterTraining(steps=1, batch_size=1, crop=32)
    out = tmp_path / "m.safetensors"
    result = train_segmenter(
        list(labels * 9.0), list(labels), out, settings=settings, names="abcd"[:count]
    )
    split = result.card.split
    assert len(split["held_out"]) == held
    assert len(split["train"]) == (count - held if unit == "image" else count)
    assert split["by"] == unit


def test_crops_of_images_smaller_than_a_crop():
    example = LabelledImage(
        np.ones((20, 9), np.float32), np.ones((20, 9), np.int32), np.ones((20, 9), bool)
    )
    image, labels, known = draw_crop(example, 32, np.random.default_rng(0))
    assert image.shape == (32, 32)
    assert known.sum() == (labels > 0).sum() == 180


@pytest.mark.parametrize(
    ("images", "labels", "options", "message"),
    [
        ([], [], {}, "at least one"),
        ([np.ones((40, 40))], [], {}, "1 images and 0 label"),
        ([np.ones((40, 40))], [np.ones((40, 41), int)], {}, "same"),
        ([np.ones((40, 40))], [np.ones((40, 40))], {}, "integers"),
        ([np.ones((40, 40))], [-np.ones((40, 40), int)], {}, "negative"),
        ([np.eye(40)], [np.zeros((40, 40), int)], {}, "No mitochondrion"),
        ([np.eye(40)], [np.ones((40, 40), int)], {}, "No background"),
        ([np.eye(40)], [np.full((40, 40), 2)], {"painted": True}, "value 1"),
    ],
)
def test_bad_labels_are_named(images, labels, options, message, threshold_model, tmp_path):
    out = tmp_path / "model.safetensors"
    with pytest.raises(InputError, match=message):
        train_segmenter(images, labels, out, init=threshold_model, **options)
    assert not out.exists()


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"crop": 33}, {"held_out": 1}, {"learning_rate": 0}]
)
def test_impossible_settings_are_named(options):
    with pytest.raises(InputError, match=next(iter(options))):
        checked_settings(SegmenterTraining, **options)


def test_an_existing_model_is_kept_and_a_bad_checkpoint_named(discs, threshold_model, tmp_path):
    images, labels = shifted_task(discs)
    with pytest.raises(OutputExistsError):
        train_segmenter(images, labels, threshold_model, init=threshold_model)
    bad = tmp_path / "bad.checkpoint"
    bad.write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match=r"bad\.checkpoint"):
        train_segmenter(
            images, labels, tmp_path / "x.safetensors", init=threshold_model, checkpoint=bad
        )


def test_held_out_scores_are_means_over_the_examples_that_have_them() -> None:
    """A stand-in that finds the upper half of each image."""
    found = np.zeros((4, 4), np.int32)
    found[:2] = 1
    segmenter = SimpleNamespace(maps_of_normalised=lambda _: SimpleNamespace(labels=lambda: found))
    image, known = np.zeros((4, 4), np.float32), np.ones((4, 4), bool)
    whole, quarter = np.ones_like(found), found * (np.arange(4) < 2)
    right = LabelledImage(image, found, known)
    partly = known.copy()
    partly[3, 3] = False
    examples = [
        right,
        LabelledImage(image, whole, known),  # 1/2 of the pixels
        LabelledImage(image, quarter, known, parted=False),  # 1/2 as well, and no objects
        LabelledImage(image, found[::-1].copy(), known),
        LabelledImage(image, found, partly),
        LabelledImage(image, 0 * found, found == 0),  # nothing is there, and nothing found
    ]
    scores = _scores(segmenter, examples)
    assert scores["iou"] == pytest.approx((1 + 0.5 + 0.5 + 0 + 1) / 5)
    assert scores["f1"] == pytest.approx((1 + 1 + 0) / 3)
    assert set(_scores(segmenter, [examples[-1]])) == set()
    assert _scores(segmenter, []) == {}
