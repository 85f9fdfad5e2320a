"""Which records train, and which rows are drawn of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.autoencoder.sampler import RUN_ROWS, RowSampler
from padflow.autoencoder.split import Split, Subset, days_of
from padflow.config.sections import PreprocessConfig, TrainConfig
from padflow.errors import ConfigError, PadflowError
from padflow.features.preprocessor import Preprocessor
from padflow.records import Reason, Records, uniform_hash

DAY = 19000  # 2022-01-08


def times_on(*days: int, per_day: int = 5) -> np.ndarray:
    hours = np.linspace(0, 24, per_day, endpoint=False)
    ns = [np.int64(day) * 86_400_000_000_000 + np.int64(hour * 3_600_000_000_000) for day in days for hour in hours]
    return np.array(ns, "i8").view("datetime64[ns]")


# --- the split ---------------------------------------------------------------------------------------------


@given(days=st.sets(st.integers(-5000, 25000), min_size=2, max_size=60), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_days_are_dealt_whole_and_in_their_shares(days, seed, data):
    train = data.draw(st.floats(0.05, 0.9))
    validation = data.draw(st.floats(0.05, 1 - train, exclude_max=True))
    config = TrainConfig(train_share=train, validation_share=validation)
    given_days = np.array(sorted(days) * 2)  # repeats, as several spacecraft give them
    split = Split.deal(config, seed, days=given_days)
    time = times_on(*sorted(days))
    parts = split.parts_of("rbspa", 0, time=time).reshape(-1, 5)
    assert (parts == parts[:, :1]).all()
    assert (split.parts_of("rbspb", 77, time=time).reshape(-1, 5) == parts).all()
    counts = np.bincount(parts[:, 0], minlength=3)
    assert counts[Subset.TRAIN] >= 1
    assert counts[Subset.VALIDATION] >= 1
    assert abs(counts[Subset.TRAIN] - train * len(days)) <= 1
    assert abs(counts[Subset.VALIDATION] - validation * len(days)) <= 1.5


def test_the_day_ends_at_midnight_utc():
    split = Split("day", 0, 0.5, 0.5, (DAY, DAY + 1), (0, 1))
    midnight = np.datetime64("1970-01-01", "ns") + np.timedelta64(DAY + 1, "D")
    time = midnight + np.array([-1, 0], "timedelta64[ns]")
    assert split.parts_of("rbspa", 0, time=time).tolist() == [Subset.TRAIN, Subset.VALIDATION]


def test_days_that_were_not_dealt_are_test():
    split = Split.deal(TrainConfig(), 3, days=np.array([DAY, DAY + 1, DAY + 3]))
    time = times_on(DAY - 1, DAY + 2, DAY + 4, DAY + 4000)
    assert set(split.parts_of("rbspa", 0, time=time)) == {Subset.TEST}
    assert len(split.parts_of("rbspa", 0, time=time[:0])) == 0


def test_the_deal_depends_on_the_seed_alone():
    days = np.arange(DAY, DAY + 40)
    deals = [Split.deal(TrainConfig(), seed, days=days).parts for seed in (0, 0, 1, 2)]
    assert deals[0] == deals[1]
    assert len(set(deals)) == 3


@pytest.mark.parametrize("days", [[], [DAY], [DAY, DAY]])
def test_too_few_days_are_refused(days):
    with pytest.raises(ConfigError, match=r"at least 2 days.*train\.split=row"):
        Split.deal(TrainConfig(), 0, days=np.array(days, np.int64))
    assert Split.deal(TrainConfig(split="row"), 0, days=np.array(days, np.int64)).by == "row"


@pytest.mark.parametrize("group", ["rbspa", "rbspb"])
@pytest.mark.parametrize("seed", [0, 4, 2**32 - 1])
def test_rows_are_dealt_in_their_shares(group, seed):
    rows = 200_000
    split = Split.deal(TrainConfig(split="row", train_share=0.2, validation_share=0.3), seed, days=np.empty(0))
    parts = split.parts_of(group, 0, time=np.zeros(rows, "M8[ns]"))
    expected = np.array([0.2, 0.3, 0.5])
    sigma = np.sqrt(rows * expected * (1 - expected))
    assert (abs(np.bincount(parts, minlength=3) - rows * expected) < 4.5 * sigma).all()
    # Neighbours are dealt independently: as many equal pairs as chance gives.
    equal = np.mean(parts[1:] == parts[:-1])
    assert abs(equal - (expected**2).sum()) < 0.006


def test_rows_are_dealt_without_a_memory():
    split = Split("row", 4, 0.2, 0.2)
    whole = split.parts_of("rbspa", 0, time=np.zeros(5000, "M8[ns]"))
    for start, stop in [(0, 1), (1023, 1025), (2048, 5000), (4999, 5000), (10, 10)]:
        part = split.parts_of("rbspa", start, time=np.zeros(stop - start, "M8[ns]"))
        assert part.dtype == np.int8
        assert part.tolist() == whole[start:stop].tolist()
    assert split.parts_of("rbspb", 0, time=np.zeros(5000, "M8[ns]")).tolist() != whole.tolist()
    assert Split("row", 5, 0.2, 0.2).parts_of("rbspa", 0, time=np.zeros(5000, "M8[ns]")).tolist() != whole.tolist()


def test_hash_is_splitmix64():
    """Against integers of any size, as the paper writes it."""
    offset = int(np.random.SeedSequence([7, *b"rbspa"]).generate_state(1, np.uint64)[0])
    for row in (0, 1, 12345, 40_000_000):
        x = (row * 0x9E3779B97F4A7C15 + offset) % 2**64
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        x ^= x >> 31
        assert uniform_hash(7, "rbspa", np.array([row], np.uint64))[0] == (x >> 11) / 2**53


def test_hash_is_uniform():
    values = uniform_hash(1, "rbspa", np.arange(100_000, dtype=np.uint64))
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, 100, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 149  # chi squared of 99 degrees of freedom: p = 0.001


def test_days_of_joins_spacecraft(factories):
    first = Records(times_on(DAY, DAY + 3), np.zeros((10, 1, 1), "f4"))
    second = Records(times_on(DAY + 3, DAY + 1, per_day=4), np.zeros((8, 1, 1), "f4"))
    readers = {"a": factories.MemoryReader(first), "b": factories.MemoryReader(second)}
    for rows in (1, 3, 1 << 20):
        assert days_of(readers, rows_at_once=rows).tolist() == [DAY, DAY + 1, DAY + 3]
    assert days_of({}).tolist() == []


# --- the rows drawn ----------------------------------------------------------------------------------------

ROWS = 6 * RUN_ROWS + 500
PITCH_ANGLE, ENERGY = np.array([45.0, 135.0]), np.array([2.0, 4.0])


def numbered(rows: int, group_value: float) -> Records:
    """Flux that says which record it is: [group, row number] in the first two bins, a tenth is without L."""
    flux = np.zeros((rows, 2, 2), np.float32)
    flux[:, 0, 0], flux[:, 0, 1], flux[:, 1] = group_value, np.arange(rows), 1
    lshell = np.where(np.arange(rows) % 10 == 3, np.nan, 4).astype("f4")
    time = np.datetime64("2013-03-01", "ns") + np.arange(rows) * np.timedelta64(11, "s")
    return Records(time, flux, {"L_star": lshell})


@pytest.fixture(scope="module")
def readers(factories):
    return {"a": factories.MemoryReader(numbered(ROWS, 1)), "b": factories.MemoryReader(numbered(9000, 2))}


@pytest.fixture
def draw(readers):
    """Make a sampler that is closed after the test."""
    made = []

    def _draw(*, seed=0, threads=2, by="row", l_range=(3, 5), over=readers, **config) -> RowSampler:
        train = TrainConfig(split=by, **config)
        maker = Preprocessor(
            PreprocessConfig(normalise="none", fold=False, l_range=l_range), PITCH_ANGLE, energy=ENERGY
        )
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
        parts = split.parts_of(name, 0, time=reader.times(0, reader.rows))
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
    over = {"a": factories.MemoryReader(of)}
    sampler = draw(over=over, max_rows=600, max_validation_rows=300, train_share=0.4, validation_share=0.5)
    parts = Split("row", 4, 0.4, 0.5).parts_of("a", 0, time=of.time)
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
        draw(over={"a": Broken(numbered(9000, 1))})


def test_halo_rows_are_read_but_never_drawn(draw, readers):
    train = TrainConfig(split="row")
    config = PreprocessConfig(normalise="none", fold=False, average_seconds=120, l_range=(3, 5))
    maker = Preprocessor(config, PITCH_ANGLE, energy=ENERGY)
    split = Split.deal(train, 4, days=np.empty(0))
    sampler = RowSampler(readers, maker, split=split, config=train, seed=0)
    expected = []
    for name, reader in sorted(readers.items()):
        found = maker(reader.read(0, reader.rows, ephemeris=("L_star",)), slice(None))
        parts = split.parts_of(name, 0, time=reader.times(0, reader.rows))
        expected += found.rows[(parts == Subset.TRAIN) & (found.reason == Reason.SELECTED)].tolist()
    assert sorted(sampler.train.tolist()) == sorted(expected)
    sampler.close()
