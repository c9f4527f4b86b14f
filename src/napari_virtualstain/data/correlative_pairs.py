"""Correlative pairs: bright-field and fluorescence images of the same field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .stored_image import changed

Image = NDArray[np.generic]
_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in pixels, end exclusive: ``image[y0:y1, x0:x1]``.

    Attributes
    ----------
    y0, x0, y1, x1 : int
        Its corners.
    pair : int or None
        The pair that it belongs to; None means every pair.
    vertices : tuple of (y, x)
        Corners of a polygon in pixels of the whole image; pixels of the rectangle outside of
        it do not count. None: the whole rectangle counts.
    """

    y0: int
    x0: int
    y1: int
    x1: int
    pair: int | None = None
    vertices: tuple[tuple[float, float], ...] = ()

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.y0, self.y1)

    @property
    def columns(self) -> slice:
        """Its columns."""
        return slice(self.x0, self.x1)

    def mask(self) -> NDArray[np.bool_] | None:
        """Return which pixels of the rectangle count, or None where all do.

        Examples
        --------
        >>> Region(0, 0, 4, 4, vertices=((0, 0), (0, 3), (3, 0))).mask().sum()
        np.int64(10)
        """
        if not self.vertices:
            return None
        from skimage.draw import polygon2mask

        corner = np.array([self.y0, self.x0])
        shape = (self.y1 - self.y0, self.x1 - self.x0)
        mask: NDArray[np.bool_] = polygon2mask(shape, np.asarray(self.vertices) - corner)
        return None if mask.all() or not mask.any() else mask


@dataclass(frozen=True, slots=True)
class CorrelativePairs:
    """Pairs of images, with the group (cell, movie) that each belongs to.

    Splits into training and validation are made by group, never by image. Images of files that
    need more than a third of the free memory are :class:`StoredImage`: read at each use.

    Attributes
    ----------
    bright_field : tuple of ndarray of shape (P, Y, X)
        P neighbouring planes, the wanted one in the middle; P is 1 as a rule.
    fluorescence : tuple of ndarray of shape (Y, X)
        Targets, one for each.
    names : tuple of str
        For messages and reports.
    groups : tuple of str
        Cell or movie of each pair: what is independent of what.
    movies : tuple of str
        Pairs with the same value are normalised together.
    pixel_size_um : float or None
        Micrometres, None when not known.
    notes : tuple of str
        What happened while they were collected: for the report and the user.
    masks : tuple of (ndarray of shape (Y, X), bool, or None)
        Which pixels of each pair count; None: all. Empty: all of every pair.
    """

    bright_field: tuple[Image, ...]
    fluorescence: tuple[Image, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    movies: tuple[str, ...]
    pixel_size_um: float | None = None
    notes: tuple[str, ...] = field(default=())
    masks: tuple[NDArray[np.bool_] | None, ...] = field(default=())

    def mask_of(self, index: int) -> NDArray[np.bool_] | None:
        """Return which pixels of a pair count, None: all."""
        return self.masks[index] if self.masks else None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def planes(self) -> int:
        """Number of bright-field planes of one pair."""
        return int(self.bright_field[0].shape[0]) if self.bright_field else 1

    @property
    def group_names(self) -> tuple[str, ...]:
        """The different groups, sorted."""
        return tuple(sorted(set(self.groups)))

    def subset(self, indices: Iterable[int]) -> CorrelativePairs:
        """Return the pairs with these indices, in that order."""
        chosen = [int(index) for index in indices]
        return replace(
            self,
            bright_field=tuple(self.bright_field[i] for i in chosen),
            fluorescence=tuple(self.fluorescence[i] for i in chosen),
            names=tuple(self.names[i] for i in chosen),
            groups=tuple(self.groups[i] for i in chosen),
            movies=tuple(self.movies[i] for i in chosen),
            masks=tuple(self.masks[i] for i in chosen) if self.masks else (),
        )

    def of_groups(self, groups: Iterable[str]) -> CorrelativePairs:
        """Return the pairs of these groups."""
        wanted = set(groups)
        return self.subset(i for i, group in enumerate(self.groups) if group in wanted)

    def without_neighbours(self) -> CorrelativePairs:
        """Return the same pairs with the middle bright-field plane alone."""
        middle = self.planes // 2
        one = itemgetter(slice(middle, middle + 1))
        return replace(
            self,
            bright_field=tuple(
                changed(image, one, (1, *image.shape[1:])) for image in self.bright_field
            ),
        )

    def with_notes(self, *notes: str) -> CorrelativePairs:
        """Return the same pairs with notes added."""
        return replace(self, notes=(*self.notes, *notes))

    def within(self, regions: Sequence[Region]) -> CorrelativePairs:
        """Return the parts of the pairs inside the regions, one pair for each part.

        Raises
        ------
        InputError
            A region lies outside its image, or is empty.
        """
        if not regions:
            return self
        parts = [
            (index, region)
            for index in range(len(self))
            for region in regions
            if region.pair in (None, index)
        ]
        for index, region in parts:
            _check_inside(region, self.fluorescence[index].shape, self.names[index])
        cropped = self.subset(index for index, _ in parts)
        regions_used = [region for _, region in parts]
        return replace(
            cropped,
            bright_field=tuple(
                cut(image, r.rows, r.columns)
                for image, r in zip(cropped.bright_field, regions_used, strict=True)
            ),
            fluorescence=tuple(
                cut(image, r.rows, r.columns)
                for image, r in zip(cropped.fluorescence, regions_used, strict=True)
            ),
            names=tuple(
                f"{name}[{r.y0}:{r.y1},{r.x0}:{r.x1}]"
                for name, r in zip(cropped.names, regions_used, strict=True)
            ),
            masks=_masks(cropped, regions_used),
        )

    @classmethod
    def from_arrays(
        cls,
        bright_field: ArrayLike | Sequence[ArrayLike],
        fluorescence: ArrayLike | Sequence[ArrayLike],
        *,
        groups: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        movies: Sequence[str] | None = None,
        pixel_size_um: float | None = None,
    ) -> CorrelativePairs:
        """Return pairs made of arrays.

        Parameters
        ----------
        bright_field : array of shape (N, Y, X) or (N, P, Y, X), or N arrays
            Images, or stacks of neighbouring planes.
        fluorescence : array of shape (N, Y, X), or N arrays of shape (Y, X)
            Targets.
        groups : sequence of str, optional
            Cell or movie of each; all one group when not given.
        names : sequence of str, optional
            Numbers when not given.
        movies : sequence of str, optional
            What is normalised together; the group when not given.
        pixel_size_um : float, optional
            Micrometres.

        Raises
        ------
        InputError
            Unlike counts or sizes, or wrong dimensions.

        Examples
        --------
        >>> import numpy as np
        >>> pairs = CorrelativePairs.from_arrays(np.zeros((2, 8, 8)), np.ones((2, 8, 8)))
        >>> len(pairs), pairs.planes
        (2, 1)
        """
        inputs = [_with_planes(np.asarray(image)) for image in bright_field]  # type: ignore[union-attr]
        targets = [np.asarray(image) for image in fluorescence]  # type: ignore[union-attr]
        count = len(inputs)
        if len(targets) != count:
            raise InputError(
                f"There are {count} bright-field and {len(targets)} fluorescence images: "
                "give one fluorescence image for each bright-field image."
            )
        group_of = tuple(groups) if groups is not None else ("all",) * count
        pairs = cls(
            bright_field=tuple(inputs),
            fluorescence=tuple(targets),
            names=tuple(names) if names is not None else tuple(str(i) for i in range(count)),
            groups=group_of,
            movies=tuple(movies) if movies is not None else group_of,
            pixel_size_um=pixel_size_um,
        )
        check_shapes(pairs)
        return pairs


def joined(parts: Sequence[CorrelativePairs]) -> CorrelativePairs:
    """Return the pairs of several collections as one.

    Raises
    ------
    InputError
        There is none, or their planes differ.

    Examples
    --------
    >>> one = CorrelativePairs.from_arrays(np.zeros((2, 8, 8)), np.ones((2, 8, 8)))
    >>> len(joined([one, one]))
    4
    """
    if not parts:
        raise InputError("There are no pairs to train on. Choose two layers.")
    whole = CorrelativePairs(
        bright_field=tuple(image for part in parts for image in part.bright_field),
        fluorescence=tuple(image for part in parts for image in part.fluorescence),
        names=tuple(name for part in parts for name in part.names),
        groups=tuple(group for part in parts for group in part.groups),
        movies=tuple(movie for part in parts for movie in part.movies),
        pixel_size_um=parts[0].pixel_size_um,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        masks=tuple(part.mask_of(i) for part in parts for i in range(len(part)))
        if any(part.masks for part in parts)
        else (),
    )
    check_shapes(whole)
    return whole


def cut(image: Image, rows: slice, columns: slice) -> Image:
    """Return a part of an image (..., Y, X), a stored one as a stored image.

    Examples
    --------
    >>> cut(np.eye(4), slice(1, 3), slice(0, 3)).shape
    (2, 3)
    """
    lengths = (
        len(range(n)[part]) for n, part in zip(image.shape[-2:], (rows, columns), strict=True)
    )
    shape = (*image.shape[:-2], *lengths)
    return changed(image, itemgetter((..., rows, columns)), shape)


def inside_only(image: NDArray[_Number], mask: NDArray[np.bool_] | None) -> NDArray[_Number]:
    """Return an image whose pixels outside `mask` have the mean of those inside.

    They then add nothing to a correlation.

    Examples
    --------
    >>> inside_only(np.array([1.0, 3.0, 9.0]), np.array([True, True, False])).tolist()
    [1.0, 3.0, 2.0]
    """
    if mask is None:
        return image
    inside: Any = image[mask]
    return np.where(mask, image, inside.mean()).astype(image.dtype)


def check_shapes(pairs: CorrelativePairs) -> None:
    """Raise InputError unless both images of each pair have one size."""
    lengths = {len(pairs.bright_field), len(pairs.fluorescence), len(pairs.names)}
    lengths |= {len(pairs.groups), len(pairs.movies)}
    if len(lengths) != 1:
        raise InputError("Images, names, groups and movies must be equally many.")
    for name, inputs, target in zip(
        pairs.names, pairs.bright_field, pairs.fluorescence, strict=True
    ):
        if target.ndim != 2:
            raise InputError(
                f"The fluorescence of pair {name!r} has {target.ndim} dimensions; "
                "give one plane of shape (Y, X) for each pair."
            )
        if inputs.shape[1:] != target.shape:
            raise InputError(
                f"Pair {name!r}: the bright-field image is {_size(inputs)} and the fluorescence "
                f"image {_size(target)} pixels. Both must show the same field at the same size; "
                "crop or resample one of them."
            )
    planes = {image.shape[0] for image in pairs.bright_field}
    if len(planes) > 1:
        raise InputError(f"Pairs have different numbers of bright-field planes: {sorted(planes)}.")


def _with_planes(image: Image) -> Image:
    if image.ndim == 2:
        return image[None]
    if image.ndim == 3:
        return image
    raise InputError(
        f"A bright-field image has shape {image.shape}; expected (Y, X), or (P, Y, X) for P "
        "neighbouring planes."
    )


def _masks(
    pairs: CorrelativePairs, regions: Sequence[Region]
) -> tuple[NDArray[np.bool_] | None, ...]:
    """Return which pixels count inside regions, one for each pair."""
    masks: list[NDArray[np.bool_] | None] = []
    for index, region in enumerate(regions):
        drawn, before = region.mask(), pairs.mask_of(index)
        if before is not None:
            before = before[region.rows, region.columns]
            drawn = before if drawn is None else drawn & before
        masks.append(drawn)
    return tuple(masks) if any(mask is not None for mask in masks) else ()


def _size(image: Image) -> str:
    return " x ".join(str(n) for n in image.shape[-2:])


def _check_inside(region: Region, shape: tuple[int, ...], name: str) -> None:
    height, width = shape
    if not (0 <= region.y0 < region.y1 <= height and 0 <= region.x0 < region.x1 <= width):
        raise InputError(
            f"Region y {region.y0}:{region.y1}, x {region.x0}:{region.x1} does not lie inside "
            f"{name!r} of {height} x {width} pixels."
        )
