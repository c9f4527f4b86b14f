"""Optimal assignment of tracks to detections.

Candidates come from a KD-tree, so that their number grows with the number of
objects and not with its square. Most of them have no rival at all and are settled
at once by a rule that keeps the result exact; what is left falls into small groups, each
solved by itself.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..detections import FloatArray, IntArray

_ROUNDS = 4
# cells of a table that is solved as it is
_SMALL = 2500


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
    # trees for one use: building them fast matters more than searching them
    trees = [
        cKDTree(side, leafsize=8, compact_nodes=False, balanced_tree=False)
        for side in (tails_um, heads_um)
    ]
    pairs = trees[0].sparse_distance_matrix(trees[1], radius_um, output_type="ndarray")
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
        chosen = _assign_groups(rows[contested], columns[contested], limit - costs[contested])
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


def _assign_groups(rows: IntArray, columns: IntArray, gains: FloatArray) -> IntArray:
    """Return the chosen pairs of the greatest total, group by group; every gain is above 0.

    Pairs that share no row or column, not even through others, do not compete.
    """
    row_names, r = np.unique(rows, return_inverse=True)
    column_names, c = np.unique(columns, return_inverse=True)
    n, m = len(row_names), len(column_names)
    if n * m <= _SMALL:
        dense, pair = np.zeros((n, m)), np.full((n, m), -1)
        dense[r, c], pair[r, c] = gains, np.arange(len(r))
        picked = pair[linear_sum_assignment(dense, maximize=True)]
        return picked[picked >= 0]
    links = csr_matrix((np.ones(len(r)), (r, n + c)), shape=(n + m, n + m))
    count, found = connected_components(links, directed=False)
    group = found.astype(np.int64)
    local_row, height = _places_in_group(group[:n], count)
    local_column, width = _places_in_group(group[n:], count)
    size = height * width
    begin = np.cumsum(size) - size
    mine = group[r]
    cell = begin[mine] + local_row[r] * width[mine] + local_column[c]
    table, pair = np.zeros(size.sum()), np.full(size.sum(), -1)
    table[cell], pair[cell] = gains, np.arange(len(r))
    chosen = [_assign_pairs_of_rows(table, pair, begin, height, width)]
    for k in np.flatnonzero(height > 2):
        inside = slice(begin[k], begin[k] + size[k])
        i, j = linear_sum_assignment(table[inside].reshape(height[k], width[k]), maximize=True)
        chosen.append(pair[inside][i * width[k] + j])
    picked = np.concatenate(chosen)
    return picked[picked >= 0]


def _places_in_group(group: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Return the place of each member in its group, and the sizes of the groups."""
    sizes = np.bincount(group, minlength=count)
    place = np.empty(len(group), np.int64)
    place[np.argsort(group, kind="stable")] = np.arange(len(group)) - np.repeat(
        np.cumsum(sizes) - sizes, sizes
    )
    return place, sizes


def _assign_pairs_of_rows(
    table: FloatArray, pair: IntArray, begin: IntArray, height: IntArray, width: IntArray
) -> IntArray:
    """Return the chosen pairs of all groups of one or two rows: the best two cells."""
    chosen = []
    for columns in np.unique(width[height <= 2]):
        groups = np.flatnonzero((height <= 2) & (width == columns))
        first = begin[groups][:, None] + np.arange(columns)
        second = np.where(height[groups][:, None] == 2, first + columns, -1)
        upper, lower = table[first], np.where(second >= 0, table[second], 0.0)
        both = upper[:, :, None] + lower[:, None, :]
        if columns > 1:
            both[:, np.arange(columns), np.arange(columns)] = 0.0
        else:
            both = np.maximum(upper, lower)[:, :, None]
        best = both.reshape(len(groups), -1).argmax(axis=1)
        i, j = np.divmod(best, columns)
        every = np.arange(len(groups))
        if columns == 1:
            above = upper[:, 0] >= lower[:, 0]
            chosen += [pair[first[above, 0]], pair[second[~above, 0]]]
            continue
        chosen.append(pair[first[every, i]])
        two = second[every, j] >= 0
        chosen.append(pair[second[every, j][two]])
    return np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
