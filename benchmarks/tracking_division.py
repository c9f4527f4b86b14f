"""Compare how trackers follow dividing nuclei, forwards (division) and backwards (fusion).

    python -m benchmarks.tracking_division [--seeds 2] [--trackers extended laptrack trackpy]

The movies are simulated: nuclei in patches wander, push each other aside, grow, condense before
mitosis and part into two small daughters some 24 px away from each other (what nuclei of HeLa cells
do when a frame is taken every half hour). Three kinds of detections: ``clean`` (exact centres),
``noisy`` (5 % missed, 2 % false, noise of 0.3 px on places, 10 % on boxes and areas) and ``masks``
(labels, ours only). ``places`` gives a tracker nothing but ``frame y x``; ``areas`` gives area and
intensity too. Scored by traccuracy (AOGM, edge F1, division F1 within one frame) and, for the noisy
movies, TrackEval (IDF1, daughters being new identities). Needs traccuracy and trackeval; the peers
are laptrack and trackpy.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import time
import warnings
from collections.abc import Callable

import networkx as nx
import numpy as np
import pandas as pd

import napari_virtualstain as vs
from benchmarks.tracking_quality import scores

os.environ["TQDM_DISABLE"] = "1"

SIDE, FRAMES, FIRST, GATE = 560.0, 92, 32, 8.0
# area against that of a resting nucleus just before and just after mitosis, by frame
BEFORE = {1: 0.55, 2: 0.85}
AFTER = {0: 0.36, 1: 0.45, 2: 0.5}


def nuclei(seed: int) -> pd.DataFrame:
    """Return truth ``frame y x track parent area intensity``; a daughter is a new track."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(80, SIDE - 80, (6, 2))
    place = centres[rng.integers(0, 6, FIRST)] + rng.normal(0, 45, (FIRST, 2))
    cells = [
        {"p": p, "v": np.zeros(2), "id": i + 1, "parent": 0, "age": rng.uniform(5, 55),
         "life": rng.normal(58, 8), "size": rng.lognormal(5.4, 0.12), "born": False,
         "speed": rng.lognormal(0.25, 0.35)}
        for i, p in enumerate(place)
    ]  # fmt: skip
    rows, last = [], FIRST
    for frame in range(FRAMES):
        after = []
        for cell in cells:
            if cell["age"] < cell["life"] or frame == 0:
                after.append(cell)
                continue
            for daughter in _parted(cell, rng):
                last += 1
                after.append(daughter | {"id": last})
        cells = after
        _move(cells, rng)
        for cell in cells:
            area, bright = _looks(cell, rng)
            rows.append((frame, *cell["p"], cell["id"], cell["parent"], area, bright))
            cell["age"] += 1
    truth = pd.DataFrame(rows, columns=["frame", "y", "x", "track", "parent", "area", "intensity"])
    inside = truth.y.between(0, SIDE) & truth.x.between(0, SIDE)
    return _without_orphans(truth[inside].reset_index(drop=True))


def _parted(cell: dict, rng: np.random.Generator) -> list[dict]:
    angle, apart = rng.uniform(0, np.pi), rng.lognormal(np.log(24), 0.3)
    axis = apart / 2 * np.array([np.sin(angle), np.cos(angle)])
    middle = cell["p"] + rng.normal(0, 3, 2)
    born = {"parent": cell["id"], "age": 0.0, "born": True}
    return [
        cell | born | {"p": middle + sign * axis, "v": sign * axis * 0.15,
                       "life": rng.normal(58, 8), "size": cell["size"] * rng.lognormal(0, 0.05)}
        for sign in (-1, 1)
    ]  # fmt: skip


def _move(cells: list[dict], rng: np.random.Generator) -> None:
    for cell in cells:
        if cell["age"] > 0:
            cell["v"] = 0.5 * cell["v"] + rng.normal(0, cell["speed"], 2)
            cell["p"] = cell["p"] + cell["v"]
    place = np.array([cell["p"] for cell in cells])
    radius = np.array([np.sqrt(_area(cell) / np.pi) for cell in cells])
    for _ in range(4):
        apart = place[:, None] - place[None]
        distance = np.linalg.norm(apart, axis=-1) + np.eye(len(place))
        squeezed = np.maximum(radius[:, None] + radius[None] + 1 - distance, 0) * (
            1 - np.eye(len(place))
        )
        place = place + 0.4 * (squeezed[..., None] * apart / distance[..., None]).sum(1)
    for cell, where in zip(cells, place, strict=True):
        cell["p"] = where


def _area(cell: dict) -> float:
    left, age = int(np.ceil(cell["life"] - cell["age"])), int(cell["age"])
    grown = cell["size"] * (1 + np.clip(cell["age"] / cell["life"], 0, 1))
    factor = AFTER.get(age, 1.0) * 2 if cell["born"] and age in AFTER else BEFORE.get(left, 1.0)
    return grown * factor


def _looks(cell: dict, rng: np.random.Generator) -> tuple[float, float]:
    area = _area(cell)
    resting = cell["size"] * (1 + np.clip(cell["age"] / cell["life"], 0, 1))
    return area * rng.lognormal(0, 0.05), resting / area * rng.lognormal(0, 0.08)


def _without_orphans(truth: pd.DataFrame) -> pd.DataFrame:
    """Return `truth` where tracks have no holes and parents that end just before."""
    parts, new = [], 0
    seen: dict[int, tuple[int, int]] = {}
    for name, rows in truth.groupby("track"):
        runs = (rows.frame.diff() > 1).cumsum()
        for k, run in rows.groupby(runs):
            new += 1
            last, at = seen.get(int(run.parent.iloc[0]), (0, -9))
            parent = last if k == 0 and at == run.frame.iloc[0] - 1 else 0
            parts.append(run.assign(track=new, parent=parent))
            seen[int(str(name))] = (new, int(run.frame.iloc[-1]))
    whole = pd.concat(parts, ignore_index=True)
    count = whole[whole.parent > 0].groupby("parent").track.nunique()
    lone = set(count.index[count < 2])
    whole.loc[whole.parent.isin(lone), "parent"] = 0
    return whole.sort_values(["frame", "track"], ignore_index=True)


def reversed_movie(truth: pd.DataFrame) -> pd.DataFrame:
    """Return the movie played backwards; ``parent`` keeps naming what is now the child."""
    return truth.assign(frame=FRAMES - 1 - truth.frame).sort_values("frame", ignore_index=True)


def noisy(truth: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return detections with misses, false alarms and noise."""
    rng = np.random.default_rng(seed)
    seen = truth[rng.random(len(truth)) >= 0.05].drop(columns=["track", "parent"]).copy()
    seen[["y", "x"]] += rng.normal(0, 0.3, (len(seen), 2))
    seen["area"] *= rng.lognormal(0, 0.1, len(seen))
    count = int(0.02 * len(truth))
    ghosts = pd.DataFrame(rng.uniform(0, SIDE, (count, 2)), columns=["y", "x"])
    ghosts["frame"] = rng.integers(0, FRAMES, count)
    ghosts[["area", "intensity"]] = (
        truth[["area", "intensity"]].sample(count, random_state=seed).to_numpy()
    )
    both = pd.concat([seen, ghosts], ignore_index=True)
    return both.sort_values("frame", kind="stable", ignore_index=True)


def drawn(truth: pd.DataFrame) -> np.ndarray:
    """Return labels (T, Y, X), discs that do not overlap."""
    movie = np.zeros((FRAMES, int(SIDE), int(SIDE)), np.int32)
    for k, row in enumerate(truth.itertuples()):
        radius = np.sqrt(row.area / np.pi)
        y0, x0 = (max(int(v - radius) - 1, 0) for v in (row.y, row.x))
        window = movie[row.frame, y0 : int(row.y + radius) + 2, x0 : int(row.x + radius) + 2]
        rows, columns = np.indices(window.shape)
        disc = (rows + y0 - row.y) ** 2 + (columns + x0 - row.x) ** 2 <= radius**2
        window[disc & (window == 0)] = k + 1
    return movie


Family = tuple[list[int], list[int]]


def true_families(truth: pd.DataFrame, backwards: bool) -> list[Family]:
    """Return (parents, children) of each division, or of each fusion of the reversed movie."""
    groups = truth[truth.parent > 0].groupby("parent").track.unique()
    pairs = [([int(str(p))], [int(c) for c in some]) for p, some in groups.items()]
    return [(b, a) for a, b in pairs] if backwards else pairs


def as_graph(table: pd.DataFrame, families: list[Family]) -> nx.DiGraph:
    """Return the graph of a table ``frame y x track`` and (parents, children)."""
    graph = nx.DiGraph()
    ordered = table.sort_values(["track", "frame"]).reset_index(drop=True)
    for k, row in enumerate(ordered.itertuples()):
        graph.add_node(
            k + 1, t=int(row.frame), y=float(row.y), x=float(row.x), segmentation_id=k + 1
        )
    name = ordered.track.to_numpy()
    for k in np.flatnonzero(name[1:] == name[:-1]):
        graph.add_edge(int(k) + 1, int(k) + 2)
    first = {n: k + 1 for k, n in reversed(list(enumerate(name)))}
    last = {n: k + 1 for k, n in enumerate(name)}
    for parents, children in families:
        for parent in parents:
            for child in children:
                if parent in last and child in first:
                    a, b = last[parent], first[child]
                    if graph.nodes[a]["t"] < graph.nodes[b]["t"]:
                        graph.add_edge(a, b)
    return graph


def graph_scores(truth: nx.DiGraph, found: nx.DiGraph, backwards: bool) -> dict[str, float]:
    """Return AOGM, edge F1 and division F1 by traccuracy; a reversed movie is turned back first."""
    from traccuracy import TrackingGraph, run_metrics
    from traccuracy.matchers import PointMatcher
    from traccuracy.metrics import BasicMetrics, CTCMetrics, DivisionMetrics

    graphs = []
    for graph in (truth, found):
        turned = graph.reverse() if backwards else graph.copy()
        if backwards:
            for _, node in turned.nodes(data=True):
                node["t"] = FRAMES - 1 - node["t"]
        # traccuracy knows no fusions: of two ways into one node, one is kept
        for node in list(turned):
            for extra in list(turned.predecessors(node))[1:]:
                turned.remove_edge(extra, node)
        graphs.append(TrackingGraph(turned, location_keys=("y", "x")))
    metrics = [CTCMetrics(), DivisionMetrics(max_frame_buffer=1), BasicMetrics()]
    found_, _ = run_metrics(*graphs, PointMatcher(threshold=GATE), metrics)
    results = {k: v for one in found_ for k, v in one["results"].items()}
    division = results["Frame Buffer 1"]
    return {
        "AOGM": results["AOGM"], "LNK": results["LNK"], "division F1": division["Division F1"],
        "true": division["True Positive Divisions"], "false": division["False Positive Divisions"],
        "missed": division["False Negative Divisions"],
    }  # fmt: skip


Found = tuple[pd.DataFrame, list[Family]]


def run_ours(seen: pd.DataFrame, areas: bool) -> Found:
    """Link with our default."""
    names = {"y": "y_um", "x": "x_um", "area": "area_um2"}
    table = seen.rename(columns=names)
    return _ours(vs.link(table if areas else table[["frame", "y_um", "x_um"]]))


def _ours(tracks: vs.Tracks) -> Found:
    families = [
        ([int(p) for p in row.parents.split(";")], [int(c) for c in row.children.split(";")])
        for row in tracks.events.itertuples()
    ]
    table = tracks.table.rename(columns={"y_um": "y", "x_um": "x", "track_id": "track"})
    return table[["frame", "y", "x", "track", "interpolated"]], families


def run_trackpy(seen: pd.DataFrame, areas: bool) -> Found:
    """Link with trackpy, which knows no divisions."""
    import trackpy

    trackpy.quiet()
    linked = trackpy.link(seen, search_range=20, memory=3, pos_columns=["y", "x"])
    return linked.rename(columns={"particle": "track"}), []


def laptrack_with(cutoff: float) -> Callable[[pd.DataFrame, bool], Found]:
    """Return laptrack with splitting and merging within `cutoff`."""

    def run(seen: pd.DataFrame, areas: bool) -> Found:
        import laptrack

        square = cutoff**2
        tracker = laptrack.LapTrack(
            cutoff=square, gap_closing_cutoff=square, gap_closing_max_frame_count=3,
            splitting_cutoff=square, merging_cutoff=square,
        )  # fmt: skip
        linked, splits, merges = tracker.predict_dataframe(
            seen.assign(time=seen.frame), ["y", "x"], frame_col="time", only_coordinate_cols=False
        )
        families: dict[int, Family] = {}
        if len(splits):
            for parent, some in splits.groupby("parent_track_id"):
                families[int(str(parent))] = ([int(str(parent))], some.child_track_id.tolist())
        merged = []
        if len(merges):
            for child, some in merges.groupby("child_track_id"):
                merged.append((some.parent_track_id.tolist(), [int(str(child))]))
        return linked.reset_index(drop=True).rename(columns={"track_id": "track"}), [
            *families.values(),
            *merged,
        ]

    return run


TRACKERS: dict[str, Callable[[pd.DataFrame, bool], Found]] = {
    "extended": run_ours,
    "laptrack 20": laptrack_with(20),
    "laptrack 30": laptrack_with(30),
    "trackpy": run_trackpy,
}


def judged(truth: pd.DataFrame, found: Found, backwards: bool) -> dict[str, float]:
    """Return all scores of one movie."""
    table, families = found
    real = as_graph(truth, true_families(truth, backwards))
    out = graph_scores(real, as_graph(table, families), backwards)
    return out | scores(truth, table.rename(columns={"track": "id"}), GATE)


def cases(kinds: list[str], trackers: list[str]) -> list[tuple[str, bool, bool, str]]:
    """Return (kind, backwards, areas, tracker) of every line to print."""
    out = []
    for kind, backwards in itertools.product(kinds, (False, True)):
        if kind == "masks":
            out.append((kind, backwards, True, "extended"))
            continue
        out += [(kind, backwards, False, tracker) for tracker in trackers]
        out.append((kind, backwards, True, "extended"))
    return out


def scored(kind: str, backwards: bool, areas: bool, tracker: str, seed: int) -> dict[str, float]:
    """Return the scores of one tracker on one movie."""
    truth = nuclei(seed)
    truth = reversed_movie(truth) if backwards else truth
    seen = noisy(truth, seed) if kind == "noisy" else truth.drop(columns=["track", "parent"])
    labels = drawn(truth) if kind == "masks" else None
    start = time.process_time()
    found = TRACKERS[tracker](seen, areas) if labels is None else _ours(vs.track(labels))
    spent = (time.process_time() - start) * 1e3 / FRAMES
    return judged(truth, found, backwards) | {"ms/frame": spent}


def main() -> None:
    """Print one line a kind of detections and tracker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--trackers", nargs="+", default=list(TRACKERS), choices=list(TRACKERS))
    parser.add_argument("--kinds", nargs="+", default=["clean", "noisy", "masks"])
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    for kind, backwards, areas, tracker in cases(chosen.kinds, chosen.trackers):
        rows = [scored(kind, backwards, areas, tracker, seed) for seed in range(chosen.seeds)]
        mean = pd.DataFrame(rows).mean()
        way = "backwards" if backwards else "forwards"
        given = kind if kind == "masks" else "areas" if areas else "places"
        text = "  ".join(f"{k} {v:.{0 if v > 5 else 3}f}" for k, v in mean.items())
        print(f"{kind:6}{way:10}{given:7}{tracker:12} {text}", flush=True)


if __name__ == "__main__":
    main()
