"""Who goes with whom: the cheapest pairing of tracks with detections.

Candidates come from a KD-tree, so that their number grows with the number of
objects and not with its square. Most of them have no rival at all and are settled
at once by a rule that keeps the result exact; what is left is solved by Hungarian
assignment, dense when it is small and sparse when it is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from .detections import FloatArray, IntArray

_LARGEST_DENSE_BLOCK = 100
_ROUNDS = 4


def candidate_pairs(
    tails_um: FloatArray, heads_um: FloatArray, radius_um: float
) -> tuple[IntArray, IntArray]:
    """Return the index pairs (tail, head) that lie within `radius_um` of each other.

    Parameters
    ----------
    tails_um, heads_um : ndarray of shape (N, 2), (M, 2)
        Where tracks are expected, and where something is.
    radius_um : float
        Largest distance.

    Examples
    --------
    >>> tails, heads = candidate_pairs(np.zeros((1, 2)), np.array([[0.0, 1.0], [9.0, 9.0]]), 2.0)
    >>> heads.tolist()
    [0]
    """
    if len(tails_um) == 0 or len(heads_um) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    pairs = cKDTree(tails_um).sparse_distance_matrix(
        cKDTree(heads_um), radius_um, output_type="ndarray"
    )
    return pairs["i"].astype(np.int64), pairs["j"].astype(np.int64)


def assign(
    rows: IntArray, columns: IntArray, costs: FloatArray, shape: tuple[int, int], limit: float = 0.0
) -> IntArray:
    """Return the index of each chosen pair, so that the total of ``cost - limit`` is least.

    Parameters
    ----------
    rows, columns, costs : ndarray of shape (E,)
        Candidate pairs and what each costs.
    shape : (int, int)
        Numbers of rows and of columns.
    limit : float
        A pair dearer than this is never chosen: leaving both alone costs that much.

    Returns
    -------
    ndarray of int
        Positions in `rows` of the chosen pairs; each row and column at most once.

    Examples
    --------
    >>> rows, columns = np.array([0, 0, 1]), np.array([0, 1, 0])
    >>> assign(rows, columns, np.array([1.0, 2.0, 1.5]), (2, 2), limit=9.0)
    array([1, 2])
    """
    useful = np.flatnonzero(costs < limit)
    settled, contested = _settle(rows, columns, limit - costs, useful, shape)
    if len(contested):
        chosen = _assign_sparse(rows[contested], columns[contested], costs[contested] - limit)
        settled.append(contested[chosen])
    return np.sort(np.concatenate(settled)) if settled else useful


def _settle(
    rows: IntArray, columns: IntArray, gains: FloatArray, open_: IntArray, shape: tuple[int, int]
) -> tuple[list[IntArray], IntArray]:
    """Return pairs that belong to a best assignment for sure, and those still open.

    A pair whose gain is at least the sum of the next best gains of its row and of its
    column can replace whatever these two would otherwise be paired with.
    """
    settled: list[IntArray] = []
    for _ in range(_ROUNDS):
        if len(open_) == 0:
            break
        r, c, gain = rows[open_], columns[open_], gains[open_]
        best_row, next_row = _two_best(r, gain, shape[0])
        best_column, next_column = _two_best(c, gain, shape[1])
        sure = (gain == best_row[r]) & (gain == best_column[c])
        sure &= gain >= next_row[r] + next_column[c]
        # ties would settle a row or column twice
        sure &= (next_row[r] < gain) & (next_column[c] < gain)
        if not sure.any():
            break
        settled.append(open_[sure])
        row_done, column_done = np.zeros(shape[0], bool), np.zeros(shape[1], bool)
        row_done[r[sure]] = column_done[c[sure]] = True
        open_ = open_[~row_done[r] & ~column_done[c]]
    return settled, open_


def _two_best(index: IntArray, gain: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Return the best and the next best gain at each index, 0 where there is none."""
    best = np.zeros(count)
    np.maximum.at(best, index, gain)
    first = np.zeros(count, np.int64)
    top = np.flatnonzero(gain == best[index])
    first[index[top]] = top
    rest = np.ones(len(index), bool)
    rest[first[index[top]]] = False
    following = np.zeros(count)
    np.maximum.at(following, index[rest], gain[rest])
    return best, following


def _assign_sparse(rows: IntArray, columns: IntArray, gains: FloatArray) -> IntArray:
    """Return the chosen pairs of the least total; every gain is below zero."""
    row_names, r = np.unique(rows, return_inverse=True)
    column_names, c = np.unique(columns, return_inverse=True)
    n, m = len(row_names), len(column_names)
    if n * m <= _LARGEST_DENSE_BLOCK**2:
        dense = np.zeros((n, m))
        dense[r, c] = gains
        pairs: Any = linear_sum_assignment(dense)
    else:
        # a private empty column for each row makes a full matching exist; the shift keeps
        # every weight positive, as explicit zeros would count as no edge
        shift = 1.0 - gains.min()
        weights = np.concatenate([gains + shift, np.full(n, shift)])
        all_rows = np.concatenate([r, np.arange(n)])
        all_columns = np.concatenate([c, m + np.arange(n)])
        graph = csr_matrix((weights, (all_rows, all_columns)), shape=(n, m + n))
        pairs = min_weight_full_bipartite_matching(graph)
    i, j = (np.asarray(side, np.int64) for side in pairs)
    i, j = i[j < m], j[j < m]
    keys = r * m + c
    order = np.argsort(keys)
    place = np.searchsorted(keys[order], i * m + j).clip(0, len(keys) - 1)
    found = order[place]
    return np.asarray(found[keys[found] == i * m + j], dtype=np.int64)
