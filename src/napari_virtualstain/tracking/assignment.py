"""Who goes with whom: the cheapest pairing of tracks with detections.

Candidates come from a KD-tree, so that their number grows with the number of
objects and not with its square. Most of them have no rival at all and are settled
at once; what is left is solved by connected component with Hungarian assignment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from .detections import FloatArray, IntArray

_LARGEST_DENSE_BLOCK = 64


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
    alone = (np.bincount(rows[useful], minlength=shape[0])[rows[useful]] == 1) & (
        np.bincount(columns[useful], minlength=shape[1])[columns[useful]] == 1
    )
    contested = useful[~alone]
    if len(contested):
        chosen = _assign_sparse(rows[contested], columns[contested], costs[contested] - limit)
        return np.sort(np.concatenate([useful[alone], contested[chosen]]))
    return useful


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
        graph = coo_matrix((weights, (all_rows, all_columns)), shape=(n, m + n)).tocsr()
        pairs = min_weight_full_bipartite_matching(graph)
    i, j = (np.asarray(side, np.int64) for side in pairs)
    i, j = i[j < m], j[j < m]
    where = csr_matrix((np.arange(1, len(r) + 1), (r, c)), shape=(n, m))
    found = np.asarray(where[i, j]).ravel().astype(np.int64)
    return found[found > 0] - 1


def components(rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> tuple[int, IntArray]:
    """Return the number of connected components and the component of each pair."""
    n, m = shape
    graph = coo_matrix((np.ones(len(rows)), (rows, n + columns)), shape=(n + m, n + m))
    count, names = connected_components(graph, directed=False)
    return int(count), names[rows].astype(np.int64)
