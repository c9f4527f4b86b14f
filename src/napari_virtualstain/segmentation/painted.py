"""Images with labels, complete or painted here and there, to train a segmenter on.

In a **complete** label image 0 is background. In a **painted** one 0 means "not looked
at": the pixel teaches nothing. There 1 is background and every value from 2 on one
mitochondrion; a few strokes over background and a few mitochondria suffice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..engine import fill_non_finite
from ..errors import InputError
from ..normalisation import Normalisation

PAINTED_BACKGROUND = 1
_WHOLE_IMAGES = 4
_BLOCK = 64
_GUARD = 8


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One plane with what is known about it.

    Attributes
    ----------
    image : ndarray of float32, shape (Y, X)
        Normalised fluorescence.
    labels : ndarray of int32, shape (Y, X)
        0 background or unknown, else one value for each mitochondrion.
    known : ndarray of bool, shape (Y, X)
        Where the labels may be believed.
    name : str
        Of the image or movie, for messages; planes of one name are held out together.
    parted : bool
        Whether each mitochondrion has its own value. A mask has one for all, which says
        where they are, but not which pixels belong together.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    known: NDArray[np.bool_]
    name: str = ""
    parted: bool = True

    @property
    def complete(self) -> bool:
        """Whether every pixel is known, so that objects can be counted."""
        return bool(self.known.all())


def labelled_images(
    images: Sequence[ArrayLike],
    labels: Sequence[ArrayLike],
    *,
    painted: bool,
    normalisation: Normalisation,
    compress: Any,
    names: Sequence[str] = (),
) -> list[LabelledImage]:
    """Return checked planes of images (or movies) and their labels.

    Parameters
    ----------
    images, labels : sequences of arrays, shape (Y, X) or (T, Y, X)
        In pairs of equal shape.
    painted : bool
        What 0 means, see the module.
    normalisation : Normalisation
        Fitted to each image or movie.
    compress : callable
        Applied to normalised planes.
    names : sequence of str
        For messages.

    Raises
    ------
    InputError
        Shapes or numbers do not fit, or nothing usable is labelled.
    """
    if len(images) != len(labels) or not images:
        raise InputError(
            f"{len(images)} images and {len(labels)} label images were given: expected as many of "
            "the one as of the other, at least one."
        )
    examples: list[LabelledImage] = []
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        name = names[index] if index < len(names) else f"image {index + 1}"
        planes, marks = _planes(np.asarray(image), np.asarray(label), name)
        fitted = normalisation.fit(planes)
        for plane, mark in zip(planes, marks, strict=True):
            example = _example(compress(fitted.for_plane(plane).apply(plane)), mark, painted, name)
            if example.known.any():
                examples.append(example)
    _check_content(examples, painted)
    return examples


def _planes(
    image: NDArray[Any], labels: NDArray[Any], name: str
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    if image.shape != labels.shape or image.ndim not in (2, 3) or 0 in image.shape:
        raise InputError(
            f"{name} has shape {image.shape} and labels of shape {labels.shape}: expected the same "
            "(Y, X) or (T, Y, X) for both."
        )
    if labels.dtype.kind not in "biu":
        raise InputError(f"The labels of {name} are of type {labels.dtype}: expected integers.")
    if labels.min() < 0:
        raise InputError(f"The labels of {name} are negative in places: expected 0 and up.")
    if image.ndim == 2:
        image, labels = image[None], labels[None]
    return [fill_non_finite(plane)[0] for plane in image], list(labels)


def _example(
    image: NDArray[np.float32], marks: NDArray[Any], painted: bool, name: str
) -> LabelledImage:
    values = marks.astype(np.int32)
    if painted:
        known = values > 0
        values = np.where(values > PAINTED_BACKGROUND, values, 0)
    else:
        known = np.ones(values.shape, bool)
    parted = not _is_mask(values)
    return LabelledImage(np.asarray(image, np.float32), values, known, name, parted)


def _is_mask(labels: NDArray[np.int32]) -> bool:
    """Return whether one value stands for several objects that do not touch."""
    top = labels.max(initial=0)
    if not np.isin(labels, (0, top)).all():
        return False
    return int(ndimage.label(labels > 0, np.ones((3, 3)))[1]) > 1


def _check_content(examples: list[LabelledImage], painted: bool) -> None:
    if not any(example.labels.any() for example in examples):
        raise InputError(
            "No mitochondrion is labelled. "
            + ("Paint some, each with its own value from 2 on." if painted else "Label some.")
        )
    if not any((example.known & (example.labels == 0)).any() for example in examples):
        raise InputError(
            f"No background is labelled. Paint some with value {PAINTED_BACKGROUND}, above all "
            "where the present model finds mitochondria that are none."
        )


def planes_by_image(examples: Sequence[LabelledImage]) -> list[list[LabelledImage]]:
    """Return examples of one name and shape together, in the order in which they came.

    Examples
    --------
    >>> plane = np.zeros((4, 4))
    >>> examples = [LabelledImage(plane, plane, plane == 0, name) for name in "aab"]
    >>> [len(planes) for planes in planes_by_image(examples)]
    [2, 1]
    """
    images: dict[tuple[str, tuple[int, ...]], list[LabelledImage]] = {}
    for example in examples:
        images.setdefault((example.name, example.labels.shape), []).append(example)
    return list(images.values())


def unit_held_out(images: int) -> str:
    """Return what :func:`hold_out` holds out of so many images.

    Examples
    --------
    >>> unit_held_out(3), unit_held_out(4)
    ('block of 64 pixels', 'image')
    """
    return "image" if images >= _WHOLE_IMAGES else f"block of {_BLOCK} pixels"


def hold_out(
    examples: Sequence[LabelledImage], fraction: float, rng: np.random.Generator
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Return examples to train on, and examples to score on that training never sees.

    Whole images where there are at least four, movies with all their planes; else blocks of
    64 pixels, the same in all planes of a movie, with a margin of 8 pixels between the two
    that neither has.
    """
    if fraction <= 0:
        return list(examples), []
    images = planes_by_image(examples)
    if len(images) >= _WHOLE_IMAGES:
        order = rng.permutation(len(images)).tolist()
        count = min(len(images) - 1, max(1, round(fraction * len(images))))
        train = [plane for index in sorted(order[count:]) for plane in images[index]]
        return train, [plane for index in sorted(order[:count]) for plane in images[index]]
    pairs = [pair for planes in images for pair in _split_blocks(planes, fraction, rng)]
    train = [one for one, _ in pairs if one.known.any()]
    test = [other for _, other in pairs if other.labels.any()]
    if not any(example.labels.any() for example in train):
        return list(examples), []
    return train, test


def _split_blocks(
    planes: Sequence[LabelledImage], fraction: float, rng: np.random.Generator
) -> list[tuple[LabelledImage, LabelledImage]]:
    """Return the planes of one image without and with the same blocks only."""
    height, width = planes[0].labels.shape
    columns = -(-width // _BLOCK)
    block = np.add.outer(np.arange(height) // _BLOCK * columns, np.arange(width) // _BLOCK)
    labelled = np.any([plane.labels > 0 for plane in planes], axis=0)
    candidates = rng.permutation(np.unique(block[labelled]))
    count = round(fraction * len(candidates))
    chosen = candidates[: max(1, count)] if len(candidates) > 1 else candidates[:0]
    held = np.isin(block, chosen)
    near = ndimage.binary_dilation(held, iterations=_GUARD)
    return [
        (
            replace(plane, known=plane.known & ~near, labels=np.where(near, 0, plane.labels)),
            replace(plane, known=plane.known & held, labels=np.where(held, plane.labels, 0)),
        )
        for plane in planes
    ]


def draw_crop(
    example: LabelledImage, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
    """Return image, labels and known pixels of a random crop about a known pixel.

    Parameters
    ----------
    example : LabelledImage
        Padded by reflection where it is smaller than the crop; padding is not known.
    size : int
        Side of the crop, pixels.
    rng : Generator
        Source of randomness; also turns, flips, rescales and blurs.
    """
    image, labels, known = _padded(example, size)
    wanted = labels > 0 if (labels > 0).any() and rng.random() < 0.7 else known
    y, x = np.argwhere(wanted)[rng.integers(int(wanted.sum()))]
    corner = [
        int(np.clip(centre - rng.integers(size), 0, length - size))
        for centre, length in zip((y, x), image.shape, strict=True)
    ]
    box = tuple(slice(c, c + size) for c in corner)
    return _varied(image[box], labels[box], known[box], rng)


def _padded(
    example: LabelledImage, size: int
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
    missing = [(0, max(0, size - n)) for n in example.image.shape]
    if not any(after for _, after in missing):
        return example.image, example.labels, example.known
    return (
        np.pad(example.image, missing, mode="symmetric"),
        np.pad(example.labels, missing),
        np.pad(example.known, missing),
    )


def _varied(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    known: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
    turns, flipped = int(rng.integers(4)), rng.random() < 0.5

    def turned(array: NDArray[Any]) -> NDArray[Any]:
        array = np.rot90(array, turns)
        return np.ascontiguousarray(array[:, ::-1] if flipped else array)

    values = image * float(np.exp(rng.normal(0, 0.15))) + float(rng.normal(0, 0.03))
    if rng.random() < 0.2:
        values = ndimage.gaussian_filter(values, rng.uniform(0.3, 0.9))
    if rng.random() < 0.3:
        values = values + rng.normal(0, rng.uniform(0, 0.05), values.shape)
    return turned(values).astype(np.float32), turned(labels), turned(known)
