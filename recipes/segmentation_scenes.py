"""Clean scenes of mitochondria with labels, varied far beyond what one microscope shows.

The package's simulator stands for one instrument and one kind of cell. To outline
mitochondria of any recording, `mito-segment` also learnt from these: tubules, rings,
swollen ones and dots at 45 to 105 nm pixels, labelled on the surface or inside, sparse or
crowded, with blurred ones above and below. Noise is added in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
STEP_UM = 0.02
PADDING = 24
IN_FOCUS_UM = 0.5
THIN_UM = 0.25
HEIGHTS_UM = np.array(
    [
        -9,
        -2.5,
        -1.8,
        -1.3,
        -0.95,
        -0.7,
        -0.5,
        -0.3,
        -0.1,
        0.1,
        0.3,
        0.5,
        0.7,
        0.95,
        1.3,
        1.8,
        2.5,
        9,
    ]
)
MEDIAN_LENGTH_UM = {"mixed": 1.3, "tubular": 1.5, "fragmented": 0.6, "elongated": 3.0}
SHARES = [0.35, 0.4, 0.1, 0.15]


@dataclass(frozen=True, slots=True)
class Tube:
    """Centreline (N, 2) in micrometres, radius and height at each of its points."""

    line: Array
    radius: Array
    height: Array
    open_ended: bool


def draw_scene(
    rng: np.random.Generator, size: int = 256, *, swollen: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int16], float]:
    """Return photon density, labels and pixel size (µm) of one scene.

    `swollen` makes half of the mitochondria 0.6 to 2.2 µm wide.
    """
    pixel_um = _pixel_size(rng)
    side = size + 2 * PADDING
    kind = "swollen" if swollen else str(rng.choice(list(MEDIAN_LENGTH_UM), p=SHARES))
    focused, blurred = _population(rng, side * pixel_um, kind)
    labels = np.zeros((side, side), np.int32)
    nearest = np.full((side, side), np.inf)
    for number, tube in enumerate(focused, start=1):
        _draw_label(tube, number, pixel_um, labels, nearest)
    image = _render(rng, [*focused, *blurred], side, pixel_um)
    inside = slice(PADDING, -PADDING)
    bright = max(float(np.percentile(image[inside, inside], 99.9)), 1e-9)
    return (
        (image[inside, inside] / bright).astype(np.float32),
        labels[inside, inside].astype(np.int16),
        pixel_um,
    )


def _pixel_size(rng: np.random.Generator) -> float:
    if rng.random() > 0.45:
        return float(np.exp(rng.uniform(np.log(0.045), np.log(0.105))))
    return 0.08 * float(rng.uniform(0.95, 1.05))


def _population(
    rng: np.random.Generator, field_um: float, kind: str
) -> tuple[list[Tube], list[Tube]]:
    density = 0.0 if rng.random() < 0.04 else np.exp(rng.uniform(np.log(0.03), np.log(0.2)))
    count = int(rng.poisson(density * field_um**2))
    haze = rng.uniform(0, 1.2) if rng.random() < 0.6 else 0.0
    total = count + int(rng.poisson(haze * count))
    centres = rng.uniform(0, field_um, (total, 2))
    if total and rng.random() < 0.5:
        heaps = rng.uniform(0.2 * field_um, 0.8 * field_um, (rng.integers(1, 4), 2))
        heaped = rng.random(total) < 0.7
        chosen = heaps[rng.integers(0, len(heaps), heaped.sum())]
        centres[heaped] = chosen + rng.normal(0, rng.uniform(0.15, 0.4) * field_um, chosen.shape)
    radius, persistence = rng.uniform(0.14, 0.24), np.exp(rng.uniform(np.log(1.2), np.log(8)))
    spread = rng.uniform(0.05, 0.6)
    tubes = [_tube(rng, kind, centre, radius, persistence) for centre in centres]
    lifted = [
        _lifted(rng, tube, rng.normal(0, spread) if i < count else _far(rng))
        for i, tube in enumerate(tubes)
    ]
    return lifted[:count], lifted[count:]


def _far(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(0.6, 3.0))


def _lifted(rng: np.random.Generator, tube: Tube, height: float) -> Tube:
    along = (np.arange(len(tube.line)) - len(tube.line) / 2) * STEP_UM
    return Tube(tube.line, tube.radius, height + rng.normal(0, 0.12) * along, tube.open_ended)


def _tube(
    rng: np.random.Generator, kind: str, centre: Array, radius: float, persistence: float
) -> Tube:
    own = float(np.clip(radius * np.exp(rng.normal(0, 0.15)), 0.11, 0.32))
    odd = rng.random()
    if kind in ("mixed", "fragmented") and odd < 0.12:
        line = _ring(rng)
        return Tube(line + centre, np.full(len(line), own), np.zeros(len(line)), False)
    if kind == "mixed" and odd < 0.24:
        line = _worm(rng, rng.uniform(0.1, 0.8), 3.0)
        own = float(rng.uniform(0.25, 0.5))
        return Tube(line + centre, np.full(len(line), own), np.zeros(len(line)), True)
    if kind == "swollen" and odd < 0.5:
        line = _worm(rng, rng.uniform(0.1, 2.0), 6.0)
        own = float(np.exp(rng.uniform(np.log(0.3), np.log(1.1))))
        return Tube(line + centre, np.full(len(line), own), np.zeros(len(line)), True)
    length = np.exp(rng.normal(np.log(MEDIAN_LENGTH_UM.get(kind, 1.3)), 0.6)).clip(0.3, 9)
    line = _worm(rng, float(length), persistence * float(np.exp(rng.normal(0, 0.3))))
    width = np.full(len(line), own)
    if kind == "mixed" and rng.random() < 0.25:
        along = (np.arange(len(line)) - rng.integers(0, len(line))) * STEP_UM
        swelling = np.exp(-0.5 * (along / rng.uniform(0.2, 0.6)) ** 2)
        width = own * (1 + rng.uniform(0.3, 1.2) * swelling)
    return Tube(line + centre, width, np.zeros(len(line)), True)


def _worm(rng: np.random.Generator, length_um: float, persistence_um: float) -> Array:
    count = max(3, int(length_um / STEP_UM))
    turns = rng.normal(0, np.sqrt(2 * STEP_UM / persistence_um), count)
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    reach = int(0.15 / STEP_UM)
    window = np.ones(2 * reach + 1) / (2 * reach + 1)
    angle = np.convolve(np.pad(angle, reach, mode="edge"), window, "valid")
    line = np.cumsum(np.c_[np.sin(angle), np.cos(angle)] * STEP_UM, axis=0)
    return line - line.mean(axis=0)


def _ring(rng: np.random.Generator) -> Array:
    radius = rng.uniform(0.28, 0.6)
    turn = 1.0 if rng.random() < 0.7 else rng.uniform(0.6, 0.95)
    count = max(8, int(2 * np.pi * radius / STEP_UM))
    angle = np.linspace(0, 2 * np.pi * turn, count) + rng.uniform(0, 6)
    return np.c_[np.sin(angle), np.cos(angle) * rng.uniform(0.75, 1.0)] * radius


def _draw_label(
    tube: Tube, number: int, pixel_um: float, labels: NDArray[np.int32], nearest: Array
) -> None:
    """Give the pixels within the radius of the focused part to the nearest centreline."""
    focused = np.abs(tube.height) < IN_FOCUS_UM
    if not focused.any():
        return
    points, radius = tube.line[focused][::2] / pixel_um, tube.radius[focused][::2] / pixel_um
    low = np.floor(points.min(axis=0) - radius.max() - 1).astype(int).clip(0, len(labels))
    high = np.ceil(points.max(axis=0) + radius.max() + 2).astype(int).clip(0, len(labels))
    if (high <= low).any():
        return
    grid = np.mgrid[low[0] : high[0], low[1] : high[1]]
    distance, index = cKDTree(points).query(grid.reshape(2, -1).T)
    distance = np.where(distance <= radius[index], distance, np.inf).reshape(grid.shape[1:])
    box = (slice(low[0], high[0]), slice(low[1], high[1]))
    mine = distance < nearest[box]
    nearest[box][mine] = distance[mine]
    labels[box][mine] = number


def _render(rng: np.random.Generator, tubes: list[Tube], side: int, pixel_um: float) -> Array:
    """Return the light of emitters on the tubes, each blurred for its height."""
    if not tubes:
        return np.zeros((side, side))
    on_surface, brightness_sd = rng.random() < 0.7, rng.uniform(0.1, 0.6)
    density = np.exp(rng.uniform(np.log(80), np.log(3000)))
    emitters = [_emitters(rng, tube, density, on_surface, brightness_sd) for tube in tubes]
    place, height, weight = (np.concatenate(part) for part in zip(*emitters, strict=True))
    middles = np.r_[-3, (HEIGHTS_UM[1:-2] + HEIGHTS_UM[2:-1]) / 2, 3] + rng.normal(0, 0.05)
    transfer = _transfer(rng, side, pixel_um, middles)
    slab = np.digitize(height, HEIGHTS_UM) - 1
    total = np.zeros_like(transfer[0])
    for number in np.unique(slab):
        y, x = place[slab == number].T / pixel_um
        counts = np.histogram2d(
            y, x, bins=side, range=[[-0.5, side - 0.5]] * 2, weights=weight[slab == number]
        )[0]
        total = total + fft.rfft2(counts) * transfer[number]
    return np.maximum(fft.irfft2(total, s=(side, side)), 0)


def _emitters(
    rng: np.random.Generator, tube: Tube, density: float, on_surface: bool, brightness_sd: float
) -> tuple[Array, Array, Array]:
    expected = density * len(tube.line) * STEP_UM * tube.radius.mean() / 0.2
    count = int(rng.poisson(expected)) + 3
    brightness = float(np.exp(rng.normal(0, brightness_sd))) / density
    if tube.radius.min() > THIN_UM:
        place, height = _in_capsule(rng, tube, count, on_surface)
        return place, height, np.full(len(place), brightness)
    index = rng.integers(0, len(tube.line), count)
    tangent = np.gradient(tube.line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    normal = np.c_[-tangent[:, 1], tangent[:, 0]][index]
    angle = rng.uniform(0, 2 * np.pi, count)
    off = tube.radius[index] * (1.0 if on_surface else np.sqrt(rng.random(count)))
    place = tube.line[index] + normal * (off * np.cos(angle))[:, None]
    return place, tube.height[index] + off * np.sin(angle), np.full(count, brightness)


def _in_capsule(
    rng: np.random.Generator, tube: Tube, count: int, on_surface: bool
) -> tuple[Array, Array]:
    """Return places and heights of emitters of a wide tube with round ends."""
    index = rng.integers(0, len(tube.line), count)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = tube.radius[index]
    off = radius * (1.0 if on_surface else rng.random(count) ** (1 / 3))
    flat = tube.line[index] + direction[:, :2] * off[:, None]
    above = direction[:, 2] * off
    if on_surface:
        aside, _ = cKDTree(tube.line).query(flat)
        outer = np.hypot(aside, above) > 0.97 * radius
        flat, above, index = flat[outer], above[outer], index[outer]
    return flat, tube.height[index] + above


def _transfer(rng: np.random.Generator, side: int, pixel_um: float, heights: Array) -> Array:
    """Return the transfer function of a random objective at each height (scalar Debye)."""
    wavelength, index = rng.uniform(0.5, 0.62), rng.choice([1.33, 1.38, 1.45])
    aperture = min(rng.uniform(1.15, 1.42), 0.999 * index)
    k = np.fft.fftfreq(side, pixel_um)
    k_squared = k[:, None] ** 2 + k**2
    pupil = k_squared < (aperture / wavelength) ** 2
    k_axial = np.sqrt(np.maximum((index / wavelength) ** 2 - k_squared, 0))
    spreads = [np.abs(np.fft.ifft2(pupil * np.exp(2j * np.pi * k_axial * z))) ** 2 for z in heights]
    return np.array([fft.rfft2(spread / spread.sum()) for spread in spreads])
