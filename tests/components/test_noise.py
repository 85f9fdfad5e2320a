# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
import pytest
from scipy import linalg

from padflow.components.noise import LEADING, neighbour_pairs, noise_adjusted_axes
from padflow.components.pca import IncrementalPCA
from padflow.errors import PadflowError

RNG = np.random.default_rng(5)
MIX = np.linalg.qr(RNG.normal(size=(12, 12)))[0]


def series(records=6000, stay=150):
    """Codes in time: two directions of signal that jump now and then, in noise that is large in others."""
    state = RNG.integers(3, size=records // stay).repeat(stay)
    centres = np.array([[0, 0], [3, 0], [0, 1.5]])
    values = RNG.normal(size=(records, 12)) * np.r_[0.2, 0.2, 4, 2, np.full(8, 0.5)]
    values[:, :2] += centres[state]
    return values @ MIX, state


def test_without_jumps_the_axes_are_those_of_the_generalised_eigenproblem():
    mix = np.linalg.qr(RNG.normal(size=(LEADING, LEADING)))[0]
    noise = RNG.normal(size=(50_000, LEADING)) * RNG.uniform(0.5, 2, LEADING)
    differences = (noise[1:] - noise[:-1]) @ mix
    codes = (RNG.normal(size=(50_000, LEADING)) * np.linspace(5, 1, LEADING) + noise) @ mix
    pca = IncrementalPCA().fit(codes)
    axes, ratio = noise_adjusted_axes(pca, differences, components=4)
    scatter = differences.T @ differences / (2 * len(differences))
    squared, vectors = linalg.eigh(np.cov(codes.T), scatter)
    # Leaving out the pairs that differ most makes the noise a little smaller along the leading axes.
    np.testing.assert_allclose(ratio, np.sqrt(squared[::-1]), rtol=0.5)
    assert (ratio[:6] > np.sqrt(squared[::-1])[:6]).all()
    for axis, expected in zip(axes, vectors.T[::-1][:4], strict=True):
        cosine = axis @ scatter @ expected / np.sqrt((axis @ scatter @ axis) * (expected @ scatter @ expected))
        assert abs(cosine) > 0.95


def test_signal_is_found_under_larger_noise_and_scaled_to_it():
    codes, state = series()
    pca = IncrementalPCA().fit(codes)
    axes, ratio = noise_adjusted_axes(pca, codes[1:] - codes[:-1], components=2)
    scores = (codes - pca.mean_) @ axes.T
    within = np.concatenate([scores[state == s] - scores[state == s].mean(axis=0) for s in range(3)])
    np.testing.assert_allclose(within.std(axis=0), 1, atol=0.25)
    assert ratio[1] > 2 > 1.4 > ratio[2]
    assert (axes[np.arange(2), np.abs(axes).argmax(axis=1)] > 0).all()
    # The leading principal component is noise.
    assert abs(pca.components_[0] @ MIX.T[:, 2]) > 0.9 or abs(pca.components_[0] @ MIX[2]) > 0.9


def test_a_few_jumps_do_not_change_the_noise():
    codes, _ = series()
    pca = IncrementalPCA().fit(codes)
    differences = codes[1:] - codes[:-1]
    calm, _ = noise_adjusted_axes(pca, differences, components=2)
    jumps = differences.copy()
    jumps[::10] += 40 * MIX[0]
    jumpy, _ = noise_adjusted_axes(pca, jumps, components=2)
    cosine = (calm * jumpy).sum(axis=1) / np.linalg.norm(calm, axis=1) / np.linalg.norm(jumpy, axis=1)
    assert (cosine > 0.95).all()


def test_too_few_pairs_and_no_noise_are_refused():
    codes, _ = series(600)
    pca = IncrementalPCA().fit(codes)
    with pytest.raises(PadflowError, match="only 50 pairs"):
        noise_adjusted_axes(pca, codes[:50], components=2)
    with pytest.raises(PadflowError, match="do not differ"):
        noise_adjusted_axes(pca, np.zeros((500, 12)), components=2)


def test_pairs_do_not_cross_gaps_or_unusable_records():
    seconds = np.r_[np.arange(0, 100, 10), np.arange(500, 560, 10)]
    time = np.datetime64("2013-03-01", "ns") + (seconds * 10**9).astype("timedelta64[ns]")
    usable = np.ones(len(time), bool)
    usable[3] = False
    earlier, later = neighbour_pairs(time, usable, lag_seconds=25, max_gap_seconds=60)
    pairs = list(zip(seconds[earlier].tolist(), seconds[later].tolist(), strict=True))
    assert pairs == [(10, 40), (20, 50), (40, 70), (50, 80), (60, 90), (500, 530), (510, 540), (520, 550)]
    earlier, later = neighbour_pairs(time, usable, lag_seconds=0, max_gap_seconds=60)
    assert len(earlier) == 12
    assert (later == earlier + 1).all()


def test_a_pair_is_one_lag_apart_where_there_is_a_record_at_that_moment():
    time = np.datetime64("2013-03-01", "ns") + np.arange(0, 60, 10) * np.timedelta64(1, "s")
    pairs = {"lag_seconds": 20, "max_gap_seconds": 60}
    earlier, later = neighbour_pairs(time, np.ones(6, bool), **pairs)
    assert list(zip(earlier.tolist(), later.tolist(), strict=True)) == [(0, 2), (1, 3), (2, 4), (3, 5)]
    time[2] -= np.timedelta64(1, "ns")  # now a nanosecond too early for the first record
    earlier, later = neighbour_pairs(time, np.ones(6, bool), **pairs)
    assert list(zip(earlier.tolist(), later.tolist(), strict=True)) == [(0, 3), (1, 3), (2, 4), (3, 5)]
