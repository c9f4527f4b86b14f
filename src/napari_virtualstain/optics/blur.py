"""Convolution with mirrored borders, fast for the small kernels of a PSF.

Borders are mirrored about the edge of the outermost pixel (``d c b a | a b c d``). With
a symmetric kernel the blur is then a symmetric matrix whose rows and columns sum to 1:
it leaves a constant image as it is, keeps the flux exactly, and is its own adjoint,
which are the three things Richardson-Lucy needs.

Three ways to compute it, the cheapest that applies is chosen:

- a small symmetric kernel: pixels at equal distance share their coefficient, so rows
  are added in pairs, then columns; strips of rows stay in the cache of the processor;
- a large symmetric kernel: multiplication in the domain of the cosine transform, which
  has these borders built in;
- any other kernel: padded real Fourier transform.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[Any]
LARGEST_DIRECT_HALF = 4
# Elements of a strip: the six arrays that a strip needs then fit into the second cache.
_STRIP = 35_000


class Blur(Protocol):
    """A blur of images of one shape and type.

    Attributes
    ----------
    source : ndarray of shape (Y, X)
        Write the image here; it saves a copy per blur. It is left as it is.
    """

    source: Array

    def forward(self, out: Array) -> None:
        """Write the convolution of `source` to `out`, another array."""

    def adjoint(self, out: Array) -> None:
        """Write the correlation of `source` with the kernel to `out`."""


def make_blur(kernel: NDArray[np.float64], shape: tuple[int, int], dtype: np.dtype[Any]) -> Blur:
    """Return the fastest blur for images of `shape` and `dtype`.

    Parameters
    ----------
    kernel : ndarray of shape (odd, odd)
        Non-negative, sum 1.
    shape : (int, int)
        Shape of the images.
    dtype : dtype
        float32 or float64.
    """
    symmetric = np.allclose(kernel, kernel[::-1], rtol=1e-9, atol=0) and np.allclose(
        kernel, kernel[:, ::-1], rtol=1e-9, atol=0
    )
    half = max(kernel.shape) // 2
    if symmetric and half <= min(LARGEST_DIRECT_HALF, *shape):
        return _PairedBlur(kernel, shape, dtype)
    if symmetric:
        return _CosineBlur(kernel, shape, dtype)
    return _FourierBlur(kernel, shape, dtype)


class _PairedBlur:
    """Blur that adds rows, then columns, that share a coefficient."""

    def __init__(
        self, kernel: NDArray[np.float64], shape: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        top, left = self._half = kernel.shape[0] // 2, kernel.shape[1] // 2
        height, width = shape
        self._mixing = np.ascontiguousarray(kernel[top:, left:].T, dtype)
        self._padded = np.empty((height + 2 * top, width + 2 * left), dtype)
        strips = -(-height * self._padded.shape[1] // _STRIP)
        self._rows = -(-height // strips)
        self.source: Array = self._padded[top : top + height, left : left + width]
        size = self._rows * self._padded.shape[1]
        self._levels = np.empty((top + 1) * size, dtype)
        self._columns = np.empty((left + 1) * size, dtype)

    def forward(self, out: Array) -> None:
        self._mirror()
        height = out.shape[0]
        for start in range(0, height, self._rows):
            self._strip(start, min(start + self._rows, height), out)

    adjoint = forward

    def _mirror(self) -> None:
        (top, left), padded = self._half, self._padded
        height, width = self.source.shape
        if left:
            padded[:, :left] = padded[:, left : 2 * left][:, ::-1]
            padded[:, left + width :] = padded[:, width : left + width][:, ::-1]
        if top:
            padded[:top] = padded[top : 2 * top][::-1]
            padded[top + height :] = padded[height : top + height][::-1]

    def _strip(self, start: int, stop: int, out: Array) -> None:
        (top, left), padded = self._half, self._padded
        rows, width, first = stop - start, out.shape[1], top + start
        size = rows * padded.shape[1]
        levels = self._levels[: (top + 1) * size].reshape(top + 1, rows, -1)
        levels[0] = padded[first : first + rows]
        for step in range(1, top + 1):
            above = padded[first - step : first - step + rows]
            below = padded[first + step : first + step + rows]
            np.add(above, below, out=levels[step])
        # One small matrix product takes a third of the time of the sums written one by one.
        mixed = self._columns[: (left + 1) * size].reshape(left + 1, size)
        np.matmul(self._mixing, levels.reshape(top + 1, size), out=mixed)
        columns = mixed.reshape(left + 1, rows, -1)
        target, before = out[start:stop], columns[0][:, left : left + width]
        if not left:
            target[...] = before
        for step in range(1, left + 1):
            np.add(before, columns[step][:, left - step : left - step + width], out=target)
            before = target
            np.add(target, columns[step][:, left + step : left + step + width], out=target)


class _CosineBlur:
    """Blur by multiplication in the domain of the cosine transform of type 2."""

    def __init__(
        self, kernel: NDArray[np.float64], shape: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        self.source: Array = np.empty(shape, dtype)
        waves = []
        for extent, size in zip(shape, kernel.shape, strict=True):
            offset = np.arange(size) - size // 2
            waves.append(np.cos(np.pi * np.outer(np.arange(extent), offset) / extent))
        self._transfer = (waves[0] @ kernel @ waves[1].T).astype(dtype)

    def forward(self, out: Array) -> None:
        spectrum = fft.dctn(self.source, type=2)
        spectrum *= self._transfer
        out[...] = fft.idctn(spectrum, type=2, overwrite_x=True)

    adjoint = forward


class _FourierBlur:
    """Blur by mirrored padding and multiplication in the Fourier domain."""

    def __init__(
        self, kernel: NDArray[np.float64], shape: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        self.source: Array = np.empty(shape, dtype)
        self._margin = [(size // 2, size // 2) for size in kernel.shape]
        self._size = tuple(
            fft.next_fast_len(extent + size - 1, real=True)
            for extent, size in zip(shape, kernel.shape, strict=True)
        )
        centred = np.zeros(self._size, dtype)
        centred[: kernel.shape[0], : kernel.shape[1]] = kernel
        centred = np.roll(centred, [-(size // 2) for size in kernel.shape], axis=(0, 1))
        self._transfer = fft.rfft2(centred)

    def forward(self, out: Array) -> None:
        self._apply(out, self._transfer)

    def adjoint(self, out: Array) -> None:
        self._apply(out, self._transfer.conj())

    def _apply(self, out: Array, transfer: Array) -> None:
        padded = np.pad(self.source, self._margin, mode="symmetric")
        blurred = fft.irfft2(fft.rfft2(padded, s=self._size) * transfer, s=self._size)
        (top, _), (left, _) = self._margin
        out[...] = blurred[top : top + out.shape[0], left : left + out.shape[1]]
