# SPDX-License-Identifier: BSD-3-Clause
"""Draw random rows of an archive for training and validation, however long the archive is.

Rows are read at random places, some neighbouring blocks at a time: to read single rows, a whole block would be decoded
for each. They are shuffled, and held in a buffer of bounded size. During training the buffer is renewed piece by piece.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from padflow.autoencoder.split import Split, Subset
from padflow.config.sections import TrainConfig
from padflow.errors import PadflowError
from padflow.features.preprocessor import Preprocessor, Views
from padflow.records import BLOCK_ROWS, Reason
from padflow.store.reading import Reader, needed_rows

RUN_ROWS = 4 * BLOCK_ROWS
"""Rows that are read at one place (chosen: so many that the halo, which is read too, takes little)."""


ALIGNMENT_BYTES = 64
"""TensorFlow uses an array without a copy where its address is a multiple of this; others are copied twice."""


THIN_SHARE = 0.25
"""Share of the rows of a place that is used in long archives, so that rows come from more places (chosen)."""


class RowSampler:
    """Draw rows of features for training and validation at random places of an archive.

    Parameters
    ----------
    readers : mapping of str to Reader
        A reader of each spacecraft.
    preprocessor : Preprocessor or Views
        Makes the rows.
    split : Split
    config : TrainConfig
    seed : int
    threads : int
        Places that are read at the same time. It does not change what is drawn.
    """

    def __init__(
        self,
        readers: Mapping[str, Reader],
        preprocessor: Preprocessor | Views,
        *,
        split: Split,
        config: TrainConfig,
        seed: int,
        threads: int = 2,
    ):
        self._readers, self._preprocessor, self._split, self._config = readers, preprocessor, split, config
        self._random = np.random.default_rng([seed, 1])
        self._order = np.random.default_rng([seed, 2])  # its own: the thread that reads ahead draws from it
        self._threads = threads
        self._places = [
            (group, start) for group in sorted(readers) for start in range(0, readers[group].rows, RUN_ROWS)
        ]
        self._total = sum(reader.rows for reader in readers.values())
        wanted = config.max_rows / config.train_share + config.max_validation_rows / config.validation_share
        self._share = THIN_SHARE if self._total * THIN_SHARE > wanted else 1.0
        self._stream = self._drawn_forever()
        self._refresher: Future | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="padflow-refresh")
        self.train, self.validation, self._all_seen = self._fill()

    def _fill(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """Draw until both buffers are full or all places are read."""
        config = self._config
        # The system gives memory only where rows are written.
        buffers = {
            part: aligned_empty(min(most, self._total), self._preprocessor.features)
            for part, most in ((Subset.TRAIN, config.max_rows), (Subset.VALIDATION, config.max_validation_rows))
        }
        held = dict.fromkeys(buffers, 0)
        all_seen = True
        for places_seen, (rows, parts) in enumerate(self._stream, start=1):
            for part, buffer in buffers.items():
                chosen = rows[parts == part][: len(buffer) - held[part]]
                buffer[held[part] : held[part] + len(chosen)] = chosen
                held[part] += len(chosen)
            if all(held[part] == len(buffer) for part, buffer in buffers.items()):
                all_seen = False
                break
            if places_seen % len(self._places) == 0:
                if self._share == 1:
                    break
                self._share = 1.0  # few records are selected: begin again and use all rows
                held = dict.fromkeys(buffers, 0)
        train, validation = (buffer[: held[part]] for part, buffer in buffers.items())
        for name, drawn in (("training", train), ("validation", validation)):
            if not len(drawn):
                raise PadflowError(
                    f"There is no record for {name}: of {self._total} records "
                    "none that the preprocess section selects falls there. Widen l_range, energy_range or "
                    "time_range, lower min_counts, min_filled_share, min_flux or min_valid_channels, or change "
                    "train.split, train.train_share and train.validation_share."
                )
        shuffled = np.take(train, self._random.permutation(len(train)), 0, mode="clip", out=aligned_empty(*train.shape))
        return shuffled, validation, all_seen and len(train) < config.max_rows

    def _drawn_forever(self) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Yield selected rows and their subsets, place by place, in random orders without end."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="padflow-sample") as pool:
            while True:
                order = self._order.permutation(len(self._places))
                seeds = self._order.integers(2**63, size=len(order))
                ahead: list[Future] = []
                for place, seed in zip(order, seeds, strict=True):
                    group, start = self._places[place]
                    ahead.append(pool.submit(self._draw, group, start, int(seed)))
                    if len(ahead) > self._threads:
                        yield ahead.pop(0).result()
                for future in ahead:
                    yield future.result()

    def _draw(self, group: str, start: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        reader = self._readers[group]
        stop = min(reader.rows, start + RUN_ROWS)
        rows = needed_rows(reader, start, stop, needs=self._preprocessor.needs)
        parts = self._split.subsets_of(rows)
        keep = parts != Subset.TEST
        if self._share < 1:
            keep &= np.random.default_rng(seed).random(len(keep)) < self._share
        kept = []
        for where, _, features in self._preprocessor.blocks(rows):
            keep[where] &= features.reason == Reason.SELECTED
            kept.append(features.rows[keep[where]])
        return np.concatenate(kept), parts[keep]

    def rows_of_epoch(self, epoch: int) -> np.ndarray:
        """Return the rows of an epoch, counted from 0. Call it once for each epoch, in order.

        It is the same array where all rows fit into memory. Otherwise a share of the rows is replaced, at random
        places, by rows that were read during the epoch before.
        """
        if self._all_seen or not self._config.refresh_share:
            return self.train
        if epoch and self._refresher is not None:
            fresh = self._refresher.result()
            renewed = aligned_empty(*self.train.shape)
            renewed[:] = self.train
            renewed[self._random.permutation(len(renewed))[: len(fresh)]] = fresh
            self.train = renewed
        self._refresher = self._pool.submit(self._fresh_rows)
        return self.train

    def _fresh_rows(self) -> np.ndarray:
        wanted = max(1, round(self._config.refresh_share * len(self.train)))
        pieces, held = [], 0
        for _ in range(len(self._places)):
            rows, parts = next(self._stream)
            chosen = rows[parts == Subset.TRAIN][: wanted - held]
            pieces.append(chosen)
            held += len(chosen)
            if held >= wanted:
                break
        return np.concatenate(pieces)

    def close(self) -> None:
        """Stop reading ahead."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stream.close()


def aligned_empty(rows: int, features: int) -> np.ndarray:
    """Return an array of float32 that begins where TensorFlow can use it without a copy."""
    room = np.empty(rows * features * 4 + ALIGNMENT_BYTES, np.uint8)
    start = -room.ctypes.data % ALIGNMENT_BYTES
    return room[start : start + rows * features * 4].view(np.float32).reshape(rows, features)
