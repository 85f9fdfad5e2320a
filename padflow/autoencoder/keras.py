# SPDX-License-Identifier: BSD-3-Clause
"""Train the autoencoder with Keras, and write it as a Keras file.

The network is an ordinary Keras model. `padflow.autoencoder.epoch_graph` trains its weights. TensorFlow is imported
when a function needs it.
"""

from __future__ import annotations

import time
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow.autoencoder.epoch_graph import epoch_function, validation_function
from padflow.autoencoder.epochs import Epoch, ShowEpoch, Trained, as_tensor, check_rows, run_epochs, shuffled
from padflow.autoencoder.keras_denoiser import build_layers
from padflow.autoencoder.network import Network
from padflow.autoencoder.tensorflow import load_tensorflow
from padflow.errors import PadflowError, one_line

if TYPE_CHECKING:
    import keras


def train_autoencoder(
    epochs_of_rows: Callable[[int], np.ndarray],
    validation: np.ndarray,
    *,
    code_size: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int,
    restore_best: bool,
    seed: int,
    progress: ShowEpoch | None = None,
) -> Trained:
    """Train features -> `code_size` ReLU -> features sigmoid to reproduce its input.

    Adam lowers the mean squared error. The same rows, settings and `training_flags` give the same bits of the weights.
    The first use in a process sets TensorFlow to two threads, so that the bits do not depend on the number of cores. A
    process that has imported TensorFlow before keeps its own number of threads.

    Parameters
    ----------
    epochs_of_rows : callable
        ``epochs_of_rows(epoch)`` returns the normalised records of an epoch, shape (rows, features), float32. The array
        must not change later. If an epoch returns the same array object, it is not read again.
    validation : numpy.ndarray
        Normalised records for the validation loss, shape (rows, features), float32.
    code_size : int
        Number of hidden units.
    epochs : int
        Largest number of epochs.
    batch_size : int
        Rows in one step. The last step of an epoch has the rows that are left.
    learning_rate : float
        Step size of Adam.
    patience : int
        Epochs without a lower validation loss after which training stops.
    restore_best : bool
        Return the weights of the best epoch, and not those of the last one.
    seed : int
        Decides the initial weights and the order of rows.
    progress : callable, optional
        ``progress(epoch, loss, val_loss, rows_per_second)``. It is called after the next epoch is trained too, for an
        epoch is validated while the next one is trained. The speed is that of training.

    Returns
    -------
    Trained

    Raises
    ------
    PadflowError
        Where there are no rows for training or validation, where rows hold NaN or infinity, or where the loss diverges.
    """
    check_rows(validation, "validation", "train.validation_share or train.split")
    tf, keras = load_tensorflow()
    model = _build(keras, validation.shape[1], code_size, seed)
    training = _Training(tf, model, epochs_of_rows, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    validate = partial(validation_function(tf, training.weights), as_tensor(tf, validation))
    history, best_epoch = run_epochs(
        training.next_epoch,
        validate,
        model,
        epochs=epochs,
        patience=patience,
        restore_best=restore_best,
        learning_rate=learning_rate,
        progress=progress,
    )
    return Trained(_network(model), history, best_epoch, model)


class _Training:
    """Trains copies of the weights of a Keras model, epoch by epoch. The model itself is not changed."""

    def __init__(
        self,
        tf: Any,
        model: keras.Model,
        epochs_of_rows: Callable[[int], np.ndarray],
        *,
        batch_size: int,
        learning_rate: float,
        seed: int,
    ):
        self.weights = [tf.Variable(variable.value) for variable in model.trainable_variables]
        self._tf, self._epochs_of_rows, self._batch_size, self._seed = tf, epochs_of_rows, batch_size, seed
        self._run = epoch_function(tf, self.weights, batch_size, learning_rate)
        self._epoch = self._steps = 0
        self._rows: np.ndarray | None = None
        self._tensor: Any = None

    def next_epoch(self) -> Epoch:
        tf, rows = self._tf, self._epochs_of_rows(self._epoch)
        count = len(rows)
        if rows is not self._rows:
            check_rows(rows, "training", "train.train_share or train.split")
            self._rows, self._tensor = rows, as_tensor(tf, rows)
        began = time.perf_counter()
        order = shuffled(count, self._seed, self._epoch)
        loss = float(self._run(self._tensor, order, tf.constant(self._steps, tf.int64)))
        seconds = time.perf_counter() - began
        self._epoch += 1
        self._steps += -(-count // self._batch_size)
        return Epoch(loss, [tf.identity(weights) for weights in self.weights], count / seconds)


def save_keras(trained: Trained, path: str | Path) -> None:
    """Write the autoencoder as a Keras file, whose name must end in ``.keras``."""
    with warnings.catch_warnings():
        # Keras 3.15 warns of its own code with NumPy 2.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        trained.model.save(path)


def load_keras(path: str | Path) -> keras.Model:
    """Open an autoencoder that `save_keras` has written. Only its weights are read; no code in the file is run.

    Raises
    ------
    PadflowError
        Where the file is missing or damaged, or holds a network that is not of padflow.
    """
    if Path(path).suffix != ".keras":
        raise PadflowError(f"{path} is no model/autoencoder.keras of padflow's: its name must end in .keras.")
    from padflow.autoencoder.keras_file import read_keras_weights

    try:
        weights = list(read_keras_weights(Path(path)).values())
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise PadflowError(
            f"{path} cannot be opened as a Keras model: {one_line(str(error))} It should be a model/autoencoder.keras "
            "that padflow wrote; fit the model again or copy the file again."
        ) from error
    _, keras = load_tensorflow()
    sizes = [len(weights[0]), *(len(biases) for biases in weights[1::2])]
    model = _build(keras, sizes[0], sizes[1], 0) if len(sizes) == 3 else build_layers(keras, sizes, seed=0)
    model.set_weights(weights)
    return model


def _build(keras: Any, features: int, code_size: int, seed: int) -> keras.Model:
    seed_encode, seed_decode = (int(state) for state in np.random.SeedSequence(seed).generate_state(2))
    glorot = keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((features,), dtype="float32", name="record"),  # also where the user has set another floatx
            keras.layers.Dense(
                code_size, "relu", kernel_initializer=glorot(seed_encode), dtype="float32", name="encode"
            ),
            keras.layers.Dense(
                features, "sigmoid", kernel_initializer=glorot(seed_decode), dtype="float32", name="decode"
            ),
        ],
        name="autoencoder",
    )


def _network(model: keras.Model) -> Network:
    return Network(*(np.array(weights) for weights in model.get_weights()))
