# SPDX-License-Identifier: BSD-3-Clause
"""Fit components and classes: what the stages of a run and `fit`, for an archive open in a notebook, have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import dask.array as da
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin_min
from threadpoolctl import threadpool_limits

from padflow.clustering.agreement import RepeatedModes, confirmed, modes_of_each, repeat_modes
from padflow.clustering.assignment import by_size
from padflow.clustering.classes import NearestCentre
from padflow.clustering.kmeans import fit_kmeans
from padflow.clustering.mixture import Likeliest, fit_mixture
from padflow.clustering.separation import Separation
from padflow.clustering.ward import NearestSample, fit_ward
from padflow.components.projection import MODE_SOFTENING, SOFTENING, soften, soften_length, unsoften
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.records import BLOCK_ROWS

FEWEST_SCORES = 10


KMeansClasses = NearestCentre | Likeliest
"""What k-means is the beginning of."""


KMEANS_ROWS = 128 * BLOCK_ROWS
"""Scores in a block of k-means."""


START_SCORES = 1_000_000
"""Most scores that k-means++ draws its start from, in the driver's memory."""


def draw_indices(config: Config, total: int) -> list[np.ndarray]:
    """Return which of `total` scores, in order, make each subsample for mean shift."""
    section, seed = config.mean_shift, config.seed_of("mean_shift")
    size = min(section.samples, total)
    if section.repeats > 1 and size > 0.8 * total:
        # Repeats on the same rows would agree without saying anything.
        size = max(FEWEST_SCORES, int(0.8 * total))
    return [sample_indices(total, size, seed=seed + repeat) for repeat in range(section.repeats)]


def sample_indices(total: int, size: int, *, seed: int) -> np.ndarray:
    """Draw `size` of `total` without replacement, ascending."""
    return np.sort(np.random.default_rng(seed).choice(total, size, replace=False))


def mode_scores(scores: np.ndarray, config: Config) -> np.ndarray:
    """Return scores as mean shift sees them: softened more where they are in units of noise."""
    return soften(unsoften(scores, SOFTENING), MODE_SOFTENING) if config.pca.scale == "noise" else scores


def modes_as_scores(found: RepeatedModes, config: Config) -> np.ndarray:
    """Return the modes among the scores, float64 (mode, component): the inverse of `mode_scores`."""
    modes = found.modes.modes
    return soften(unsoften(modes, MODE_SOFTENING), SOFTENING) if config.pca.scale == "noise" else modes


def find_number(samples: list[np.ndarray], config: Config, *, apply: Callable[..., Iterable] = map) -> RepeatedModes:
    """Find the modes of subsamples of the scores by mean shift, in the space of `mode_scores`.

    Where scores are in units of noise, those modes that are there as well with the length of the scores softened, and
    not each of them: see `padflow.components.projection.MODE_SOFTENING`.
    """
    section = config.mean_shift
    options: dict[str, Any] = {
        "apply": apply,
        "quantile": section.quantile,
        "bandwidth_samples": section.bandwidth_samples,
        "starts": section.starts,
        "min_share": section.min_share,
        "seed": config.seed_of("mean_shift"),
    }
    found = repeat_modes([mode_scores(sample, config) for sample in samples], bandwidth=section.bandwidth, **options)
    if config.pca.scale != "noise":
        return found
    # A bandwidth of the configuration is for the other space: in this one, distances far out are much smaller.
    softened = [soften_length(unsoften(sample, SOFTENING), MODE_SOFTENING) for sample in samples]
    places = soften_length(unsoften(found.modes.modes, MODE_SOFTENING), MODE_SOFTENING)
    return confirmed(found, places, modes_of_each(softened, bandwidth=None, **options))


def subsamples_to_search(config: Config) -> int:
    """Return how many subsamples `find_number` searches for modes, to say how far it is."""
    return config.mean_shift.repeats * (2 if config.pca.scale == "noise" else 1)


def number_of_classes(config: Config, found: RepeatedModes) -> int:
    """Return the number of classes, as configured or as mean shift found it.

    Raises
    ------
    PadflowError
        Where that is 1.
    """
    classes = config.kmeans.classes
    k = found.n_modes if classes == "mean_shift" else classes
    if k < 2:
        raise PadflowError(
            f"Mean shift found a single class{_of_agreed(found)}, which classifies nothing. Set kmeans.classes to a "
            "number, or lower mean_shift.quantile (or mean_shift.bandwidth) to look for finer structure."
        )
    return k


def _of_agreed(found: RepeatedModes) -> str:
    dropped = len(found.unconfirmed)
    return f" ({dropped} more were not found again with the length of the scores softened)" if dropped else ""


def describe_number(found: RepeatedModes) -> str:
    """Return a line for the log on how the number of classes was found."""
    counts = ", ".join(f"{k} classes {n}x" for k, n in found.counts.items())
    return f"{counts}; {found.n_modes} kept{_of_agreed(found)}; bandwidth {found.modes.bandwidth:.4g}"


def best_start(sample: np.ndarray, k: int, *, modes: np.ndarray, config: Config) -> np.ndarray:
    """Return first centres for k-means: from the modes, or from a drawn start that ends better on a sample.

    The modes alone may lead into a poor optimum: one that holds a hundredth of the records ties down a centre.
    """
    seed = config.seed_of("kmeans")
    starts: list[tuple[Any, int]] = [("k-means++", seed + i) for i in range(config.kmeans.starts)]
    if len(modes) == k or not starts:
        starts.insert(0, (modes if len(modes) == k else "k-means++", seed))
    # More threads than one would sum in another order.
    with threadpool_limits(1):
        fits = [KMeans(k, init=init, n_init=1, random_state=state).fit(sample) for init, state in starts]
    return min(fits, key=lambda fit: fit.inertia_).cluster_centers_


def near_modes(scores: np.ndarray, found: RepeatedModes, config: Config) -> np.ndarray:
    """Return those of the scores that k-means is fitted to, see `KMeansConfig.fit_to`."""
    if config.kmeans.fit_to == "all":
        return scores
    _, squared = pairwise_distances_argmin_min(mode_scores(scores, config), found.modes.modes, metric="sqeuclidean")
    return scores[squared <= found.modes.bandwidth**2]


def kmeans_classes(
    scores: da.Array,
    k: int,
    *,
    found: RepeatedModes,
    samples: list[np.ndarray],
    config: Config,
    on_iteration: Callable[[float], object] | None = None,
) -> tuple[KMeansClasses, dict[str, Any]]:
    """Fit k-means to scores, a dask array (scores, component) with known chunks: those of `near_modes`.

    Parameters
    ----------
    samples : list of ndarray of float64, shape (rows, component)
        The subsamples of mean shift. Starts are compared on the first, borders are fitted to all.
    on_iteration : callable, optional
        See `padflow.clustering.kmeans.fit_kmeans`.

    Returns
    -------
    classes : NearestCentre or Likeliest
        ``k`` of them, or fewer where borders are those of the likeliest class and one lost all its records.
    info : dict
        What the model's description is to say of them.

    Raises
    ------
    PadflowError
        If a single one is left.
    """
    section = config.kmeans
    init: Any = section.init
    if init == "modes":
        sample = near_modes(samples[0], found, config)
        init = best_start(sample, k, modes=modes_as_scores(found, config), config=config)
    # Parts of the archive would be many small blocks, each with tasks of its own in every iteration.
    scores = scores.rechunk((KMEANS_ROWS, -1)).persist()
    fitted = fit_kmeans(
        scores,
        k,
        init=init,
        max_iter=section.max_iter,
        tol=section.tol,
        seed=config.seed_of("kmeans"),
        init_rows=START_SCORES,
        on_iteration=on_iteration,
    )
    info = {"assign": section.assign, "iterations": fitted.n_iter, "fit_inertia": fitted.inertia}
    if section.assign == "nearest":
        return NearestCentre(fitted.centres), info
    mixture = fit_mixture(np.concatenate(samples), fitted.centres)
    if len(mixture.centres) < 2:
        raise PadflowError(
            f"Of {k} classes of k-means only one is left where records take the likeliest class: the others lie within "
            "it. Set kmeans.assign to nearest, or kmeans.classes to another number."
        )
    return mixture, info


def numbered_by_size(
    classes: KMeansClasses, config: Config, *, sizes: Callable[[KMeansClasses], np.ndarray]
) -> KMeansClasses:
    """Renumber classes from the largest, by all records that are theirs and not only those k-means was fitted to."""
    if config.kmeans.fit_to == "all" and config.kmeans.assign == "nearest":
        return classes
    return classes.in_order(by_size(sizes(classes), classes.centres))


def class_sizes(classes: KMeansClasses, scores: np.ndarray) -> np.ndarray:
    """Return how many of the scores, (rows, component), each class takes."""
    return np.bincount(classes.assign(scores)["pad_class"], minlength=len(classes.centres))


def ward_classes(sample: np.ndarray, k: int) -> tuple[NearestSample, dict[str, Any]]:
    """Group a sample of scores by Ward's method; other records take the class of their nearest neighbour."""
    return fit_ward(sample.astype(np.float32), k), {"sample": len(sample)}


def describe_modes(found: RepeatedModes, separation: Separation) -> dict[str, Any]:
    """Return what to say of mean shift in the model's description."""
    modes = found.modes
    return {
        "bandwidth": modes.bandwidth,
        "n_modes": found.n_modes,
        "n_agreed": found.n_agreed,
        "n_all": modes.n_all,
        "counts": {str(number): times for number, times in found.counts.items()},
        "shares": modes.share.tolist(),
        "valleys": separation.valleys.tolist(),
        "unconfirmed_shares": list(found.unconfirmed),
    }
