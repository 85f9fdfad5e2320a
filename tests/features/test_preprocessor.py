# SPDX-License-Identifier: BSD-3-Clause
"""From records to features: which records are left out and why, and the order of the steps."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from padflow.config.reading import load_config
from padflow.config.sections import PreprocessConfig
from padflow.errors import ConfigError
from padflow.features.kernels import filled_share, find_windows, fold_flux
from padflow.features.preprocessor import Preprocessor, Views
from padflow.records import BLOCK_ROWS, Axes, Reason, Records, Rows, halo_rows
from padflow.store.reading import needed_rows

T0 = np.datetime64("2013-03-17T00:00:00", "ns")
present = st.one_of(st.just(0.0), st.floats(2.0**-20, 1e6, width=32))
flux_values = st.one_of(st.just(np.float32("nan")), present)
missing = pytest.mark.filterwarnings("ignore:Mean of empty slice")


def seconds(*offsets: float) -> np.ndarray:
    return T0 + np.round(np.array(offsets) * 1e9).astype("timedelta64[ns]")


# --- reasons and the order of steps -------------------------------------------------------------------------

PITCH_ANGLE = np.array([30.0, 90.0, 150.0])
ENERGY = np.array([2.0, 4.0])
COUNTS = np.array([0.5, 0.25])
UNKNOWN = np.full(2, np.nan)


def preprocessor(**values) -> Preprocessor:
    return Preprocessor(PreprocessConfig(**values), Axes(PITCH_ANGLE, ENERGY, COUNTS))


def made(flux, time=None, *, l_star=None, lshell=None) -> Records:
    flux = np.asarray(flux, np.float32).reshape(-1, 3, 2)
    n = len(flux)
    named = {"L_star": l_star, "L": lshell}
    ephemeris = {name: np.asarray(values, np.float32) for name, values in named.items() if values is not None}
    return Records(seconds(*range(n)) if time is None else time, flux, ephemeris)


def whole(of: Records) -> Rows:
    return Rows("rbspa", 0, len(of), of, 0)


def reasons(of: Records, **values) -> list[Reason]:
    return [Reason(code) for code in preprocessor(**values)(whole(of)).reason]


def test_time_range_is_half_open():
    of = made(np.ones((4, 3, 2)), seconds(-1e-9, 0, 3599.999999999, 3600))
    limits = (datetime(2013, 3, 17, 0), datetime(2013, 3, 17, 1))
    out = Reason.OUTSIDE_TIME
    assert reasons(of, time_range=limits) == [out, Reason.SELECTED, Reason.SELECTED, out]


@pytest.mark.parametrize(("variable", "keyword"), [("L_star", "l_star"), ("L", "lshell")])
def test_l_range_is_half_open_and_missing_l_has_its_own_reason(variable, keyword):
    other = "lshell" if keyword == "l_star" else "l_star"
    of = made(np.ones((5, 3, 2)), **{keyword: [2.4, 2.5, 6.9, 7, np.nan], other: [9.0] * 5})
    out, good = Reason.OUTSIDE_L, Reason.SELECTED
    assert reasons(of, l_range=(2.5, 7), l_variable=variable) == [out, good, good, out, Reason.L_MISSING]


def test_l_range_without_that_l_in_the_archive():
    with pytest.raises(ConfigError, match="L_star, which this archive does not hold"):
        reasons(made(np.ones((2, 3, 2)), lshell=[4, 4]), l_range=(2, 7))


def test_min_valid_channels_counts_before_folding_and_averaging():
    flux = np.full((3, 3, 2), np.nan)
    flux[0] = 1
    flux[1, 0] = flux[1, 1] = 1  # four of six bins; folding would fill the others
    flux[2, 0, 0] = np.inf
    few, good = Reason.FEW_CHANNELS, Reason.SELECTED
    assert reasons(made(flux), min_valid_channels=5, average_seconds=10) == [good, few, few]
    assert reasons(made(flux), min_valid_channels=4) == [good, good, few]
    assert reasons(made(flux), min_valid_channels=1)[2] == few
    assert reasons(made(flux), min_valid_channels=0) == [good] * 3


def test_min_valid_channels_counts_the_chosen_energies_only():
    flux = np.ones((1, 3, 2))
    flux[:, :, 0] = np.nan
    assert reasons(made(flux), energy_range=(1, 3)) == [Reason.FEW_CHANNELS]
    assert reasons(made(flux), energy_range=(3, 5)) == [Reason.SELECTED]


def test_min_flux_looks_at_the_peak_after_folding_and_averaging():
    flux = np.zeros((4, 3, 2))
    flux[1, 0, 0] = 8  # folded: 4; averaged over three records: 4 / 3
    flux[3] = np.nan
    low, good = Reason.LOW_FLUX, Reason.SELECTED
    common = {"min_valid_channels": 0, "keep_empty": True}
    assert reasons(made(flux), min_flux=8, fold=False, **common) == [low, good, low, low]
    assert reasons(made(flux), min_flux=4, **common) == [low, good, low, low]
    assert reasons(made(flux), min_flux=4.1, **common) == [low] * 4
    assert reasons(made(flux), min_flux=1.3, average_seconds=2, **common) == [good, good, good, low]
    assert reasons(made(flux), min_flux=0, **common) == [good] * 4


@settings(max_examples=60, deadline=None)
@given(data=st.data(), window=st.integers(0, 60), fold=st.booleans())
def test_min_counts_are_summed_over_bins_and_the_records_averaged(loops, data, window, fold):
    rows = data.draw(st.integers(1, 12))
    flux = data.draw(arrays(np.float32, (rows, 3, 2), elements=flux_values))
    time = seconds(*np.cumsum(data.draw(st.lists(st.integers(1, 40), min_size=rows, max_size=rows))))
    counts = np.nansum(flux.astype("f8") * COUNTS, axis=(1, 2))[:, None]
    if window:
        counts = loops.average(counts, time.astype(np.int64), window * 10**9, 25 * 10**9, sum_only=True)
    limit = float(np.median(counts)) + 1e-3
    expected = [Reason.SELECTED if total >= limit else Reason.LOW_COUNTS for total in counts[:, 0]]
    options = {"min_valid_channels": 0, "average_seconds": window, "max_gap_seconds": 25, "fold": fold}
    options["keep_empty"] = True
    if (abs(counts - limit) > 1e-6 * limit).all():
        assert reasons(made(flux, time), min_counts=limit, **options) == expected


def test_min_counts_use_the_chosen_energies_only():
    of = made(np.ones((1, 3, 2)))
    assert reasons(of, min_counts=0.75, energy_range=(3, 5)) == [Reason.SELECTED]
    assert reasons(of, min_counts=0.76, energy_range=(3, 5)) == [Reason.LOW_COUNTS]
    assert reasons(of, min_counts=2.25) == [Reason.SELECTED]


@pytest.mark.parametrize("counts", [UNKNOWN, np.array([0.5, np.nan]), np.array([0.5, np.inf])])
def test_min_counts_without_a_geometric_factor(counts):
    with pytest.raises(ConfigError, match="min_counts = 3 needs counts"):
        Preprocessor(PreprocessConfig(min_counts=3), Axes(PITCH_ANGLE, ENERGY, counts))
    Preprocessor(PreprocessConfig(), Axes(PITCH_ANGLE, ENERGY, counts))


def test_min_counts_needs_the_factor_of_the_chosen_energies_only():
    config = PreprocessConfig(min_counts=3, energy_range=(1, 3))
    Preprocessor(config, Axes(PITCH_ANGLE, ENERGY, np.array([0.5, np.nan])))


def test_records_with_too_many_empty_bins_have_low_counts_on_an_instrument_without_a_factor():
    flux = np.zeros((5, 3, 2))
    flux[0, :2] = 1, 3
    flux[1, 0] = 1
    flux[2] = [[1, 1], [0, np.nan], [np.nan, 0]]  # two of the four bins with a value
    flux[3, 0, 0] = np.inf  # no value, and five bins of zero
    flux[4] = np.nan
    maker = Preprocessor(PreprocessConfig(min_filled_share=0.5, fold=False), Axes(PITCH_ANGLE, ENERGY, UNKNOWN))
    good, low = Reason.SELECTED, Reason.LOW_COUNTS
    assert maker(whole(made(flux))).reason.tolist() == [good, low, good, low, Reason.FEW_CHANNELS]
    options = {"fold": False, "keep_empty": True, "min_valid_channels": 0}
    assert reasons(made(flux), min_filled_share=0.01, **options) == [good, good, good, low, low]
    assert reasons(made(flux), min_filled_share=0, **options) == [good] * 5


def test_empty_bins_are_counted_in_the_chosen_energies_after_folding_and_averaging():
    flux = np.zeros((3, 3, 2))
    flux[1, 0, 0] = flux[1, 1, 0] = 1
    good, low = Reason.SELECTED, Reason.LOW_COUNTS
    common = {"keep_empty": True}
    assert reasons(made(flux), min_filled_share=0.34, fold=False, **common) == [low, low, low]
    assert reasons(made(flux), min_filled_share=0.5, **common) == [low, good, low]  # folded: two of four
    assert reasons(made(flux), min_filled_share=0.5, average_seconds=2, **common) == [good] * 3
    assert reasons(made(flux), min_filled_share=1, energy_range=(1, 3), **common) == [low, good, low]


@pytest.mark.parametrize("mean", [0.1, 0.7, 3.0])
def test_the_share_of_filled_bins_says_how_many_counts_a_bin_has(mean):
    counts = np.random.default_rng(3).poisson(mean, (20_000, 3, 2))
    share = filled_share(counts.astype(np.float32)).mean()
    assert -np.log(1 - share) == pytest.approx(mean, rel=0.03)


def test_the_first_of_several_reasons_stands():
    limits = {
        "time_range": (datetime(2013, 3, 17), datetime(2013, 3, 18)),
        "l_range": (3, 6),
        "min_valid_channels": 2,
        "min_flux": 5,
        "min_counts": 1000,
    }
    flux = np.full((6, 3, 2), np.nan)
    flux[4:] = 1, 6  # the fifth lacks flux and counts, the sixth counts
    flux[4] = 1
    flux[5] = 6
    l_star = [np.nan, np.nan, 9, 4, 4, 4]
    time = seconds(-1, *range(5))
    found = reasons(made(flux, time, l_star=l_star), **limits)
    assert found == [Reason(code) for code in range(1, 7)]


def test_reasons_have_the_codes_that_are_stored():
    outside = ["OUTSIDE_TIME", "L_MISSING", "OUTSIDE_L"]
    names = ["NOT_PROCESSED", "SELECTED", *outside, "FEW_CHANNELS", "LOW_FLUX", "LOW_COUNTS", "EMPTY", "SET_ASIDE"]
    names.append("UNCLEAR_SHAPE")
    assert [(reason.name, int(reason)) for reason in Reason] == list(zip(names, range(-1, 10), strict=True))


def test_records_without_a_count_are_left_out_unless_kept():
    flux = np.zeros((3, 3, 2))
    flux[1, 2, 1] = 1
    flux[2] = np.nan
    few, empty, good = Reason.FEW_CHANNELS, Reason.EMPTY, Reason.SELECTED
    assert reasons(made(flux)) == [empty, good, few]
    assert reasons(made(flux), keep_empty=True) == [good, good, few]
    # An average that holds a count of a neighbour is not empty.
    assert reasons(made(flux), average_seconds=2)[0] == good


def test_records_that_are_not_selected_still_serve_the_average_of_others():
    flux = np.stack([np.full((3, 2), 1.0), np.full((3, 2), 3.0)])
    flux[0, 0, 0] = 5
    out = preprocessor(l_range=(3, 6), average_seconds=2, fold=False)(whole(made(flux, l_star=[9, 4])))
    assert out.reason.tolist() == [Reason.OUTSIDE_L, Reason.SELECTED]
    np.testing.assert_allclose(out.rows[1], np.array([4, 2, 2, 2, 2, 2]) / 4)


@missing
@pytest.mark.parametrize("normalise", ["max", "pa90", "energy_max", "none"])
@pytest.mark.parametrize("average_seconds", [0, 60])
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("energy_range", [None, (2.0, 8)])
def test_the_whole_chain_step_by_step(factories, loops, fold, average_seconds, normalise, energy_range):
    of = factories.records(40, missing_share=0.3, gap_share=0.1)
    config = PreprocessConfig(
        fold=fold, average_seconds=average_seconds, normalise=normalise, energy_range=energy_range, max_gap_seconds=40
    )
    maker = Preprocessor(config, factories.UNCOUNTED)
    core = slice(7, 31)
    found = maker(Rows("rbspa", 107, 131, of, 100))
    low, high = energy_range or (0, 99)
    chosen = [i for i, e in enumerate(factories.ENERGY) if low <= e <= high]
    flux = of.flux[:, :, chosen].astype("f8")
    if fold:
        flux = np.stack([np.nanmean(flux[:, [a, 16 - a]], axis=1) for a in range(9)], axis=1)
    if average_seconds:
        flat = flux.reshape(40, -1)
        flat = loops.average(flat, of.time.astype(np.int64), 60 * 10**9, 40 * 10**9, sum_only=False)
        flux = flat.reshape(flux.shape)
    expected = loops.normalise(flux, normalise, 8)[core].reshape(24, -1)
    np.testing.assert_allclose(found.rows, expected, rtol=2e-5)
    assert found.rows.dtype == np.float32
    assert maker.features == found.rows.shape[1] == (9 if fold else 17) * len(chosen)
    np.testing.assert_array_equal(maker.energy, factories.ENERGY[chosen])
    np.testing.assert_array_equal(maker.pitch_angle, factories.PITCH_ANGLE[: 9 if fold else 17])


def test_energy_range_includes_both_ends_and_must_hold_a_channel():
    def energies(low, high):
        return preprocessor(energy_range=(low, high)).energy.tolist()

    assert energies(2, 4) == [2, 4]
    assert energies(2.01, 4) == [4]
    with pytest.raises(ConfigError, match=r"energy_range = \[2.5, 3.5\] MeV holds no channel.* 2, 4 MeV"):
        energies(2.5, 3.5)


def test_folding_needs_symmetric_pitch_angles():
    lopsided = np.array([20.0, 90.0, 150.0])
    with pytest.raises(ConfigError, match=r"symmetric about 90.*20, 90, 150.*fold=false"):
        Preprocessor(PreprocessConfig(), Axes(lopsided, ENERGY, COUNTS))
    assert Preprocessor(PreprocessConfig(fold=False), Axes(lopsided, ENERGY, COUNTS)).features == 6


def test_paper_mode_is_what_the_authors_released(factories, request):
    """SCIENCE: fill to 0, one maximum a record, pitch angle slowest, and no record dropped."""
    config = load_config(request.config.rootpath / "configs" / "killey2023.yaml")
    of = factories.records(200, missing_share=0.2)
    of.flux[3] = np.nan
    of.flux[4] = 0
    of.flux[5, 2, 3] = np.inf
    found = Preprocessor(config.preprocess, factories.UNCOUNTED)(whole(of))
    expected = np.empty((200, 204), np.float32)
    for i, record in enumerate(of.flux):
        row = [value if np.isfinite(value) else np.float32(0) for value in record.ravel(order="C")]
        expected[i] = np.array(row) / max(row) if max(row) else 0
    np.testing.assert_array_equal(found.rows, expected)
    assert found.rows[3:5].tolist() == np.zeros((2, 204)).tolist()
    assert (found.reason == Reason.SELECTED).all()
    assert found.rows[0].reshape(17, 12)[5, 7] == found.rows[0, 5 * 12 + 7]
    train = config.train
    assert (train.split, train.train_share, train.validation_share) == ("row", 0.2, 0.2)
    assert (config.seed_of("split"), config.seed, config.pca.rows) == (4, 1, "test")
    assert (train.epochs, train.batch_size, train.learning_rate, train.patience) == (200, 256, 5e-4, 5)
    assert not train.restore_best
    assert (config.pca.components, config.method) == (3, "kmeans")
    assert (config.mean_shift.quantile, config.mean_shift.bandwidth_samples, config.mean_shift.bandwidth) == (
        0.1,
        6000,
        None,
    )
    assert (config.seed_of("mean_shift"), config.seed_of("kmeans")) == (0, 0)


def test_no_warning_reaches_the_user(factories):
    of = factories.records(300, missing_share=0.4)
    of.flux[::7] = np.nan
    config = PreprocessConfig(average_seconds=60, min_flux=1, min_counts=1, l_range=(3, 6))
    maker = Preprocessor(config, factories.AXES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(maker(whole(of)).rows).all()


def test_shapes_through_the_preprocessor_count_both_sides_of_a_fold(factories, loops):
    records = factories.records(300, seed=4)
    config = PreprocessConfig(normalise="count_shares", prior_counts=20, average_seconds=60, max_gap_seconds=40)
    per_flux = np.linspace(0.5, 2, len(factories.ENERGY))
    maker = Preprocessor(config, replace(factories.AXES, counts_per_flux=per_flux))
    found = maker(whole(records)).rows
    windows = find_windows(records.time, slice(None), window_seconds=60, max_gap_seconds=40)
    folded = fold_flux(records.flux)
    flux = windows.mean(folded.reshape(len(folded), -1)).reshape(folded.shape)
    both = np.full((folded.shape[1], 1), 2.0)
    both[len(factories.PITCH_ANGLE) // 2 :] = 1
    expected = loops.shapes(flux, both * per_flux, windows.length, 20)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-5)
    squares = (found.reshape(expected.shape) ** 2).sum(axis=1)
    np.testing.assert_allclose(squares[squares > 0], 1, rtol=1e-5)


def test_shapes_need_counts():
    with pytest.raises(ConfigError, match="normalise = count_shares needs counts"):
        Preprocessor(PreprocessConfig(normalise="count_shares"), Axes(PITCH_ANGLE, ENERGY, UNKNOWN))


def test_counts_need_to_be_known():
    with pytest.raises(ConfigError, match="normalise = counts needs counts"):
        Preprocessor(PreprocessConfig(normalise="counts"), Axes(PITCH_ANGLE, ENERGY, UNKNOWN))


# --- counts of windows and their two views ------------------------------------------------------------------


def counted(of: Records, chosen: list[list[int]], per_flux: np.ndarray) -> np.ndarray:
    """Folded mean flux of the chosen records around each row, times counts and their number, bin by bin."""
    out = np.zeros((len(chosen), 9, of.flux.shape[2]))
    flux = of.flux.astype("f8")
    for row, window in enumerate(chosen):
        for a, e in np.ndindex(out.shape[1:]):
            pairs = [[v for v in {a: flux[i, a, e], 16 - a: flux[i, 16 - a, e]}.values() if v == v] for i in window]
            values = [np.mean(pair) for pair in pairs if pair]
            bins = 1 if a == 8 else 2
            out[row, a, e] = np.mean(values) * len(window) * bins * per_flux[e] if values else 0
    return out.reshape(len(chosen), -1)


@pytest.mark.parametrize("first", [100, 101])
def test_counts_and_views_are_those_of_the_records_of_a_window(factories, first):
    of = factories.records(60, seed=3, missing_share=0.3, gap_share=0.1)
    config = PreprocessConfig(normalise="counts", average_seconds=60, max_gap_seconds=40, l_range=(3, 6))
    maker = Preprocessor(config, factories.AXES)
    rows = Rows("rbspa", first + 10, first + 50, of, first)
    ns = of.time.astype(np.int64)
    gaps = np.cumsum(np.diff(ns, prepend=ns[0]) > 40 * 10**9)
    near = (abs(ns - ns[10:50, None]) <= 30 * 10**9) & (gaps == gaps[10:50, None])
    windows = [np.flatnonzero(window).tolist() for window in near]
    assert {len(window) for window in windows} >= {3, 4, 5}
    made = maker(rows)
    assert made.rows.dtype == np.float32
    np.testing.assert_allclose(made.rows, counted(of, windows, factories.COUNTS_PER_FLUX), rtol=1e-5)
    views = maker.views(rows)
    for parity in (0, 1):
        chosen = [[i for i in window if (first + i) % 2 == parity] for window in windows]
        np.testing.assert_allclose(views[:, parity], counted(of, chosen, factories.COUNTS_PER_FLUX), rtol=1e-5)
    (block,) = Views(maker).blocks(rows)
    np.testing.assert_array_equal(block[2].rows, views.reshape(40, -1))
    np.testing.assert_array_equal(block[2].reason, made.reason)
    assert len(set(made.reason)) > 1
    assert Views(maker).features == 2 * maker.features
    assert Views(maker).needs == maker.needs


@pytest.mark.parametrize("values", [{"normalise": "counts"}, {"average_seconds": 60}])
def test_views_need_counts_of_windows(factories, values):
    maker = Preprocessor(PreprocessConfig(**values), factories.AXES)
    with pytest.raises(ConfigError, match=r"average_seconds above 0 and preprocess\.normalise=counts"):
        maker.views(factories.rows(factories.records(5)))


# --- blocks at fixed places of an archive -------------------------------------------------------------------


def rows_in_parts(reader, maker, edges) -> tuple[bytes, bytes]:
    rows, reason = [], []
    for start, stop in pairwise(edges):
        for where, block, features in maker.blocks(needed_rows(reader, start, stop, needs=maker.needs)):
            assert len(features.rows) == len(block) == where.stop - where.start
            rows.append(features.rows)
            reason.append(features.reason)
    return np.concatenate(rows).tobytes(), np.concatenate(reason).tobytes()


def test_views_have_the_same_bits_in_parts_of_any_size(factories):
    total = 2 * BLOCK_ROWS + 321
    of = factories.records(total, gap_share=0.01)
    config = PreprocessConfig(normalise="counts", average_seconds=120, l_range=(2.5, 6.5))
    views, reader = Views(Preprocessor(config, factories.AXES)), factories.MemoryReader(of)
    assert rows_in_parts(reader, views, [0, BLOCK_ROWS, total]) == rows_in_parts(reader, views, [0, total])


@pytest.mark.parametrize(
    ("average_seconds", "cadence"),
    [(0, 11), (120, 11), (97.3, 2.5), (3600 * 5, 11)],  # the last reaches over many blocks
    ids=["off", "two minutes", "irregular", "halo of blocks"],
)
def test_features_have_the_same_bits_in_parts_of_any_size(factories, average_seconds, cadence):
    total = 5 * BLOCK_ROWS + 321
    many = average_seconds > 1000
    of = factories.records(total, cadence_seconds=cadence, gap_share=0 if many else 0.01)
    of = Records(of.time, of.flux[:, ::4, ::5].copy(), of.ephemeris)
    config = PreprocessConfig(
        average_seconds=average_seconds, l_range=(2.5, 6.5), min_counts=20, min_flux=3, min_valid_channels=10
    )
    axes = Axes(factories.PITCH_ANGLE[::4], factories.ENERGY[::5], factories.COUNTS_PER_FLUX[::5])
    maker = Preprocessor(config, axes)
    if many:
        reach = halo_rows(of.time, 3 * BLOCK_ROWS, 4 * BLOCK_ROWS, halo_seconds=maker.needs.halo_seconds)
        assert reach[0] < 2.5 * BLOCK_ROWS
    reader = factories.MemoryReader(of)
    whole = rows_in_parts(reader, maker, [0, total])
    assert len(set(whole[1])) >= 4  # several reasons: the comparison is of something
    for size in (1, 2, 3):
        assert rows_in_parts(reader, maker, [*range(0, total, size * BLOCK_ROWS), total]) == whole
    starts = rows_in_parts(reader, maker, [2 * BLOCK_ROWS, 3 * BLOCK_ROWS])
    per_row = maker.features * 4
    assert starts[0] == whole[0][2 * BLOCK_ROWS * per_row : 3 * BLOCK_ROWS * per_row]
