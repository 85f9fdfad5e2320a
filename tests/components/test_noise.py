import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from padflow.autoencoder.network import Network
from padflow.clustering.agreement import RepeatedModes
from padflow.clustering.fit import describe_number, find_number, kmeans_classes, mode_places, mode_scores, near_modes
from padflow.clustering.mean_shift import Modes
from padflow.components.fit import fit_components_to
from padflow.components.moments import CodeStatistics, Moments
from padflow.components.noise import LEADING, neighbour_pairs, noise_adjusted_axes
from padflow.components.pca import IncrementalPCA
from padflow.components.projection import MODE_SOFTENING, SOFTENING, soften, soften_length, unsoften
from padflow.config.sections import Config, PcaConfig
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


@given(
    seed=st.integers(0, 2**32 - 1),
    logs=st.lists(st.floats(-3, 3), min_size=12, max_size=12),
    order=st.permutations(range(12)),
)
@settings(max_examples=25, deadline=None)
def test_scores_do_not_depend_on_the_scale_and_order_of_hidden_units(seed, logs, order):
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(14, 12)) / 4, rng.normal(size=(12, 14)) / 4
    records = np.sin(np.arange(500)[:, None] / rng.uniform(5, 50, 14)) + 0.3 * rng.normal(size=(500, 14))
    scale = np.exp(logs)
    networks = [
        Network(w1, np.full(12, 2), w2, np.zeros(14)),
        Network((w1 * scale)[:, order], 2 * scale[order], (w2 / scale[:, None])[order], np.zeros(14)),
    ]
    scores = []
    for network in networks:
        codes = network.encode(records.astype("f4")).astype("f8")
        statistics = CodeStatistics(Moments.of(codes), codes[1:] - codes[:-1])
        fitted = fit_components_to(statistics, PcaConfig(components=2, scale="noise"), network=network)
        scores.append((codes - fitted.mean) @ fitted.axes.T)
    np.testing.assert_allclose(scores[1], scores[0], rtol=0.01, atol=0.01 * scores[0].std())


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


def test_softened_scores_keep_their_order_and_are_equal_near_zero():
    scores = np.linspace(-100, 100, 2001)
    soft = soften(scores, 4.0)
    assert (np.diff(soft) > 0).all()
    np.testing.assert_allclose(soft[np.abs(scores) < 0.5], scores[np.abs(scores) < 0.5], rtol=3e-3)
    np.testing.assert_allclose(soft[-1], 4 * np.log(2 * 100 / 4), rtol=1e-3)
    np.testing.assert_array_equal(soften(scores, 0.0), scores)
    for softening in (4.0, 0.0):
        np.testing.assert_allclose(unsoften(soften(scores, softening), softening), scores, rtol=1e-12, atol=1e-12)


def test_softened_length_keeps_directions_and_narrows_all_components():
    random = np.random.default_rng(0)
    scores = np.vstack([np.zeros(3), random.normal(size=(500, 3)) * 30, random.normal(size=(500, 3)) * 0.1])
    soft = soften_length(scores, 4.0)
    lengths, softened = np.linalg.norm(scores, axis=1), np.linalg.norm(soft, axis=1)
    np.testing.assert_allclose(softened, soften(lengths, 4.0), rtol=1e-12)
    np.testing.assert_allclose(soft * lengths[:, None], scores * softened[:, None], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(soften_length(scores, 0.0), scores)
    far = np.array([20.0, 3.0, -3.0])
    assert (np.abs(soften_length(far, 4.0)[1:]) < 0.5 * np.abs(soften(far, 4.0)[1:]) + 0.1).all()


def test_one_population_far_out_is_not_several_because_it_is_wide_there():
    config = Config(
        archive={"source": "unused"},
        pca={"components": 3, "scale": "noise"},
        mean_shift={"quantile": 0.15, "min_share": 0.05},
        kmeans={"fit_to": "near_modes"},
    )
    random = np.random.default_rng(4)
    near = random.normal(size=(2000, 3)) * 1.5
    # Along the first component as wide as the distance is large, and in the others clumps, in proportion.
    clumps = np.array([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2]])[random.integers(3, size=900)]
    far = np.column_stack([np.ones(900), clumps + random.normal(size=(900, 2)) * 0.02])
    far *= 30 * np.exp(random.normal(size=(900, 1)) * 0.2)
    scores = soften(np.vstack([near, far]), SOFTENING)
    found = find_number([random.permutation(scores)[:2000] for _ in range(3)], config)
    assert (found.n_agreed, found.n_clusters) == (4, 2)
    assert "2 kept (2 more were not found again" in describe_number(found)


def test_a_configured_bandwidth_is_not_used_where_modes_are_confirmed():
    config = Config(
        archive={"source": "unused"},
        pca={"components": 5, "scale": "noise"},
        mean_shift={"quantile": 0.3, "bandwidth": 6.0},
        kmeans={"fit_to": "near_modes"},
    )
    random = np.random.default_rng(1)
    raw = np.repeat([[20.0], [60.0], [180.0]], 400, axis=0) * (1 + random.normal(size=(1200, 5)) * 0.05)
    # Between neighbours there are 9.8 units with each score softened and 4.4 with the length of all, less than 6.
    lengths = np.median(np.linalg.norm(soften_length(raw, MODE_SOFTENING), axis=1).reshape(3, 400), axis=1)
    assert (np.diff(lengths) < 6).all()
    found = find_number([random.permutation(soften(raw, SOFTENING))[:900] for _ in range(3)], config)
    assert (found.n_agreed, found.n_clusters, found.modes.bandwidth) == (3, 3, 6.0)


def test_classes_of_one_population_are_refused_where_records_take_the_likeliest():
    config = Config(
        archive={"source": "unused"},
        pca={"components": 2},
        kmeans={"init": "k-means++", "clusters": 2, "borders": "likeliest"},
    )
    random = np.random.default_rng(0)
    scores = np.vstack([random.normal(size=(3000, 2)), [[7.0, 0.0]]])
    found = RepeatedModes([], Modes(1.0, np.zeros((1, 2)), np.ones(1), 1))
    options = {"found": found, "samples": [scores], "config": config}
    lazy = da.from_array(np.repeat([[0.0, 0.0], [5.2, 0.0]], 50, axis=0), chunks=(100, 2))
    with pytest.raises(PadflowError, match=r"only one is left.*kmeans\.borders"):
        kmeans_classes(lazy, 2, **options)


@pytest.mark.parametrize(("scale", "softer"), [("noise", True), ("none", False)])
def test_modes_are_sought_among_softer_scores_and_classes_made_among_scores(scale, softer):
    config = Config(
        archive={"source": "unused"},
        pca={"components": 2, "scale": scale},
        mean_shift={"quantile": 0.3},
        kmeans={"fit_to": "near_modes", "starts": 0},
    )
    random = np.random.default_rng(2)
    raw = np.repeat([[0.0, 0.0], [40.0, 0.0]], 500, axis=0) + random.normal(size=(1000, 2)) * np.repeat(
        [[1.0], [4.0]], 500, axis=0
    )
    scores = soften(raw, SOFTENING)
    found = find_number([random.permutation(scores)[:800] for _ in range(3)], config)
    seen = soften(raw, MODE_SOFTENING) if softer else scores
    np.testing.assert_allclose(mode_scores(scores, config), seen, rtol=1e-9, atol=1e-9)
    far = np.argmax(found.modes.modes[:, 0])
    np.testing.assert_allclose(found.modes.modes[far], np.median(seen[500:], axis=0), atol=1)
    np.testing.assert_allclose(mode_places(found, config)[far], np.median(scores[500:], axis=0), atol=1)
    kept = near_modes(scores, found, config)
    distance = np.linalg.norm(seen[:, None] - found.modes.modes, axis=2).min(axis=1)
    np.testing.assert_array_equal(kept, scores[distance <= found.modes.bandwidth])
