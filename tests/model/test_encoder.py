# SPDX-License-Identifier: BSD-3-Clause
"""Scores and moments, against scikit-learn in float64."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from time import sleep
from typing import ClassVar

import numpy as np
import pytest
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_info, threadpool_limits

from padflow.autoencoder.network import Network
from padflow.autoencoder.split import Split, Subset, fit_rows
from padflow.components.moments import CodeStatistics
from padflow.components.pca import IncrementalPCA
from padflow.components.projection import Projection
from padflow.config.sections import PreprocessConfig, TrainConfig
from padflow.features.preprocessor import Preprocessor
from padflow.model.encoder import Encoder, code_statistics
from padflow.records import BLOCK_ROWS, Reason, Rows, uniform_hash
from padflow.shapes.measures import measure_counts
from padflow.shapes.names import UNCLEAR
from padflow.store.reading import needed_rows

ROWS = 4 * BLOCK_ROWS + 333


@pytest.fixture(scope="module")
def records(factories):
    return factories.records(ROWS)


@pytest.fixture(scope="module")
def reader(factories, records):
    return factories.MemoryReader(records)


@pytest.fixture(scope="module")
def preprocessor(factories):
    config = PreprocessConfig(l_range=(2.5, 6.5), average_seconds=60, min_counts=50)
    return Preprocessor(config, factories.AXES)


@pytest.fixture(scope="module")
def network(factories, preprocessor):
    return factories.network(preprocessor.features)


@pytest.fixture(scope="module")
def reference(factories, records, preprocessor, network):
    """Features of all records in one call, and their codes in float64."""
    features = preprocessor(factories.rows(records))
    x = features.rows.astype("f8")
    codes = np.maximum(x @ network.w_encode.astype("f8") + network.b_encode, 0)
    decoded = 1 / (1 + np.exp(-(codes @ network.w_decode.astype("f8") + network.b_decode)))
    return features.reason, codes, ((decoded - x) ** 2).mean(axis=1)


def read(reader, preprocessor, start, stop) -> Rows:
    return needed_rows(reader, start, stop, needs=preprocessor.needs)


def moments_in_parts(reader, preprocessor, network, edges, *, split=None):
    pca = IncrementalPCA(3)
    for start, stop in pairwise(edges):
        found = code_statistics(read(reader, preprocessor, start, stop), preprocessor, network, split=split)
        assert found.differences.shape == (0, network.code_size)
        pca.merge(found.moments)
    return pca


@pytest.mark.parametrize("edges", [[0, ROWS], [0, BLOCK_ROWS, 3 * BLOCK_ROWS, ROWS]])
def test_scores_equal_those_of_a_full_pca_in_float64(reader, preprocessor, network, reference, edges):
    reason, codes, error = reference
    chosen = reason == Reason.SELECTED
    assert 0.3 < chosen.mean() < 0.9
    full = PCA(3, svd_solver="full").fit(codes[chosen])
    pca = moments_in_parts(reader, preprocessor, network, edges)
    assert pca.moments_.n == chosen.sum()
    np.testing.assert_allclose(pca.explained_variance_, full.explained_variance_, rtol=1e-5)
    encoder = Encoder(preprocessor, network, Projection(pca.mean_, pca.components_))
    for start, stop in pairwise(edges):
        found = encoder.score(read(reader, preprocessor, start, stop))
        part = chosen[start:stop]
        expected = full.transform(codes[start:stop][part])
        np.testing.assert_allclose(found["score"][part], expected, atol=1e-5)
        np.testing.assert_allclose(found["reconstruction_error"][part], error[start:stop][part], rtol=1e-4)
        np.testing.assert_array_equal(found["reason"], reason[start:stop])
        assert np.isnan(found["score"][~part]).all()
        assert np.isnan(found["reconstruction_error"][~part]).all()
        assert {name: values.dtype for name, values in found.items()} == {
            "score": np.float32,
            "reason": np.int8,
            "reconstruction_error": np.float32,
        }


def test_moments_of_the_test_split_are_of_those_rows_alone(records, reader, preprocessor, network, reference):
    reason, codes, _ = reference
    split = Split.deal(TrainConfig(split="row", train_share=0.2, validation_share=0.2), 4, days=np.empty(0))
    part = split.subsets_of(read(reader, preprocessor, 0, ROWS)) == Subset.TEST
    chosen = (reason == Reason.SELECTED) & part
    pca = moments_in_parts(reader, preprocessor, network, [0, 2 * BLOCK_ROWS, ROWS], split=split)
    assert pca.moments_.n == chosen.sum() < (reason == Reason.SELECTED).sum()
    np.testing.assert_allclose(pca.moments_.mean, codes[chosen].mean(axis=0), atol=1e-6)
    covariance = pca.moments_.scatter / (chosen.sum() - 1)
    np.testing.assert_allclose(covariance, np.cov(codes[chosen].T), atol=1e-6)


def test_fit_rows_takes_the_selected_ones_of_test(factories, records):
    reason = np.where(np.arange(ROWS) % 3 == 0, Reason.LOW_COUNTS, Reason.SELECTED).astype("i1")
    split = Split("row", 1, 0.3, 0.3)
    everything = fit_rows(reason, None, factories.rows(records))
    assert everything.tolist() == (np.arange(ROWS) % 3 != 0).tolist()
    some = fit_rows(reason, split, factories.rows(records))
    test = split.subsets_of(factories.rows(records)) == Subset.TEST
    np.testing.assert_array_equal(some, everything & test)
    np.testing.assert_array_equal(
        fit_rows(reason[100:], split, Rows.of_times("rbspa", 100, records.time[100:])), some[100:]
    )


def test_a_part_with_nothing_selected_has_no_moments_and_no_scores(factories, records, reader, network):
    config = PreprocessConfig(l_range=(90, 91))
    maker = Preprocessor(config, factories.UNCOUNTED)
    found = code_statistics(read(reader, maker, 0, 1500), maker, network, split=None, pairs_share=1)
    moments = found.moments
    assert len(found.differences) == 0
    assert (moments.n, moments.mean.shape) == (0, (20,))
    encoder = Encoder(maker, network, Projection(np.zeros(20), np.eye(3, 20)))
    found = encoder.score(read(reader, maker, 0, 1500))
    assert np.isnan(found["score"]).all()
    assert set(found["reason"]) <= {Reason.L_MISSING, Reason.OUTSIDE_L}


def test_pairs_are_neighbours_of_one_block_whatever_the_parts(records, reader, preprocessor, network, reference):
    reason, codes, _ = reference
    split_at = [[0, ROWS], [0, BLOCK_ROWS, 3 * BLOCK_ROWS, ROWS]]
    share = 0.3
    found = [
        CodeStatistics.joined(
            [
                code_statistics(read(reader, preprocessor, a, b), preprocessor, network, split=None, pairs_share=share)
                for a, b in pairwise(edges)
            ]
        ).differences
        for edges in split_at
    ]
    np.testing.assert_array_equal(*found)
    drawn = uniform_hash(0, "rbspa pairs", np.arange(ROWS, dtype=np.uint64)) < share
    lag, gap = (np.timedelta64(round(s * 1e9), "ns") for s in (preprocessor.config.average_seconds, 60))
    expected = []
    for i in np.flatnonzero(drawn & (reason == 0)):
        later = [j for j in range(i + 1, ROWS) if records.time[j] - records.time[i] >= lag][:1]
        for j in later:
            near = records.time[j] - records.time[i] <= lag + gap
            if near and reason[j] == 0 and i // BLOCK_ROWS == j // BLOCK_ROWS:
                expected.append(codes[j] - codes[i])
    assert len(expected) > 50
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_scores_and_moments_have_the_same_bits_for_any_parts_and_blas_threads(reader, preprocessor, network):
    pca = moments_in_parts(reader, preprocessor, network, [0, ROWS])
    encoder = Encoder(preprocessor, network, Projection(pca.mean_, pca.components_))

    def scored(size):
        edges = [*range(0, ROWS, size), ROWS]
        parts = [encoder.score(read(reader, preprocessor, a, b)) for a, b in pairwise(edges)]
        return {name: np.concatenate([part[name] for part in parts]).tobytes() for name in parts[0]}

    whole = scored(ROWS)
    assert scored(BLOCK_ROWS) == scored(2 * BLOCK_ROWS) == whole
    with threadpool_limits(2, user_api="blas"):
        again = moments_in_parts(reader, preprocessor, network, [0, ROWS])
        assert again.moments_.scatter.tobytes() == pca.moments_.scatter.tobytes()
        assert scored(ROWS) == whole


def test_scores_have_the_same_bits_wherever_the_archive_ends(reader, preprocessor, network):
    """BLAS adds in another order where there are fewer rows, or for the last few of them."""
    encoder = Encoder(preprocessor, network, Projection(np.zeros(20), np.eye(3, 20)))
    rows = read(reader, preprocessor, 0, ROWS)
    whole = encoder.score(rows)
    for stop in [*range(BLOCK_ROWS + 1, BLOCK_ROWS + 40), 2 * BLOCK_ROWS - 1, ROWS - 1]:
        ended = encoder.score(replace(rows, stop=stop))
        for name, values in whole.items():
            assert ended[name].tobytes() == values[:stop].tobytes(), (name, stop)


class Measured(Network):
    """A network that sees how many rows it is given to encode."""

    seen: ClassVar[list[int]] = []

    def encode(self, x):
        self.seen.append(len(x))
        return super().encode(x)


def test_a_short_block_is_filled_up_also_where_all_of_its_rows_are_chosen(records, factories):
    """The bits of its last records would else depend on where the archive ends, with some libraries for BLAS."""
    preprocessor = Preprocessor(PreprocessConfig(), factories.AXES)
    measured = Measured(**factories.network(preprocessor.features).to_arrays())
    encoder = Encoder(preprocessor, measured, Projection(np.zeros(20), np.eye(3, 20)))
    Measured.seen.clear()
    few = records.take(slice(0, 333))
    reader = factories.MemoryReader(replace(few, flux=np.full_like(few.flux, 1e6)))
    scored = encoder.score(read(reader, preprocessor, 0, 333))
    assert (scored["reason"] == Reason.SELECTED).all()
    assert Measured.seen == [BLOCK_ROWS]


class Watched(Network):
    """A network that sees how many BLAS threads there are while it encodes, slowly."""

    seen: ClassVar[list[set[int]]] = []

    def encode(self, x):
        for _ in range(3):
            self.seen.append(blas_threads())
            sleep(0.001)
        return super().encode(x)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def two_blas_threads() -> Iterator[None]:
    """BLAS has two threads, whatever the machine and its environment say."""

    def set_to(number: int) -> None:
        # By a thread that ends: while one that set a limit lives, threadpoolctl 3.8 ignores all others.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(threadpool_limits, number, user_api="blas").result()

    before = max(blas_threads())
    set_to(2)
    yield
    set_to(before)


@pytest.mark.parametrize("what", ["score", "moments"])
def test_threads_of_one_process_keep_to_one_blas_thread(reader, preprocessor, network, two_blas_threads, what):
    """Dask's threads score chunks side by side: none may lift the limit of another, or leave it behind."""
    watched = Watched(**network.to_arrays())
    encoder = Encoder(preprocessor, watched, Projection(np.zeros(20), np.eye(3, 20)))

    def work(start):
        stop = start + 64
        if what == "score":
            encoder.score(read(reader, preprocessor, start, stop))
        else:
            code_statistics(read(reader, preprocessor, start, stop), preprocessor, watched, split=None)

    Watched.seen.clear()
    assert blas_threads() == {2}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(0, 50 * 64, 64)))
    assert len(Watched.seen) > 60
    assert [seen for seen in Watched.seen if seen != {1}] == []
    assert blas_threads() == {2}


@pytest.fixture(scope="module")
def denoising(factories) -> Encoder:
    """Return an encoder of counts, whose weights are random."""
    config = PreprocessConfig(l_range=(2.5, 6.5), average_seconds=60, min_counts=50, normalise="counts")
    preprocessor = Preprocessor(config, factories.AXES)
    network = factories.denoising_network(preprocessor.features, len(preprocessor.energy))
    return Encoder(preprocessor, network, Projection(np.zeros(network.features), np.eye(network.features)[:3]))


def test_a_denoiser_gives_shapes_beside_the_scores(records, factories, denoising):
    scored = denoising.score(factories.rows(records))
    features = denoising.preprocessor(factories.rows(records))
    chosen = np.isin(features.reason, (Reason.SELECTED, Reason.LOW_COUNTS))
    assert (features.reason == Reason.LOW_COUNTS).any()
    estimate = denoising.network.estimate(features.rows[chosen])
    made = denoising.preprocessor
    counts = (estimate.shares * estimate.effective).swapaxes(1, 2)
    expected = measure_counts(made.pitch_angle, made.joined, counts)

    assert (scored["shape"][chosen] == expected.shape).mean() > 0.999
    np.testing.assert_allclose(scored["c2"][chosen], expected.c2, rtol=2e-3, atol=2e-3)
    assert np.isnan(scored["c2"][~chosen]).all()
    assert (scored["shape"][~chosen] == UNCLEAR).all()
    unclear = (features.reason == Reason.SELECTED) & (scored["shape"] == UNCLEAR).all(axis=1)
    np.testing.assert_array_equal(scored["reason"], np.where(unclear, Reason.UNCLEAR_SHAPE, features.reason))
    selected = scored["reason"] == Reason.SELECTED
    np.testing.assert_array_equal(np.isfinite(scored["score"]).all(axis=1), selected)
    np.testing.assert_allclose(scored["reconstruction_error"][selected], estimate.error[selected[chosen]], rtol=1e-4)


def test_a_record_whose_shape_has_no_name_has_a_reason(records, factories, denoising):
    few = replace(denoising.network, concentration=np.full(12, 1e-3), half_counts=np.full(12, 1.0))
    low = replace(records, flux=records.flux * np.float32(1e-3))
    config = denoising.preprocessor.config.model_copy(update={"min_counts": 1.0})
    encoder = Encoder(Preprocessor(config, factories.AXES), few, denoising.projection)
    scored = encoder.score(factories.rows(low))
    unclear = scored["reason"] == Reason.UNCLEAR_SHAPE
    assert unclear.sum() > 0
    assert np.isnan(scored["score"][unclear]).all()
    assert (scored["shape"][unclear] == UNCLEAR).all()


def test_shapes_have_the_same_bits_for_any_parts(reader, denoising):
    whole = denoising.score(read(reader, denoising.preprocessor, 0, ROWS))
    for start, stop in pairwise([0, BLOCK_ROWS, 3 * BLOCK_ROWS, ROWS]):
        part = denoising.score(read(reader, denoising.preprocessor, start, stop))
        for name, values in part.items():
            np.testing.assert_array_equal(values, whole[name][start:stop], err_msg=name)
