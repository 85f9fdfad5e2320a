# SPDX-License-Identifier: BSD-3-Clause
"""Train epoch after epoch, with early stopping: what is the same for every network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow.autoencoder.denoiser import AnyNetwork
from padflow.autoencoder.sampler import ALIGNMENT_BYTES
from padflow.autoencoder.tensorflow import load_tensorflow
from padflow.errors import PadflowError

if TYPE_CHECKING:
    import keras


ShowEpoch = Callable[[int, float, float, float], None]
"""Takes the number of an epoch, counted from 0, its loss, its validation loss, and rows per second."""


@dataclass(frozen=True)
class Trained:
    """A trained autoencoder.

    Parameters
    ----------
    network : Network or DenoisingNetwork
        The weights, for use without TensorFlow.
    history : dict of str to list of float
        ``loss`` and ``val_loss`` of each epoch: mean squared errors of the normalised flux, or divergences, see
        `padflow.autoencoder.keras_denoiser.train_denoiser`.
    best_epoch : int
        Epoch of the lowest validation loss, counted from 0.
    model : keras.Model
        The same network as a Keras model.
    """

    network: AnyNetwork
    history: dict[str, list[float]]
    best_epoch: int
    model: keras.Model


@dataclass(frozen=True)
class Epoch:
    """The result of an epoch: its loss, a copy of the weights after it, and its speed."""

    loss: float
    weights: list
    rows_per_second: float


def run_epochs(
    next_epoch: Callable[[], Epoch],
    validate: Callable[..., Any],
    model: keras.Model,
    *,
    epochs: int,
    patience: int,
    restore_best: bool,
    learning_rate: float,
    progress: ShowEpoch | None = None,
) -> tuple[dict[str, list[float]], int]:
    """Train until the validation loss does not fall any more; `model` gets the weights that are kept.

    Parameters
    ----------
    next_epoch : callable
        Trains an epoch.
    validate : callable
        ``validate(*weights)`` returns the validation loss. It runs while the next epoch is trained.
    epochs, patience, restore_best, learning_rate, progress
        As in `padflow.autoencoder.keras.train_autoencoder`.

    Returns
    -------
    dict of str to list of float
        ``loss`` and ``val_loss`` of each epoch.
    int
        Epoch of the lowest validation loss, counted from 0.

    Raises
    ------
    PadflowError
        Where a loss diverges.
    """
    stopping = _early_stopping(model, patience=patience, restore_best=restore_best)
    losses: dict[str, list[float]] = {"loss": [], "val_loss": []}
    with ThreadPoolExecutor(1) as beside:
        ahead = next_epoch()
        for epoch in range(epochs):
            # Validate while the next epoch is trained: training alone leaves a quarter of two cores idle.
            done, validated = ahead, beside.submit(validate, *ahead.weights)
            if epoch + 1 < epochs:
                ahead = next_epoch()
            val_loss = float(validated.result())
            _check_losses(epoch, done.loss, val_loss, learning_rate=learning_rate)
            losses["loss"].append(done.loss)
            losses["val_loss"].append(val_loss)
            if progress is not None:
                progress(epoch, done.loss, val_loss, done.rows_per_second)
            model.set_weights([weights.numpy() for weights in done.weights])
            stopping.on_epoch_end(epoch, {"val_loss": val_loss})
            if model.stop_training:
                break
    stopping.on_train_end()
    return losses, stopping.best_epoch


def _early_stopping(model: keras.Model, *, patience: int, restore_best: bool) -> Any:
    """Return Keras' own early stopping, which sets ``model.stop_training`` where it is time to stop."""
    _, keras = load_tensorflow()
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", mode="min", patience=patience, restore_best_weights=restore_best
    )
    stopping.set_model(model)
    stopping.on_train_begin()
    model.stop_training = False
    return stopping


def _check_losses(epoch: int, loss: float, val_loss: float, *, learning_rate: float) -> None:
    if not (np.isfinite(loss) and np.isfinite(val_loss)):
        raise PadflowError(
            f"Training diverged: in epoch {epoch} the loss became {loss} and the validation loss {val_loss}. "
            f"Lower train.learning_rate, now {learning_rate:g}."
        )


def check_rows(rows: np.ndarray, use: str, keys: str) -> None:
    """Refuse rows that are none, or hold NaN or infinity.

    Parameters
    ----------
    use : str
        What the rows are for.
    keys : str
        Keys of the configuration that decide how many there are.

    Raises
    ------
    PadflowError
    """
    if len(rows) == 0:
        raise PadflowError(
            f"There are no {use} rows: the split left none of the usable records for {use}. "
            f"Change {keys}, or take a longer period."
        )
    # The extremes are NaN or infinite where any value is. They need no temporary array as large as the rows.
    if not (np.isfinite(rows.min()) and np.isfinite(rows.max())):
        raise PadflowError(
            f"The {use} rows hold NaN or infinity, which would spread to every weight: select only whole "
            "records, or fill gaps, in the preprocess section."
        )


def as_tensor(tf: Any, rows: np.ndarray) -> Any:
    """Return rows as a tensor, without a copy where TensorFlow can use their memory."""
    if rows.dtype == np.float32 and rows.flags.carray and rows.ctypes.data % ALIGNMENT_BYTES == 0:
        return tf.experimental.dlpack.from_dlpack(rows.__dlpack__())
    return tf.convert_to_tensor(rows, dtype=tf.float32)


def shuffled(rows: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of the rows in one epoch, int32: all are shuffled, as in Keras."""
    order = np.arange(rows, dtype=np.int32)
    np.random.default_rng([seed, epoch]).shuffle(order)
    return order
