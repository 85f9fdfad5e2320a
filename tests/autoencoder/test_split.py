# SPDX-License-Identifier: BSD-3-Clause
"""Training, validation and test: dealt in their shares, by days or by rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.autoencoder.split import Split, Subset, days_of
from padflow.config.sections import TrainConfig
from padflow.errors import ConfigError
from padflow.records import Records, Rows

DAY = 19000  # 2022-01-08


def times_on(*days: int, per_day: int = 5) -> np.ndarray:
    hours = np.linspace(0, 24, per_day, endpoint=False)
    ns = [np.int64(day) * 86_400_000_000_000 + np.int64(hour * 3_600_000_000_000) for day in days for hour in hours]
    return np.array(ns, "i8").view("datetime64[ns]")


@given(days=st.sets(st.integers(-5000, 25000), min_size=2, max_size=60), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_days_are_dealt_whole_and_in_their_shares(days, seed, data):
    train = data.draw(st.floats(0.05, 0.9))
    validation = data.draw(st.floats(0.05, 1 - train, exclude_max=True))
    config = TrainConfig(train_share=train, validation_share=validation)
    given_days = np.array(sorted(days) * 2)  # repeats, as several spacecraft give them
    split = Split.deal(config, seed, days=given_days)
    time = times_on(*sorted(days))
    parts = split.subsets_of(Rows.of_times("rbspa", 0, time)).reshape(-1, 5)
    assert (parts == parts[:, :1]).all()
    assert (split.subsets_of(Rows.of_times("rbspb", 77, time)).reshape(-1, 5) == parts).all()
    counts = np.bincount(parts[:, 0], minlength=3)
    assert counts[Subset.TRAIN] >= 1
    assert counts[Subset.VALIDATION] >= 1
    assert abs(counts[Subset.TRAIN] - train * len(days)) <= 1
    assert abs(counts[Subset.VALIDATION] - validation * len(days)) <= 1.5


def test_the_day_ends_at_midnight_utc():
    split = Split("day", 0, 0.5, 0.5, (DAY, DAY + 1), (0, 1))
    midnight = np.datetime64("1970-01-01", "ns") + np.timedelta64(DAY + 1, "D")
    time = midnight + np.array([-1, 0], "timedelta64[ns]")
    assert split.subsets_of(Rows.of_times("rbspa", 0, time)).tolist() == [Subset.TRAIN, Subset.VALIDATION]


def test_days_that_were_not_dealt_are_test():
    split = Split.deal(TrainConfig(), 3, days=np.array([DAY, DAY + 1, DAY + 3]))
    time = times_on(DAY - 1, DAY + 2, DAY + 4, DAY + 4000)
    assert set(split.subsets_of(Rows.of_times("rbspa", 0, time))) == {Subset.TEST}
    assert len(split.subsets_of(Rows.of_times("rbspa", 0, time[:0]))) == 0


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
    parts = split.subsets_of(Rows.of_times(group, 0, np.zeros(rows, "M8[ns]")))
    expected = np.array([0.2, 0.3, 0.5])
    sigma = np.sqrt(rows * expected * (1 - expected))
    assert (abs(np.bincount(parts, minlength=3) - rows * expected) < 4.5 * sigma).all()
    # Neighbours are dealt independently: as many equal pairs as chance gives.
    equal = np.mean(parts[1:] == parts[:-1])
    assert abs(equal - (expected**2).sum()) < 0.006


def test_rows_are_dealt_without_a_memory():
    split, time = Split("row", 4, 0.2, 0.2), np.zeros(5000, "M8[ns]")
    whole = split.subsets_of(Rows.of_times("rbspa", 0, time))
    for start, stop in [(0, 1), (1023, 1025), (2048, 5000), (4999, 5000), (10, 10)]:
        part = split.subsets_of(Rows.of_times("rbspa", start, time[start:stop]))
        assert part.dtype == np.int8
        assert part.tolist() == whole[start:stop].tolist()
    assert split.subsets_of(Rows.of_times("rbspb", 0, time)).tolist() != whole.tolist()
    assert Split("row", 5, 0.2, 0.2).subsets_of(Rows.of_times("rbspa", 0, time)).tolist() != whole.tolist()


def test_days_of_joins_spacecraft(factories):
    first = Records(times_on(DAY, DAY + 3), np.zeros((10, 1, 1), "f4"))
    second = Records(times_on(DAY + 3, DAY + 1, per_day=4), np.zeros((8, 1, 1), "f4"))
    readers = {"a": factories.MemoryReader(first, "a"), "b": factories.MemoryReader(second, "b")}
    for rows in (1, 3, 1 << 20):
        assert days_of(readers, rows_at_once=rows).tolist() == [DAY, DAY + 1, DAY + 3]
    assert days_of({}).tolist() == []
