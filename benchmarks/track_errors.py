"""Judge the error probability of tracks on simulated movies that it was not fitted on.

    python -m benchmarks.track_errors [--positions 40] [--masks 10] [--data DATA] [--links 1]
        [--speed]

Prints for each kind of movie and linker the part of wrong tracks, the mean stated probability, the
AUROC, and how many of the wrong tracks are in the riskiest 10 % (and could be at most); then the
reliability table. A track is wrong when it joins
detections that are not of one object; objects that share a mask, and what an object divides into or
fuses to, are told from it only by masks that hold none of them.

``--links`` prints the same of single links by the linker's own `quality`.

Positions: four kinds of motion in fields of many densities, with missed and false detections,
linked by our linker (with its quality and, as ``mode="paper"``, without), by trackpy, by mutual
nearest neighbours, or true tracks with some swapped. Masks: simulated mitochondria, their true
labels broken, merged and lost at random (``flicker``), or the true or virtual fluorescence
segmented; those that are not of a true mitochondrion in focus are not judged. DATA (optional)
holds the real and third-party tracks of ``tracking_quality.py``. Seeds from 500 and from 3100 are
held out; ``recipes/track_errors.py`` fits on others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.stats import rankdata

import napari_virtualstain as vs
from benchmarks import tracking_motions, tracking_quality
from napari_virtualstain.simulation import SceneConfig, simulate
from napari_virtualstain.tracking import TrackingConfig, judge_errors

KINDS = ("walk", "heavy", "persistent", "switching")
REACH = {"walk": 4.5, "heavy": 5.0, "persistent": 6.0, "switching": 6.0}
CLASSES = (0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.001)


@dataclass(frozen=True)
class Judged:
    """Tracks with the true object of each row in the column ``true``, -1 for none."""

    kind: str
    linker: str
    table: pd.DataFrame

    @property
    def has_masks(self) -> bool:
        """Whether false detections are unknown rather than wrong."""
        return self.kind.startswith("mask")


def with_truth(truth: pd.DataFrame, table: pd.DataFrame, gate: float) -> pd.DataFrame:
    """Return `table` with the true track that is mutually nearest within `gate` in ``true``."""
    table = table.assign(true=-1)
    columns = ["y_um", "x_um"]
    for frame, rows in table[~table.interpolated].groupby("frame"):
        here = truth[truth.frame == frame]
        if len(here):
            places, true = rows[columns].to_numpy(), here[columns].to_numpy()
            distance, nearest = cKDTree(true).query(places)
            back = cKDTree(places).query(true)[1]
            right = (distance < gate) & (back[nearest] == np.arange(len(rows)))
            table.loc[rows.index, "true"] = np.where(right, here.track.to_numpy()[nearest], -1)
    return table


def nearest_neighbours(seen: pd.DataFrame, radius: float) -> pd.DataFrame:
    """Return tracks of mutual nearest neighbours in successive frames."""
    seen = seen.sort_values("frame", kind="stable").reset_index(drop=True)
    places, names = seen[["y_um", "x_um"]].to_numpy(), np.zeros(len(seen), int)
    before = np.zeros(0, int)
    for here in seen.groupby("frame").groups.values():
        index = here.to_numpy()
        if len(before):
            distance, nearest = cKDTree(places[before]).query(places[index])
            back = cKDTree(places[index]).query(places[before])[1]
            linked = (distance < radius) & (back[nearest] == np.arange(len(index)))
            names[index[linked]] = names[before[nearest[linked]]]
        new = index[names[index] == 0]
        names[new] = names.max() + 1 + np.arange(len(new))
        before = index
    return vs.Tracks.from_table(seen.assign(track_id=names)).table


def linked(linker: str, seen: pd.DataFrame, radius: float) -> pd.DataFrame:
    """Return the tracks of one linker; only ours states a quality."""
    if linker == "nearest":
        return nearest_neighbours(seen, radius)
    if linker == "ours":
        return vs.link(seen).table
    if linker == "paper":
        return vs.link(seen, mode="paper").table.assign(quality=1.0)
    config = TrackingConfig(linker="trackpy", search_radius_um=radius)
    return vs.link(seen, config=config).table.assign(quality=1.0)


def position_movies(seeds: range) -> Iterator[Judged]:
    """Yield tracks of simulated positions, by two linkers a seed."""
    for seed in seeds:
        rng = np.random.default_rng(seed + 10**6)
        kind = KINDS[seed % 4]
        side = float(rng.choice([130, 180, 250, 350, 500, 800]))
        frames, count = int(rng.choice([12, 20, 40, 60])), int(rng.choice([60, 150, 250]))
        missed, false = float(rng.choice([0, 0.02, 0.05, 0.1])), rng.choice([0, 0.01, 0.02, 0.05])
        noise, side = float(rng.choice([0.05, 0.3])), side * (count / 200) ** 0.5
        truth = positions(kind, seed, side, count, frames)
        seen = truth[rng.random(len(truth)) >= missed].drop(columns="track").copy()
        seen[["y_um", "x_um"]] += rng.normal(0, noise, (len(seen), 2))
        ghosts = int(false * len(truth))
        extra = pd.DataFrame(rng.uniform(0, side, (ghosts, 2)), columns=["y_um", "x_um"])
        extra["frame"] = rng.integers(0, frames, ghosts)
        seen = pd.concat([seen, extra], ignore_index=True)
        for linker in ("ours", ("paper", "trackpy", "nearest")[seed // 4 % 3]):
            try:
                table = linked(linker, seen, REACH[kind])
            except vs.errors.InputError:  # trackpy gives up in crowds
                continue
            yield Judged(kind, linker, with_truth(truth, table, 1.5))
        if seed % 6 == 0:
            yield Judged(kind, "swapped", swapped(truth, rng, count, frames))
        if seed % 20 == 0:
            yield Judged("random", "none", unrelated(rng))


def steps(kind: str, rng: np.random.Generator, frames: int, count: int) -> np.ndarray:
    """Return displacements, shape (frames, count, 2)."""
    noise = rng.normal(0, 1, (frames, count, 2))
    if kind == "walk":
        return noise * rng.lognormal(0, 0.4, count)[:, None]
    if kind == "heavy":
        return np.clip(0.7 * rng.standard_t(2.5, noise.shape), -14, 14)
    velocity = np.zeros((count, 2))
    out, moving = [], rng.random(count) < 0.5
    heading = 2.0 * rng.normal(0, 1, (count, 2))
    for frame in range(frames):
        change = rng.random(count) < 0.08
        moving ^= change
        heading = np.where(change[:, None], 2.0 * rng.normal(0, 1, (count, 2)), heading)
        driven = 0.8 * velocity + 0.8 * noise[frame] if kind == "persistent" else heading
        velocity = np.where(moving[:, None], driven, 0.4 * noise[frame])
        out.append(velocity)
    return np.stack(out)


def positions(kind: str, seed: int, side: float, count: int, frames: int) -> pd.DataFrame:
    """Return the true tracks ``frame y_um x_um track`` of one kind of motion."""
    rng = np.random.default_rng(seed)
    moved = steps(kind, rng, frames, count).cumsum(0)
    place = np.mod(rng.uniform(0, side, (count, 2)) + moved, 2 * side)
    flat = np.where(place > side, 2 * side - place, place).reshape(-1, 2)
    frame, name = np.indices(place.shape[:2]).reshape(2, -1)
    return pd.DataFrame({"frame": frame, "y_um": flat[:, 0], "x_um": flat[:, 1], "track": name})


def swapped(truth: pd.DataFrame, rng: np.random.Generator, count: int, frames: int) -> pd.DataFrame:
    """Return true tracks of which some neighbours are swapped from a frame on."""
    table = truth.rename(columns={"track": "true"}).assign(track_id=truth.track + 1)
    for _ in range(int(rng.integers(0, count // 8 + 1))):
        frame = int(rng.integers(2, frames - 2))
        here = table[table.frame == frame]
        one = int(rng.integers(len(here)))
        places = here[["y_um", "x_um"]].to_numpy()
        other = int(cKDTree(places).query(places[one], k=4)[1][rng.integers(1, 4)])
        pair = here.track_id.iloc[[one, other]].tolist()
        later = table.frame >= frame
        members = [later & (table.track_id == name) for name in pair]
        for rows, name in zip(members, pair[::-1], strict=True):
            table.loc[rows, "track_id"] = name
    return vs.Tracks.from_table(table).table


def unrelated(rng: np.random.Generator) -> pd.DataFrame:
    """Return tracks of places that have nothing to do with each other: every link is wrong."""
    count, frames = int(rng.integers(50, 400)), 20
    table = pd.DataFrame(
        {
            "track_id": np.repeat(np.arange(1, count + 1), frames),
            "frame": np.tile(np.arange(frames), count),
        }
    )
    table["y_um"], table["x_um"] = rng.uniform(0, 100, (2, count * frames))
    table["true"] = np.arange(len(table))
    return vs.Tracks.from_table(table).table


def mask_movies(seeds: range, inputs: tuple[str, ...] = ()) -> Iterator[Judged]:
    """Yield tracks of simulated masks by our linker and trackpy, two inputs a seed."""
    for seed in seeds:
        rng = np.random.default_rng(seed + 7)
        rate, speed = float(rng.choice([0, 0.12, 0.3])), float(rng.choice([0.03, 0.06, 0.12]))
        count, frames = int(rng.choice([15, 25, 45, 70])), int(rng.choice([10, 14, 20]))
        calm = SceneConfig()
        motion = replace(
            calm.motion, fission_rate_per_min=rate, fusion_rate_per_min=rate, speed_um_s=speed
        )
        scene = simulate(
            frames=frames, size=256, count=count, seed=seed, config=replace(calm, motion=motion)
        )
        for kind in inputs or ("flicker", ("true", "virtual")[seed % 2]):
            labels, image = outlined(scene, kind, rng)
            for linker in ("ours", "trackpy"):
                config = TrackingConfig(linker="kalman" if linker == "ours" else "trackpy")
                tracks = vs.track(labels, intensity=image, pixel_size_um=0.08, config=config)
                table = tracks.table.assign(
                    true=objects(labels, tracks.table, scene.labels, scene.graph)
                )
                yield Judged(f"mask-{kind}", linker, table)


def outlined(scene: vs.Scene, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and the image they were made of."""
    image = scene.fluorescence
    if kind == "flicker":
        return flickering(np.asarray(scene.labels), rng, float(rng.choice([0.02, 0.06]))), image
    if kind == "virtual":
        image = np.asarray(vs.stain(scene.bright_field, "mito-simulated", pixel_size_um=0.08))
    return np.asarray(vs.segment(image, pixel_size_um=0.08)), image


def flickering(labels: np.ndarray, rng: np.random.Generator, part: float) -> np.ndarray:
    """Return labels of which `part` break, and as many together are lost or merged."""
    changed = labels.copy()
    for plane in changed:
        for value in np.unique(plane)[1:]:
            mask = plane == value
            chance = rng.random() if mask.any() else 1.0
            if chance < part:
                plane[mask & (np.indices(plane.shape)[1] == int(np.median(mask.nonzero()[1])))] = 0
                pieces, count = ndimage.label(plane == value)
                for piece in range(2, count + 1):
                    plane[pieces == piece] = plane.max() + 1
            elif chance < 1.4 * part:
                plane[mask] = 0
            elif chance < 2 * part:
                around = np.unique(plane[ndimage.binary_dilation(mask, iterations=3)])
                others = [other for other in around.tolist() if other not in (0, value)]
                if others:
                    plane[plane == others[0]] = value
    return changed


def objects(
    labels: np.ndarray, table: pd.DataFrame, truth: np.ndarray, graph: dict[int, list[int]]
) -> np.ndarray:
    """Return a number for each row that is the same while one true object is in all masks.

    A mask can hold several objects; what an object divides into, or fuses to, counts as the same.
    Rows without a true object have -1.
    """
    held = objects_in_masks(labels, truth)
    ancestors = {child: lineage(child, graph) for child in graph}
    out, runs, track = np.full(len(table), -1), 0, None
    alive: set[int] = set()
    columns = ["track_id", "frame", "label", "interpolated", "fragments"]
    for row, (name, frame, label, filled, pieces) in enumerate(
        table[columns].itertuples(index=False)
    ):
        if name != track:
            alive, track, runs = set(), name, runs + 1
        names = [int(text) for text in pieces.split(";")] if pieces else [label]
        here = {true for one in names for true in held.get((frame, one), [])}
        if filled or not here:
            continue
        same = {true for true in here if true in alive or alive & ancestors.get(true, set())}
        runs += not same
        alive = same or here
        out[row] = runs
    return out


def objects_in_masks(labels: np.ndarray, truth: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """Return the true objects in each mask (frame, label): of either, a good part is shared."""
    held: dict[tuple[int, int], list[int]] = {}
    for frame in range(len(truth)):
        flat = pd.DataFrame({"label": labels[frame].ravel(), "true": truth[frame].ravel()})
        area = flat[flat.true > 0].groupby("true").size()
        both = flat[(flat.label > 0) & (flat.true > 0)]
        shared = both.groupby(["label", "true"]).size().reset_index(name="pixels")
        whole = shared.groupby("label").pixels.transform("sum")
        much = (shared.pixels >= 0.3 * whole) | (shared.pixels >= 0.5 * shared.true.map(area))
        for label, rows in shared[much].groupby("label"):
            held[frame, int(str(label))] = rows.true.tolist()
    return held


def lineage(name: int, graph: dict[int, list[int]]) -> set[int]:
    """Return all ancestors of a true object."""
    parents = set(graph.get(name, []))
    return parents.union(*(lineage(parent, graph) for parent in parents))


def other_movies(folder: Path) -> Iterator[Judged]:
    """Yield tracks of real and third-party truths, and of motions of other simulators."""
    sets = {
        name: (pd.read_csv(folder / file), losses, gate, radius)
        for name, (file, losses, gate, radius) in tracking_quality.SETS.items()
    }
    for name, (movie, losses, gate, radius) in tracking_motions.SETS.items():
        sets[name] = movie(11), losses, gate, radius
    for name in ("ssm_N100", "ssm_N400", "directed"):
        truth, losses, gate, radius = sets[name]
        short = truth[truth.frame < truth.frame.min() + 20]
        sets[f"{name}, 20 frames"] = short, losses, gate, radius
    named = {"x": "x_um", "y": "y_um", "width": "width_um", "height": "height_um"}
    for name, (truth, losses, gate, radius) in sets.items():
        seen = tracking_quality.corrupted(truth, seed=5, **losses).rename(columns=named)
        for linker in ("ours", "trackpy"):
            table = linked(linker, seen, radius)
            yield Judged(name, linker, with_truth(truth.rename(columns=named), table, gate / 2))


def wrong_links(movie: Judged, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return 1 where a link is wrong, 0 where it is right, NaN where that is not known."""
    true = movie.table["true"].to_numpy()
    one, other = true[source], true[target]
    wrong = ((one != other) | (one < 0)).astype(float)
    if movie.has_masks:
        wrong[(one < 0) | (other < 0)] = np.nan
    return wrong


def wrong_tracks(track: np.ndarray, wrong: np.ndarray) -> pd.Series:
    """Return whether each track has a wrong link; tracks mostly unknown are left out."""
    table = pd.DataFrame({"track_id": track, "wrong": wrong})
    known = table.groupby("track_id").wrong.agg(["max", "count", "size"])
    return known.loc[known["count"] > 0.5 * known["size"], "max"].astype(bool)


def judged(movie: Judged) -> pd.DataFrame:
    """Return ``probability wrong`` of each track that is judged."""
    table = movie.table.sort_values(["track_id", "frame"]).reset_index(drop=True)
    seen = table.index[~table.interpolated].to_numpy()
    name = table.track_id.to_numpy()[seen]
    same = name[1:] == name[:-1]
    wrong = wrong_links(replace(movie, table=table), seen[:-1][same], seen[1:][same])
    truth = wrong_tracks(name[1:][same], wrong)
    stated = judge_errors(table).tracks.error_probability
    return pd.DataFrame({"probability": stated, "wrong": truth}).dropna().astype({"wrong": bool})


def auroc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Return the area under the receiver operating characteristic."""
    bad = int(wrong.sum())
    ranks = rankdata(score)[wrong].sum()
    return float((ranks - bad * (bad + 1) / 2) / max(bad * (len(wrong) - bad), 1))


def print_line(name: str, tracks: pd.DataFrame) -> None:
    """Print how well the probability tells wrong tracks."""
    wrong = tracks.wrong.to_numpy()
    if not 0 < wrong.mean() < 1:
        print(f"{name:26} {len(tracks):6} tracks, wrong {wrong.mean():.3f}")
        return
    riskiest = tracks.sort_values("probability", ascending=False).wrong
    found = riskiest.iloc[: max(1, len(tracks) // 10)].sum() / wrong.sum()
    print(
        f"{name:26} {len(tracks):6} tracks, wrong {wrong.mean():.3f}, stated "
        f"{tracks.probability.mean():.3f}, AUROC {auroc(tracks.probability, wrong):.3f}, "
        f"in riskiest 10 %: {found:.2f} of at most {min(1, 0.1 / wrong.mean()):.2f}",
        flush=True,
    )


def print_reliability(tracks: pd.DataFrame) -> None:
    """Print the part of wrong tracks of each class of stated probability."""
    group = pd.cut(tracks.probability, list(CLASSES), right=False)
    for label, rows in tracks.groupby(group, observed=True):
        print(
            f"  stated {label}: {len(rows):6} tracks, mean {rows.probability.mean():.3f}, "
            f"wrong {rows.wrong.mean():.3f}"
        )


def print_speed() -> None:
    """Print the time for 50,000 tracks of 20 frames."""
    rng = np.random.default_rng(0)
    count, frames = 50_000, 20
    steps = rng.normal(0, 0.3, (count, frames, 2)).cumsum(1)
    place = (rng.uniform(0, 2000, (count, 1, 2)) + steps).reshape(-1, 2)
    table = pd.DataFrame(
        {
            "track_id": np.repeat(np.arange(count), frames),
            "frame": np.tile(np.arange(frames), count),
            "y_um": place[:, 0],
            "x_um": place[:, 1],
        }
    )
    begin, busy = time.perf_counter(), time.process_time()
    judge_errors(table)
    wall, busy = time.perf_counter() - begin, time.process_time() - busy
    print(f"50,000 tracks of 20 frames: {wall:.1f} s, {busy:.1f} s of processor time")


def print_link_quality(seeds: int) -> None:
    """Print how well the linker's own `quality` tells wrong links, by kind of motion."""
    side, count, frames = 200.0, 200, 60
    for kind in KINDS:
        parts = []
        for seed in range(100, 100 + seeds):
            truth, rng = positions(kind, seed, side, count, frames), np.random.default_rng(seed)
            seen = truth[rng.random(len(truth)) >= 0.05].drop(columns="track").copy()
            seen[["y_um", "x_um"]] += rng.normal(0, 0.3, (len(seen), 2))
            ghosts = int(0.02 * len(truth))
            extra = pd.DataFrame(rng.uniform(0, side, (ghosts, 2)), columns=["y_um", "x_um"])
            extra["frame"] = rng.integers(0, frames, ghosts)
            seen = pd.concat([seen, extra], ignore_index=True)
            table = with_truth(truth, vs.link(seen).table, 1.5)
            shown = table[~table.interpolated].sort_values(["track_id", "frame"])
            same = shown.track_id.eq(shown.track_id.shift())
            right = shown.true.eq(shown.true.shift()) & (shown.true >= 0)
            parts.append(pd.DataFrame({"quality": shown.quality, "wrong": ~right})[same])
        links = pd.concat(parts)
        riskiest = links.sort_values("quality", kind="stable").wrong.iloc[: len(links) // 20]
        print(
            f"{kind:10} wrong {links.wrong.mean():.3f}  quality {links.quality.mean():.3f} right "
            f"{1 - links.wrong.mean():.3f}  AUROC {auroc(-links.quality, links.wrong):.3f}  "
            f"in riskiest 5 %: {riskiest.sum() / links.wrong.sum():.2f}",
            flush=True,
        )


def main() -> None:
    """Print the judgement of each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positions", type=int, default=40, help="movies of positions")
    parser.add_argument("--masks", type=int, default=10, help="movies of masks")
    parser.add_argument("--data", type=Path, help="folder with truth tracks")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--links", type=int, default=0, help="movies for the quality of links")
    chosen = parser.parse_args()
    sets: dict[str, Iterator[Judged]] = {
        "positions": position_movies(range(500, 500 + chosen.positions)),
        "masks": mask_movies(range(3100, 3100 + chosen.masks)),
    }
    if chosen.data is not None:
        sets["other simulators and real tracks"] = other_movies(chosen.data)
    for name, movies in sets.items():
        rows = [
            judged(movie).assign(name=f"{movie.kind} {movie.linker}")
            for movie in movies
            if movie.kind != "random"
        ]
        if not rows:
            continue
        tracks = pd.concat(rows)
        for kind, part in tracks.groupby("name"):
            print_line(str(kind), part)
        print_line(f"all {name}", tracks)
        print_reliability(tracks)
    if chosen.links:
        print_link_quality(chosen.links)
    if chosen.speed:
        print_speed()


if __name__ == "__main__":
    main()
