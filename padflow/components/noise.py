# SPDX-License-Identifier: BSD-3-Clause
"""Components in which records stand out over noise, where noise is how records near in time differ.

Principal components follow variance, be it signal or noise, and one population far from the others stretches the
first so much that the rest seem to be one. Here axes are chosen by the ratio of variance to noise and scaled to
noise of one: the minimum noise fraction of Green et al. (1988, 10.1109/36.3001), for a series in time the
maximum autocorrelation factors of Switzer and Green (1984).
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from padflow.blas import one_blas_thread
from padflow.components.pca import IncrementalPCA
from padflow.errors import PadflowError

MOST_PAIRS = 65_536
"""About how many pairs of records the noise is estimated from."""


LEADING = 8
"""Principal components that axes are made of: in the rest there is little else than noise, and what little there is
differs from one training to the next. Chosen on simulated archives."""


KEPT_SHARE = 0.7
"""Share of the pairs that is noise; the others may have changed their population from one record to the next."""


LEAST_NOISE = 1e-3
"""Noise that every component has at least, over that of others."""


ROUNDING = 1e-14
"""Share of the largest variance below which a variance is rounding: codes decode to more values than they have."""


ROUNDS = 3
"""Rounds of leaving out the pairs that differ most; the axes do not move any more (measured)."""


def neighbour_pairs(
    time: np.ndarray, usable: np.ndarray, *, lag_seconds: float, max_gap_seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pair each usable record with the first one that is at least `lag_seconds` later, and not beyond a gap.

    Parameters
    ----------
    time : ndarray of datetime64[ns], shape (records,)
        Ascending.
    usable : ndarray of bool, shape (records,)
    lag_seconds : float
        The window over which records were averaged, so that no spin is in both of a pair.

    Returns
    -------
    earlier, later : ndarray of int64
        Places of the records of each pair.
    """
    ns = time.astype("datetime64[ns]").astype(np.int64)
    lag_ns, most_ns = round(lag_seconds * 1e9), round((lag_seconds + max_gap_seconds) * 1e9)
    earlier = np.arange(len(ns))
    later = np.maximum(np.searchsorted(ns, ns + lag_ns), earlier + 1)
    inside = later < len(ns)
    earlier, later = earlier[inside], later[inside]
    near = usable[earlier] & usable[later] & (ns[later] - ns[earlier] <= most_ns)
    return earlier[near], later[near]


def noise_adjusted_axes(
    pca: IncrementalPCA, differences: np.ndarray, *, components: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes with the largest ratio of signal to noise, in units of the noise.

    Parameters
    ----------
    pca : IncrementalPCA
        Fitted to all records.
    differences : ndarray, shape (pairs, features)
        Later minus earlier of pairs of neighbouring records.
    components : int
        Number of axes.

    Returns
    -------
    axes : ndarray of float64, shape (components, features)
        The largest coefficient of each is positive. Scores ``(record - mean) @ axes.T`` of records of one
        population scatter by about 1.
    ratio : ndarray of float64, shape (leading,)
        Standard deviation over that of the noise for all axes made, by decreasing ratio.

    Raises
    ------
    PadflowError
        If there are too few pairs, or the noise is 0.
    """
    variance = pca.explained_variance_
    leading = min(max(LEADING, components), int((variance > ROUNDING * variance[0]).sum()))
    if len(differences) < 10 * leading or leading < components:
        raise PadflowError(
            f"pca.scale=noise needs neighbouring records to learn the noise from, but only {len(differences)} pairs of "
            f"selected records ({leading} components vary) are there. Select more records, or set pca.scale=none."
        )
    with one_blas_thread():
        principal = pca.components_[:leading]
        change = np.asarray(differences, "f8") @ principal.T
        usual = np.median(np.abs(change), axis=0)
        if not usual.any():
            raise PadflowError("pca.scale=noise: neighbouring records do not differ at all. Set pca.scale=none.")
        # Components without change of their own would have an infinite ratio.
        length = ((change / np.maximum(usual, LEAST_NOISE * usual.max())) ** 2).sum(axis=1)
        squared = variance[:leading]
        for _ in range(ROUNDS):
            kept = change[length <= np.quantile(length, KEPT_SHARE)]
            noise = kept.T @ kept / (2 * len(kept))
            noise += LEAST_NOISE**2 * np.trace(noise) / leading * np.eye(leading)
            squared, axes = linalg.eigh(np.diag(variance[:leading]), noise)
            squared, axes = squared[::-1], axes[:, ::-1]
            # In units of the noise a change of population is longer than noise alone.
            length = ((change @ axes) ** 2).sum(axis=1)
        axes = axes[:, :components].T @ principal
    largest = axes[np.arange(components), np.abs(axes).argmax(axis=1)]
    return axes * np.sign(largest)[:, None], np.sqrt(squared)
