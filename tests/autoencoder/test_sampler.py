# SPDX-License-Identifier: BSD-3-Clause
"""Which rows are drawn of the records that train."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.autoencoder.sampler import RUN_ROWS, RowSampler
from padflow.autoencoder.split import Split, Subset, days_of
from padflow.config.sections import PreprocessConfig, TrainConfig
from padflow.errors import PadflowError
from padflow.features.preprocessor import Preprocessor
from padflow.records import Axes, Reason, Records, Rows
from padflow.store.reading import needed_rows

ROWS = 6 * RUN_ROWS + 500
AXES = Axes(np.array([45.0, 135.0]), np.array([2.0, 4.0]), np.full(2, np.nan))


def numbered(rows: int, group_value: float) -> Records:
    """Flux that says which record it is: [group, row number] in the first two bins, a tenth is without L."""
    flux = np.zeros((rows, 2, 2), np.float32)
    flux[:, 0, 0], flux[:, 0, 1], flux[:, 1] = group_value, np.arange(rows), 1
    lshell = np.where(np.arange(rows) % 10 == 3, np.nan, 4).astype("f4")
    time = np.datetime64("2013-03-01", "ns") + np.arange(rows) * np.timedelta64(11, "s")
    return Records(time, flux, {"L_star": lshell})


@pytest.fixture(scope="module")
def readers(factories):
    return {"a": factories.MemoryReader(numbered(ROWS, 1), "a"), "b": factories.MemoryReader(numbered(9000, 2), "b")}


@pytest.fixture
def draw(readers):
    """Make a sampler that is closed after the test."""
    made = []

    def _draw(*, seed=0, threads=2, by="row", l_range=(3, 5), over=readers, **config) -> RowSampler:
        train = TrainConfig(split=by, **config)
        maker = Preprocessor(PreprocessConfig(normalise="none", fold=False, l_range=l_range), AXES)
        split = Split.deal(train, 4, days=days_of(over))
        made.append(RowSampler(over, maker, split=split, config=train, seed=seed, threads=threads))
        return made[-1]

    yield _draw
    for sampler in made:
        sampler.close()


def drawn_of(rows: np.ndarray) -> list[tuple[int, int]]:
    return [(int(group), int(number)) for group, number in rows[:, :2]]


def expected_of(readers, part: Subset, **config) -> set[tuple[int, int]]:
    train = TrainConfig(**config)
    split = Split.deal(train, 4, days=days_of(readers))
    found = set()
    for value, (name, reader) in enumerate(readers.items(), 1):
        parts = split.subsets_of(Rows.of_times(name, 0, reader.times(0, reader.rows)))
        found |= {(value, row) for row in np.flatnonzero(parts == part) if row % 10 != 3}
    return found


@pytest.mark.parametrize("by", ["row", "day"])
def test_where_all_fits_in_memory_every_selected_row_is_there_once(draw, readers, by):
    sampler = draw(by=by)
    for part, rows in ((Subset.TRAIN, sampler.train), (Subset.VALIDATION, sampler.validation)):
        found = drawn_of(rows)
        assert len(set(found)) == len(found)
        assert set(found) == expected_of(readers, part, split=by)
    assert drawn_of(sampler.train) != sorted(drawn_of(sampler.train))
    assert sampler.rows_of_epoch(0) is sampler.rows_of_epoch(1) is sampler.train


def test_memory_is_bounded_and_rows_come_from_their_subset(draw, readers):
    sampler = draw(max_rows=3000, max_validation_rows=500)
    assert sampler.train.shape == (3000, 4)
    assert sampler.validation.shape == (500, 4)
    assert sampler.train.dtype == np.float32
    for part, rows in ((Subset.TRAIN, sampler.train), (Subset.VALIDATION, sampler.validation)):
        assert len(set(drawn_of(rows))) == len(rows)
        assert set(drawn_of(rows)) <= expected_of(readers, part, split="row")


def epochs_of(sampler: RowSampler, epochs: int = 6) -> list[bytes]:
    return [sampler.validation.tobytes(), *(sampler.rows_of_epoch(epoch).tobytes() for epoch in range(epochs))]


def test_the_draw_is_the_same_for_any_number_of_threads(draw):
    small = {"max_rows": 1000, "max_validation_rows": 200}
    base = epochs_of(draw(**small, threads=1))
    assert len(set(base)) == len(base)  # every epoch has other rows
    for threads in (1, 2, 5, 16):
        assert epochs_of(draw(**small, threads=threads)) == base
    assert epochs_of(draw(**small, seed=1))[1] != base[1]


@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_each_epoch_renews_the_configured_share_in_place(draw, readers, share):
    sampler = draw(max_rows=2000, max_validation_rows=100, refresh_share=share)
    selected = expected_of(readers, Subset.TRAIN, split="row")
    before = sampler.rows_of_epoch(0)
    for epoch in range(1, 4):
        kept = before.copy()
        now = sampler.rows_of_epoch(epoch)
        np.testing.assert_array_equal(before, kept)  # an epoch's rows do not change under the trainer
        changed = (now != before).any(axis=1).sum()
        assert now.shape == before.shape
        assert changed <= round(share * 2000)
        assert changed > 0.8 * share * 2000  # a few are drawn again at the place where they were
        assert set(drawn_of(now)) <= selected
        before = now


def test_without_refreshing_the_rows_stay(draw):
    sampler = draw(max_rows=1000, refresh_share=0)
    assert sampler.rows_of_epoch(0) is sampler.rows_of_epoch(1)


def test_over_the_epochs_all_rows_are_seen(draw, readers):
    sampler = draw(max_rows=4000, max_validation_rows=100, refresh_share=1.0)
    seen = set()
    for epoch in range(30):
        seen |= set(drawn_of(sampler.rows_of_epoch(epoch)))
    assert len(seen) > 0.9 * len(expected_of(readers, Subset.TRAIN, split="row"))


def test_a_long_archive_is_sampled_thinly_from_many_places(draw):
    sampler = draw(max_rows=1500, max_validation_rows=50)
    drawn = sorted(drawn_of(sampler.train))
    assert len({(group, number // RUN_ROWS) for group, number in drawn}) >= 3
    steps = np.diff([number for group, number in drawn if group == 1])
    # Of 100 rows 0.6 x 0.9 x 100 are selected for training, and a quarter of them is taken.
    assert np.mean(steps[steps < RUN_ROWS / 4]) == pytest.approx(1 / (0.6 * 0.9 * 0.25), rel=0.1)


@pytest.mark.parametrize("every", [50, 3000])
def test_few_selected_records_of_a_long_archive_are_all_found(draw, factories, every):
    """The archive is long enough to be sampled thinly, but what is selected of it is not."""
    of = numbered(ROWS, 1)
    chosen = np.arange(ROWS) % every == 1
    of.ephemeris["L_star"][:] = np.where(chosen, 4, 9)
    over = {"a": factories.MemoryReader(of, "a")}
    sampler = draw(over=over, max_rows=600, max_validation_rows=300, train_share=0.4, validation_share=0.5)
    parts = Split("row", 4, 0.4, 0.5).subsets_of(Rows.of_times("a", 0, of.time))
    for part, rows in ((Subset.TRAIN, sampler.train), (Subset.VALIDATION, sampler.validation)):
        assert sorted(drawn_of(rows)) == [(1, row) for row in np.flatnonzero(chosen & (parts == part))]
    assert sampler.rows_of_epoch(0) is sampler.rows_of_epoch(1)


@pytest.mark.parametrize("by", ["row", "day"])
def test_an_error_says_what_to_do_where_nothing_is_selected(draw, by):
    with pytest.raises(PadflowError, match=r"no record for training: of \d+ records.*Widen l_range"):
        draw(by=by, l_range=(8, 9))


def test_an_error_of_a_reader_reaches_the_caller(draw, factories):
    class Broken(factories.MemoryReader):
        def read(self, start, stop, *, ephemeris):
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        draw(over={"a": Broken(numbered(9000, 1), "a")})


def test_halo_rows_are_read_but_never_drawn(draw, readers):
    train = TrainConfig(split="row")
    config = PreprocessConfig(normalise="none", fold=False, average_seconds=120, l_range=(3, 5))
    maker = Preprocessor(config, AXES)
    split = Split.deal(train, 4, days=np.empty(0))
    sampler = RowSampler(readers, maker, split=split, config=train, seed=0)
    expected = []
    for name, reader in sorted(readers.items()):
        found = maker(needed_rows(reader, 0, reader.rows, needs=maker.needs))
        parts = split.subsets_of(Rows.of_times(name, 0, reader.times(0, reader.rows)))
        expected += found.rows[(parts == Subset.TRAIN) & (found.reason == Reason.SELECTED)].tolist()
    assert sorted(sampler.train.tolist()) == sorted(expected)
    sampler.close()
