"""Train the autoencoder: the only module that uses TensorFlow, and only inside its functions.

`Model.fit` of Keras spends most of its time around so small a network rather than in it. Here a whole epoch
is one compiled graph: a loop that gathers shuffled rows, works out gradients by formulas written by hand, and
lets TensorFlow's own Adam kernel update the variables of an ordinary Keras model.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow.errors import PadflowError
from padflow.network import Network
from padflow.sampling import ALIGNMENT_BYTES
from padflow.startup_log import without_startup_log

if TYPE_CHECKING:
    import keras

# Each batch is worked on in two halves, a thread for each, and every operation stays in its thread: to split
# matrices as small as these inside an operation costs more than it gains. It also keeps the bits the same on
# any number of cores.
BATCH_PARTS = 2
INTRA_OP_THREADS = 1

# Steps in one turn of the loop: a turn costs as much as a small operation.
STEPS_UNROLLED = 4

VALIDATION_ROWS = 2048

# Adam as Keras has it by default (Kingma and Ba 2015, arXiv:1412.6980, with epsilon 1e-7).
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7

_import_lock = threading.Lock()


@dataclass(frozen=True)
class Trained:
    """What training gives.

    Parameters
    ----------
    network : Network
        The weights, for use without TensorFlow.
    history : dict of str to list of float
        ``loss`` and ``val_loss`` of each epoch: mean squared errors of the normalised flux.
    best_epoch : int
        Epoch of the lowest validation loss, counted from 0.
    model : keras.Model
        The same network as a Keras model.
    """

    network: Network
    history: dict[str, list[float]]
    best_epoch: int
    model: keras.Model


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
    progress: Callable[[int, float, float, float], None] | None = None,
) -> Trained:
    """Train features -> `code_size` ReLU -> features sigmoid to reproduce its input.

    The mean squared error is lowered by Adam. The weights depend on the rows, the settings and
    `training_flags`, bit for bit. The first use in a process sets TensorFlow to two threads, so they do not
    depend on the number of cores; a process that imported TensorFlow before keeps its own threads.

    Parameters
    ----------
    epochs_of_rows : callable
        ``epochs_of_rows(epoch)`` returns the normalised records to train on in that epoch, shape
        (rows, features), float32; it must not change afterwards. The same array object again is not read again.
    validation : numpy.ndarray
        Normalised records for the validation loss, shape (rows, features), float32.
    code_size : int
        Number of hidden units.
    epochs : int
        Largest number of epochs.
    batch_size : int
        Rows in one step; the last step of an epoch takes what is left.
    learning_rate : float
        Adam's step size.
    patience : int
        Epochs without a lower validation loss after which training stops.
    restore_best : bool
        Return the weights of the best epoch rather than of the last one.
    seed : int
        Decides the initial weights and the order of rows.
    progress : callable, optional
        Called after each epoch as ``progress(epoch, loss, val_loss, rows_per_second)``.

    Returns
    -------
    Trained

    Raises
    ------
    PadflowError
        If there are no rows to train on or to validate with, if they hold NaN or infinity, or if the loss
        diverges.
    """
    _check_rows(validation, "validation", "train.validation_share or train.split")
    tf, keras = _tensorflow()
    model = _build(keras, validation.shape[1], code_size, seed)
    weights = [variable.value for variable in model.trainable_variables]
    run_epoch = _epoch_function(tf, weights, batch_size, learning_rate)
    run_validation = _validation_function(tf, weights)
    validation = _tensor(tf, validation)

    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", mode="min", patience=patience, restore_best_weights=restore_best
    )
    stopping.set_model(model)
    stopping.on_train_begin()
    model.stop_training = False
    history: dict[str, list[float]] = {"loss": [], "val_loss": []}
    rows = tensor = None
    steps = 0
    for epoch in range(epochs):
        previous, rows = rows, epochs_of_rows(epoch)
        if rows is not previous:
            _check_rows(rows, "training", "train.train_share or train.split")
            tensor = _tensor(tf, rows)
        began = time.perf_counter()
        loss = float(run_epoch(tensor, _shuffled(len(rows), seed, epoch), tf.constant(steps, tf.int64)))
        rows_per_second = len(rows) / (time.perf_counter() - began)
        steps += -(-len(rows) // batch_size)
        val_loss = float(run_validation(validation))
        if not (np.isfinite(loss) and np.isfinite(val_loss)):
            raise PadflowError(
                f"Training diverged: in epoch {epoch} the loss became {loss} and the validation loss "
                f"{val_loss}. Lower train.learning_rate, now {learning_rate:g}."
            )
        history["loss"].append(loss)
        history["val_loss"].append(val_loss)
        if progress is not None:
            progress(epoch, loss, val_loss, rows_per_second)
        stopping.on_epoch_end(epoch, {"val_loss": val_loss})
        if model.stop_training:
            break
    stopping.on_train_end()
    return Trained(_network(model), history, stopping.best_epoch, model)


def training_flags() -> dict[str, str | int | bool]:
    """Versions and switches that the bits of trained weights depend on, for the provenance of a run."""
    tf, keras = _tensorflow()
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "TF_ENABLE_ONEDNN_OPTS": os.environ["TF_ENABLE_ONEDNN_OPTS"],
        "xla": False,
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def save_keras(trained: Trained, path: str | Path) -> None:
    """Write the autoencoder as a Keras file, whose name must end in ``.keras``."""
    with warnings.catch_warnings():
        # Keras 3.15 with NumPy 2 and later; it is Keras' own affair.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        trained.model.save(path)


def load_keras(path: str | Path) -> keras.Model:
    """Open an autoencoder written by `save_keras`; code in the file is not run.

    Raises
    ------
    PadflowError
        If the file is missing, damaged or unsafe.
    """
    if Path(path).suffix != ".keras":  # Keras opens older formats without its safe mode
        raise PadflowError(f"{path} is no model/autoencoder.keras of padflow's: its name must end in .keras.")
    _, keras = _tensorflow()
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PadflowError(
            f"{path} cannot be opened as a Keras model: {error} It should be a model/autoencoder.keras that "
            "padflow wrote; fit the model again or copy the file again."
        ) from error


def _tensor(tf: Any, rows: np.ndarray) -> Any:
    """Return rows as a tensor: the same memory where it lies as TensorFlow wants it, else a copy."""
    if rows.dtype == np.float32 and rows.flags.carray and rows.ctypes.data % ALIGNMENT_BYTES == 0:
        return tf.experimental.dlpack.from_dlpack(rows.__dlpack__())
    return tf.convert_to_tensor(rows, dtype=tf.float32)


def _check_rows(rows: np.ndarray, use: str, keys: str) -> None:
    if len(rows) == 0:
        raise PadflowError(
            f"There are no {use} rows: the split left none of the usable records for {use}. "
            f"Change {keys}, or take a longer period."
        )
    # The extremes carry any NaN or infinity, and need no temporary array as large as the rows.
    if not (np.isfinite(rows.min()) and np.isfinite(rows.max())):
        raise PadflowError(
            f"The {use} rows hold NaN or infinity, which would spread to every weight: select only whole "
            "records, or fill gaps, in the preprocess section."
        )


def _shuffled(rows: int, seed: int, epoch: int) -> np.ndarray:
    """Order of the rows in one epoch, int32: a full shuffle, as Keras does."""
    order = np.arange(rows, dtype=np.int32)
    np.random.default_rng([seed, epoch]).shuffle(order)
    return order


def _build(keras: Any, features: int, code_size: int, seed: int) -> keras.Model:
    seed_encode, seed_decode = (int(state) for state in np.random.SeedSequence(seed).generate_state(2))
    glorot = keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((features,), name="record"),
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


def _gradient_sums(tf: Any, rows: Any, weights: list) -> tuple:
    """Half the summed squared error of some rows, and its gradients by each of the four weights.

    With h = relu(x W1 + b1), y = sigmoid(h W2 + b2) and E = sum((y - x)^2) / 2:
    dE/dz2 = (y - x) y (1 - y), dE/dW2 = h^T dE/dz2, dE/dz1 = (dE/dz2 W2^T) [h > 0], dE/dW1 = x^T dE/dz1.
    The gradient by the input is never needed.
    """
    w_encode, b_encode, w_decode, b_decode = weights
    raw, do = tf.raw_ops, _in_turn(tf)
    code = do(lambda: tf.nn.relu(tf.nn.bias_add(tf.matmul(rows, w_encode), b_encode)))
    decoded = do(lambda: tf.sigmoid(tf.nn.bias_add(tf.matmul(code, w_decode), b_decode)))
    difference = do(lambda: decoded - rows)
    by_decoded = do(lambda: raw.SigmoidGrad(y=decoded, dy=difference))
    by_hidden = do(lambda: tf.matmul(by_decoded, w_decode, transpose_b=True))
    by_code = do(lambda: raw.ReluGrad(gradients=by_hidden, features=code))
    gradients = (
        do(lambda: tf.matmul(rows, by_code, transpose_a=True)),
        do(lambda: raw.BiasAddGrad(out_backprop=by_code)),
        do(lambda: tf.matmul(code, by_decoded, transpose_a=True)),
        do(lambda: raw.BiasAddGrad(out_backprop=by_decoded)),
    )
    return do(lambda: tf.nn.l2_loss(difference)), gradients


def _in_turn(tf: Any) -> Callable:
    """Return a function that runs operations one after another, so that one thread keeps a chain of them.

    Left free, TensorFlow hands every operation that could run aside to the other thread, which has to be
    woken for it and has none of its input in its cache.
    """
    last: list = []

    def do(operation: Callable) -> Any:
        with tf.control_dependencies(last):
            last[:] = [operation()]
        return last[0]

    return do


def _epoch_function(tf: Any, weights: list, batch_size: int, learning_rate: float) -> Callable:
    """Compile ``epoch(rows, order, steps before) -> loss``, which updates `weights` in place."""
    features = weights[0].shape[0]
    moments = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in weights]
    # Adam's step does not change when gradient and epsilon are scaled alike, so the gradient of the summed
    # half-squares stands for that of the mean, which is this much smaller.
    gradient_scale = batch_size * features / 2

    def step(rows, halves, powers, rescale=None):
        current = [w.read_value() for w in weights]
        parts = [_gradient_sums(tf, tf.gather(rows, half), current) for half in halves]
        power_1, power_2 = tf.unstack(powers, num=2)
        for variable, (mean, square), *gradients in zip(
            weights, moments, *(gradients for _, gradients in parts), strict=True
        ):
            gradient = functools.reduce(tf.add, gradients)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=learning_rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON * gradient_scale,
                grad=gradient if rescale is None else gradient * rescale,
            )
        return tf.cast(tf.add_n([half_squares for half_squares, _ in parts]), tf.float64)

    def epoch(rows, order, steps_before):
        whole = tf.size(order) // batch_size
        batches, left = tf.reshape(order[: whole * batch_size], (-1, batch_size)), order[whole * batch_size :]
        # Here at once: every small operation that a step is spared counts.
        numbers = tf.cast(steps_before + 1 + tf.range(tf.cast(whole + 1, tf.int64)), tf.float32)
        powers = tf.stack([tf.pow(BETA_1, numbers), tf.pow(BETA_2, numbers)], axis=1)

        def body(number, total, steps):
            for _ in range(steps):
                total += step(rows, tf.split(batches[number], _halves(batch_size)), powers[number])
                number += 1
            return number, total

        done = (0, tf.constant(0, tf.float64))
        for steps in (STEPS_UNROLLED, 1):
            most = whole - steps
            done = tf.while_loop(
                lambda number, _, most=most: number <= most, functools.partial(body, steps=steps), done
            )
        total = done[1]

        def last():
            count = tf.size(left)
            return step(
                rows,
                tf.split(left, _halves(count), num=BATCH_PARTS),
                powers[whole],
                batch_size / tf.cast(count, tf.float32),
            )

        total += tf.cond(tf.size(left) > 0, last, lambda: tf.constant(0, tf.float64))
        return 2 * total / tf.cast(tf.size(rows, out_type=tf.int64), tf.float64)

    # A concrete function: built once for any number of rows, and Keras is not left to warn about retracing.
    return tf.function(epoch, autograph=False, jit_compile=False).get_concrete_function(
        tf.TensorSpec((None, features), tf.float32),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((), tf.int64),
    )


def _halves(rows: Any) -> list:
    return [rows * (part + 1) // BATCH_PARTS - rows * part // BATCH_PARTS for part in range(BATCH_PARTS)]


def _validation_function(tf: Any, weights: list) -> Callable:
    """Compile ``validation(rows) -> loss``: the mean squared error, in blocks that bound the memory."""
    w_encode, b_encode, w_decode, b_decode = weights

    def validation(rows):
        def body(start, total):
            block = rows[start : start + VALIDATION_ROWS]
            code = tf.nn.relu(tf.nn.bias_add(tf.matmul(block, w_encode), b_encode))
            decoded = tf.sigmoid(tf.nn.bias_add(tf.matmul(code, w_decode), b_decode))
            return start + VALIDATION_ROWS, total + tf.cast(tf.nn.l2_loss(decoded - block), tf.float64)

        count = tf.shape(rows)[0]
        _, total = tf.while_loop(lambda start, _: start < count, body, (0, tf.constant(0, tf.float64)))
        return 2 * total / tf.cast(tf.size(rows, out_type=tf.int64), tf.float64)

    return tf.function(validation, autograph=False, jit_compile=False).get_concrete_function(
        tf.TensorSpec((None, weights[0].shape[0]), tf.float32)
    )


def _tensorflow() -> tuple[Any, Any]:
    """Import TensorFlow and Keras quietly, with the threads that suit so small a network."""
    with _import_lock:
        first = "tensorflow" not in sys.modules
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # its default, written down for `training_flags`
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        with without_startup_log() if first else contextlib.nullcontext():
            import keras
            import tensorflow as tf
        if keras.backend.backend() != "tensorflow":
            raise PadflowError(
                f"Keras is set to use {keras.backend.backend()}, but padflow trains with TensorFlow: "
                "set KERAS_BACKEND=tensorflow before Python starts."
            )
        if first:
            tf.config.threading.set_intra_op_parallelism_threads(INTRA_OP_THREADS)
            tf.config.threading.set_inter_op_parallelism_threads(BATCH_PARTS)
    return tf, keras
