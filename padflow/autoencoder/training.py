# SPDX-License-Identifier: BSD-3-Clause
"""Train the autoencoder on rows drawn from an archive.

This module imports nothing for later fits, so that the process that trains loads neither scikit-learn nor distributed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow.autoencoder.epochs import ShowEpoch
from padflow.autoencoder.sampler import RowSampler
from padflow.autoencoder.split import Split, days_of
from padflow.config.sections import Config
from padflow.features.preprocessor import Preprocessor, Views
from padflow.store.reading import Reader

if TYPE_CHECKING:
    from padflow.autoencoder.epochs import Trained


CODE_OF_SHAPES = 16
"""Values in a code where the target is other spins (chosen)."""


def code_size(config: Config, features: int) -> int:
    """Return the number of values in a code: as configured, or what suits the target of training."""
    usual = CODE_OF_SHAPES if config.train.target == "other_spins" else max(1, features // 2)
    return config.train.code_size or usual


def deal_split(config: Config, readers: Mapping[str, Reader]) -> Split:
    """Deal the records of an archive into training, validation and test."""
    days = days_of(readers) if config.train.split == "day" else np.empty(0, np.int64)
    return Split.deal(config.train, config.seed_of("split"), days=days)


def train_network(
    readers: Mapping[str, Reader],
    preprocessor: Preprocessor,
    *,
    split: Split,
    config: Config,
    show_epoch: ShowEpoch | None = None,
) -> tuple[Trained, dict[str, Any]]:
    """Train the autoencoder on rows drawn from an archive.

    Returns
    -------
    Trained
        Network, history and Keras model.
    dict
        History, numbers of rows, speed, and the flags that change bits, for the description of the model.
    """
    # Imported here, for TensorFlow takes seconds and 600 MB.
    from padflow.autoencoder.keras import train_autoencoder
    from padflow.autoencoder.keras_denoiser import train_denoiser
    from padflow.autoencoder.tensorflow import training_flags

    train, spins = config.train, config.train.target == "other_spins"
    maker = Views(preprocessor) if spins else preprocessor
    sampler = RowSampler(readers, maker, split=split, config=train, seed=config.seed)
    train_on: Callable[..., Trained] = train_autoencoder
    if spins:
        train_on = partial(train_denoiser, energies=len(preprocessor.energy))
    rates: list[float] = []

    def progress(epoch: int, loss: float, val_loss: float, rows_per_second: float) -> None:
        rates.append(rows_per_second)
        if show_epoch is not None:
            show_epoch(epoch, loss, val_loss, rows_per_second)

    try:
        trained = train_on(
            sampler.rows_of_epoch,
            sampler.validation,
            code_size=code_size(config, preprocessor.features),
            epochs=train.epochs,
            batch_size=train.batch_size,
            learning_rate=train.learning_rate,
            patience=train.patience,
            restore_best=train.restore_best,
            seed=config.seed,
            progress=progress,
        )
    finally:
        sampler.close()
    info = {
        "target": train.target,
        "history": trained.history,
        "best_epoch": trained.best_epoch,
        "rows": len(sampler.train),
        "validation_rows": len(sampler.validation),
        "rows_per_second": float(np.median(rates)),
        "flags": training_flags(),
    }
    return trained, info
