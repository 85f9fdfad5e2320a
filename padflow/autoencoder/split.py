# SPDX-License-Identifier: BSD-3-Clause
"""Deal records into training, validation and test, by days or by rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from padflow.config.sections import TrainConfig
from padflow.errors import ConfigError
from padflow.records import Reason, Rows, uniform_hash
from padflow.store.reading import Reader


def fit_rows(reason: np.ndarray, split: Split | None, rows: Rows) -> np.ndarray:
    """Mark the rows that components and classes are fitted to: the selected ones; with `split`, those of test only.

    Parameters
    ----------
    reason : ndarray of int8, shape (rows,)
        `Reason` of each of `rows`.
    """
    chosen = reason == Reason.SELECTED
    if split is not None:
        chosen &= split.subsets_of(rows) == Subset.TEST
    return chosen


class Subset(IntEnum):
    """The three subsets of the split."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


@dataclass(frozen=True)
class Split:
    """Deals records into training, validation and test.

    Parameters
    ----------
    by : {"day", "row"}
        Whether whole UTC days are dealt, the same for all spacecraft, or single records.
    seed : int
    train_share, validation_share : float
    days : tuple of int
        Where `by` is ``"day"``: the days that were dealt, counted from 1970-01-01, ascending. All other days are test.
    parts : tuple of int
        The `Subset` of each of these days.
    """

    by: str
    seed: int
    train_share: float
    validation_share: float
    days: tuple[int, ...] = ()
    parts: tuple[int, ...] = ()

    @staticmethod
    def deal(config: TrainConfig, seed: int, *, days: np.ndarray) -> Split:
        """Make the split of a configuration, for an archive with records on these days.

        Raises
        ------
        ConfigError
            Where there are fewer than two days.
        """
        shares = (config.train_share, config.validation_share)
        if config.split == "row":
            return Split("row", seed, *shares)
        days = np.unique(days)
        if len(days) < 2:
            raise ConfigError(
                f"train.split=day needs records of at least 2 days, but there are {len(days)}; use train.split=row."
            )
        train = min(len(days) - 1, max(1, round(shares[0] * len(days))))
        validation = min(len(days) - train, max(1, round(shares[1] * len(days))))
        parts = np.full(len(days), Subset.TEST)
        order = np.random.default_rng(seed).permutation(len(days))
        parts[order[:train]] = Subset.TRAIN
        parts[order[train : train + validation]] = Subset.VALIDATION
        return Split("day", seed, *shares, tuple(days.tolist()), tuple(parts.tolist()))

    def subsets_of(self, rows: Rows) -> np.ndarray:
        """Return the `Subset` of each row, int8.

        Single rows are dealt by a hash of seed, group and row number. So no list of all rows is needed.
        """
        if self.by == "row":
            share = uniform_hash(self.seed, rows.group, rows.numbers)
            edges = np.array([self.train_share, self.train_share + self.validation_share])
            return np.searchsorted(edges, share, side="right").astype(np.int8)
        days = np.asarray(self.days)
        day = rows.time.astype("datetime64[D]").astype(np.int64)
        place = np.minimum(np.searchsorted(days, day), len(days) - 1)
        return np.where(days[place] == day, np.asarray(self.parts)[place], Subset.TEST).astype(np.int8)


def days_of(readers: Mapping[str, Reader], *, rows_at_once: int = 1 << 20) -> np.ndarray:
    """Return the UTC days with records, counted from 1970-01-01. Only times are read."""
    found = [np.empty(0, np.int64)]
    for reader in readers.values():
        for start in range(0, reader.rows, rows_at_once):
            time = reader.times(start, min(reader.rows, start + rows_at_once))
            found.append(np.unique(time.astype("datetime64[D]").astype(np.int64)))
    return np.unique(np.concatenate(found))
