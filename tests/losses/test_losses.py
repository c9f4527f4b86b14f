"""Losses: values against numpy and scipy, invariances, and gradients that lead somewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import laplace, pearsonr
from skimage.filters import threshold_otsu

from napari_virtualstain.losses import (
    LossConfig,
    band_pass,
    band_pass_loss,
    correlation_loss,
    discriminator_loss,
    gaussian_blur,
    generator_adversarial_loss,
    generator_loss,
    gradient_l1,
    laplace_nll,
    multi_scale_l1,
    otsu_threshold,
    spotlight_loss,
    weighted_l1,
)
from napari_virtualstain.losses.regression import _threshold_nodes, threshold_normalised_l1
from napari_virtualstain.losses.spotlight import _tunable_sigmoid

RNG = np.random.default_rng(0)
TERMS = ["l1", "weighted_l1", "mse", "laplace", "correlation", "band_pass", "gradient"]
TERMS += ["multi_scale", "threshold_normalised", "spotlight", "distillation"]


def _images(count: int = 2, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (count, 1, size, size)
    return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)


def test_weighted_l1_is_equation_3() -> None:
    predicted, target = _images()
    weight = torch.rand(predicted.shape)
    expected = np.mean(weight.numpy() * np.abs(target.numpy() - predicted.numpy()))
    assert float(weighted_l1(predicted, target, weight)) == pytest.approx(float(expected))


def test_weight_floor_and_mean() -> None:
    predicted, target = _images()
    nothing = torch.zeros_like(target)
    assert float(weighted_l1(predicted, target, nothing)) == 0
    assert float(weighted_l1(predicted, target, nothing, floor=0.05)) > 0
    weight = torch.rand(target.shape)
    once = weighted_l1(predicted, target, weight, mean_one=True)
    torch.testing.assert_close(once, weighted_l1(predicted, target, 0.1 * weight, mean_one=True))
    plain = (predicted - target).abs().mean()
    torch.testing.assert_close(
        weighted_l1(predicted, target, 0.3 * torch.ones_like(target), mean_one=True), plain
    )


def test_laplace_against_scipy_and_minimal_at_the_true_scale() -> None:
    mean, target = _images()
    scale = torch.full_like(mean, 0.3)
    expected = -laplace.logpdf(target.numpy(), mean.numpy(), np.exp(0.3)).mean()
    assert float(laplace_nll(mean, scale, target)) == pytest.approx(expected, rel=1e-5)
    true = float((mean - target).abs().mean().log())
    losses = [
        float(laplace_nll(mean, scale * 0 + s, target)) for s in (true - 0.5, true, true + 0.5)
    ]
    assert min(losses) == losses[1]
    assert np.isfinite(float(laplace_nll(mean, scale * 1e9, target)))


def test_correlation_against_scipy_and_blind_to_gain_and_offset() -> None:
    predicted, target = _images()
    both = zip(predicted.numpy(), target.numpy(), strict=True)
    expected = 1 - np.mean([pearsonr(p.ravel(), t.ravel())[0] for p, t in both])
    assert float(correlation_loss(predicted, target)) == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(
        correlation_loss(5 * predicted - 3, target), correlation_loss(predicted, target),
        atol=1e-5, rtol=1e-4,
    )  # fmt: skip
    assert torch.isfinite(correlation_loss(torch.ones_like(target), target))


@pytest.mark.parametrize("sigma", [0.7, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(40, 33), (9, 50), (5, 5)])
def test_blur_against_scipy(sigma: float, shape: tuple[int, int]) -> None:
    image = RNG.normal(size=shape)
    expected = ndimage.gaussian_filter(image, sigma, mode="mirror")
    blurred = gaussian_blur(torch.from_numpy(image)[None, None], sigma)[0, 0]
    np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-5)


def test_band_pass_agrees_with_the_exact_one_to_a_few_per_cent() -> None:
    image = ndimage.gaussian_filter(RNG.normal(size=(128, 128)), 1.5)
    exact = ndimage.gaussian_filter(image, 1) - ndimage.gaussian_filter(image, 8)
    fast = band_pass(torch.from_numpy(image)[None, None])[0, 0].numpy()
    inside = np.s_[8:-8, 8:-8]
    assert np.std(fast[inside] - exact[inside]) < 0.03 * np.std(exact[inside])


def test_band_pass_ignores_the_envelope() -> None:
    y, x = np.mgrid[:128, :128] / 128
    envelope = torch.from_numpy(np.exp(-8 * ((y - 0.5) ** 2 + (x - 0.5) ** 2)))[None, None].float()
    fine = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    assert float(band_pass_loss(fine + 8 * envelope, fine)) < 0.4
    assert float(correlation_loss(fine + 8 * envelope, fine)) > 0.5


def test_threshold_map_has_the_published_nodes() -> None:
    target = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    mean, deviation = target.mean(), target.std(unbiased=False)

    def mapped(value: torch.Tensor) -> float:
        """Map one grey value, through the loss's distance from the target's minimum."""
        image = torch.full_like(target, float(value))
        lowest = torch.full_like(target, float(target.min()))
        from napari_virtualstain.losses.regression import _piecewise, _threshold_nodes

        nodes = _threshold_nodes(target)
        return float((_piecewise(image, nodes) - _piecewise(lowest, nodes)).mean())

    assert mapped(target.min()) == pytest.approx(0, abs=1e-5)
    assert mapped(mean + deviation) == pytest.approx(0.2, abs=1e-5)
    assert mapped(mean + 3 * deviation) == pytest.approx(0.7, abs=1e-5)
    assert mapped(target.max()) == pytest.approx(1.0, abs=1e-5)


def test_otsu_against_skimage() -> None:
    image = np.concatenate([RNG.normal(0, 1, 3000), RNG.normal(6, 1, 1096)]).reshape(64, 64)
    ours = float(otsu_threshold(torch.from_numpy(image)[None, None]))
    assert ours == pytest.approx(threshold_otsu(image, nbins=128), abs=0.3)


def test_spotlight_ignores_background_error_below_the_threshold() -> None:
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:16, 8:16] = 10
    noisy = target.clone()
    noisy[..., 20:, 20:] -= 3
    torch.testing.assert_close(spotlight_loss(noisy, target), spotlight_loss(target, target))
    missing = torch.zeros_like(target)
    assert spotlight_loss(missing, target) > spotlight_loss(target, target) + 1


@pytest.mark.parametrize(("rows", "loss"), [(8, 0.0), (4, 1 - 2 * 32 / (32 + 64)), (0, 1.0)])
def test_the_spotlight_has_the_dice_coefficient_of_what_is_bright(rows: int, loss: float) -> None:
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:16, 8:16] = 10
    predicted = torch.zeros_like(target)
    predicted[..., 8 : 8 + rows, 8:16] = 10
    assert float(spotlight_loss(predicted, target, mse_share=0.0)) == pytest.approx(loss, abs=1e-3)


def test_multi_scale_averages_noise_away_but_not_structure() -> None:
    noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(3))
    zero = torch.zeros_like(noise)
    assert multi_scale_l1(noise, zero) < 0.5 * noise.abs().mean()
    torch.testing.assert_close(multi_scale_l1(zero + 2, zero), torch.tensor(2.0))
    assert float(gradient_l1(zero + 2, zero)) == 0


def test_multi_scale_stops_where_a_strip_cannot_be_halved() -> None:
    strip = torch.zeros(1, 1, 2, 32)
    halved = multi_scale_l1(strip + 2, strip, levels=3)
    torch.testing.assert_close(halved, torch.tensor(2.0 / 3))  # one of three levels


@pytest.mark.parametrize(("side", "loss"), [(1, 0), (2, 1 / 3), (4, 2 / 3), (8, 1), (16, 1)])
def test_the_scales_are_half_quarter_and_eighth(side: int, loss: float) -> None:
    """Squares of +1 and -1 cancel at each scale whose pixels are larger."""
    board = np.indices((64 // side, 64 // side)).sum(0) % 2 * 2.0 - 1
    error = torch.from_numpy(np.kron(board, np.ones((side, side))))[None, None]
    assert float(multi_scale_l1(error, 0 * error)) == pytest.approx(loss)


@pytest.mark.parametrize("kind", ["minimax", "modified_minimax", "least_squares"])
def test_adversaries_pull_in_opposite_directions(kind: str) -> None:
    fake = torch.zeros(4, 1, requires_grad=True)
    (generator,) = torch.autograd.grad(generator_adversarial_loss(fake, kind), fake)
    (discriminator,) = torch.autograd.grad(discriminator_loss(torch.zeros(4, 1), fake, kind), fake)
    assert (generator < 0).all()  # raise the logit of what I made
    assert (discriminator >= 0).all()
    if kind != "least_squares":
        assert (discriminator > 0).all()
        extreme = torch.tensor([[1e4], [-1e4]])
        assert torch.isfinite(generator_adversarial_loss(extreme, kind))


def test_discriminator_loss_at_indifference_is_two_ln_2() -> None:
    zero = torch.zeros(3, 1)
    assert float(discriminator_loss(zero, zero)) == pytest.approx(2 * np.log(2), rel=1e-6)


@pytest.mark.parametrize("term", TERMS)
def test_every_term_falls_on_the_way_to_the_target_and_its_gradient_points_there(term: str) -> None:
    start, target = _images(size=64)
    target = gaussian_blur(target, 1.5) * 5  # structure that survives every scale
    config = LossConfig(**{**dict.fromkeys(TERMS, 0), term: 1.0})

    def loss(image: torch.Tensor) -> torch.Tensor:
        output = torch.cat([image, torch.zeros_like(image)], 1)
        return generator_loss(output, target, torch.ones_like(target), config, taught=target)[0]

    way = [float(loss(torch.lerp(start, target, share))) for share in (0.0, 0.5, 0.9, 1.0)]
    assert way == sorted(way, reverse=True)
    assert way[0] - way[3] > 0.2
    image = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(image), image)
    assert float((gradient * (target - start)).sum()) < 0


def test_terms_add_up_with_their_weights() -> None:
    output, target = _images()
    config = LossConfig(l1=2, correlation=0.5, weighted_l1=3)
    weight = torch.rand(target.shape)
    total, terms = generator_loss(output, target, weight, config)
    expected = 2 * terms["l1"] + 0.5 * terms["correlation"] + 3 * terms["weighted_l1"]
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize(("share", "loss"), [(0.4, 0.0), (0.6, 1 / 16)])
def test_pixels_count_whose_mask_is_above_one_half_after_resampling(
    share: float, loss: float
) -> None:
    target = torch.zeros(1, 1, 4, 4)
    output, counts = target.clone(), torch.ones_like(target)
    output[..., 2, 2], counts[..., 2, 2] = 1.0, share
    weight = torch.cat([torch.ones_like(target), counts], 1)
    assert float(generator_loss(output, target, weight, LossConfig(l1=1))[0]) == loss


def test_adversarial_term_needs_and_uses_the_logits() -> None:
    output, target = _images()
    config = LossConfig(l1=0, adversarial=2)
    total, terms = generator_loss(
        output, target, target, config, fake_logits=torch.tensor([[0.0], [0.0]])
    )
    assert float(total) == pytest.approx(2 * np.log(2), rel=1e-6)
    assert sorted(terms) == ["adversarial"]


@pytest.mark.parametrize(("scale", "counts_as"), [(6.9, 6.9), (7.1, 7.0), (-7.1, -7.0)])
def test_a_log_scale_counts_up_to_seven(scale: float, counts_as: float) -> None:
    mean, target = _images()
    error = float((mean - target).abs().mean())
    loss = float(laplace_nll(mean, torch.full_like(mean, scale), target))
    assert loss == pytest.approx(np.log(2) + counts_as + error * np.exp(-counts_as), rel=1e-4)


def test_the_spotlight_step_is_steep_at_its_threshold() -> None:
    step = _tunable_sigmoid(torch.tensor([-2.0, -1.0, -0.1, 0.0, 0.1, 1.0]))
    tenth = 1.95 * 0.1 / (1 - 0.95 + 2 * 0.95 * 0.1)  # (x - kx) / (k - 2k|x| + 1), k = -0.95
    expected = [0.0, 0.0, (1 - tenth) / 2, 0.5, (1 + tenth) / 2, 1.0]
    torch.testing.assert_close(step, torch.tensor(expected))


def test_least_squares_is_content_with_a_logit_of_one() -> None:
    logits = torch.tensor([[1.0]])
    assert float(generator_adversarial_loss(logits, "least_squares")) == 0
    assert float(generator_adversarial_loss(logits - 1, "least_squares")) == 0.5
    assert float(discriminator_loss(logits, logits - 1, "least_squares")) == 0


def test_what_has_no_weight_is_left_out() -> None:
    image, target = _images()
    _, terms = generator_loss(image, target, image, LossConfig(), taught=target)
    assert set(terms) == {"l1"}
    _, terms = generator_loss(image, target, image, LossConfig(distillation=0.1), taught=target)
    assert set(terms) == {"l1", "distillation"}


def test_pieces_of_the_threshold_map_stay_a_thousandth_of_the_deviation_wide() -> None:
    # half of the pixels are saturated: mean + 3 deviations lies beyond the maximum
    target = torch.tensor([0.0, 1.0]).repeat(32).view(1, 1, 8, 8)
    lowest, first, second, highest = (float(node) for node in _threshold_nodes(target))
    assert (lowest, first) == (0.0, 1.0)
    assert second - first == pytest.approx(0.5e-3, rel=1e-3)
    assert highest - second == pytest.approx(0.5e-3, rel=1e-3)
    for level in (0.0, 3.0, -200.0):
        flat = torch.full((1, 1, 8, 8), level)
        assert torch.isfinite(threshold_normalised_l1(flat + 1, flat))
        assert threshold_normalised_l1(flat, flat) == 0
