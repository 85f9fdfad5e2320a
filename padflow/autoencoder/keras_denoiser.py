# SPDX-License-Identifier: BSD-3-Clause
"""Train the denoiser: even spins of a window in, odd spins out, and back.

Both views come from one shape, with counting noise that is independent. So what can be told of one view from the other
is the shape, and never the noise. TensorFlow is imported when a function needs it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow.autoencoder.concentration import estimate_concentration
from padflow.autoencoder.denoiser import CODE_LAYER, LAYERS, DenoisingNetwork, network_inputs
from padflow.autoencoder.epoch_graph import BETA_1, BETA_2, VALIDATION_ROWS, apply_adam
from padflow.autoencoder.epochs import Epoch, ShowEpoch, Trained, as_tensor, check_rows, run_epochs, shuffled
from padflow.autoencoder.sampler import aligned_empty
from padflow.autoencoder.tensorflow import load_tensorflow
from padflow.blas import one_blas_thread

if TYPE_CHECKING:
    import keras

WIDTH = 128
"""Units of the layers with ReLU (chosen)."""


MOST_COUNTS = np.float32(1000)
"""Counts of an energy beyond which it weighs no more (chosen): else the brightest records decide alone."""


def train_denoiser(
    epochs_of_rows: Callable[[int], np.ndarray],
    validation: np.ndarray,
    *,
    energies: int,
    code_size: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int,
    restore_best: bool,
    seed: int,
    progress: ShowEpoch | None = None,
) -> Trained:
    """Train a network to tell from one view of a record how the counts of the other are shared out.

    Adam, with a learning rate that falls to 0 by a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983), lowers the
    negative logarithm of the multinomial likelihood of the other view's counts. The same rows, settings and
    `training_flags` give the same bits of the weights, as those of `padflow.autoencoder.keras.train_autoencoder`.

    Parameters
    ----------
    epochs_of_rows : callable
        ``epochs_of_rows(epoch)`` returns the rows of an epoch, shape (rows, 2 x features), float32: counts of the even
        and of the odd spins, as `padflow.features.preprocessor.Views` makes them.
    validation : numpy.ndarray
        Rows for the validation loss and the concentration, of the same kind.
    energies : int
        Number of energies.
    code_size : int
        Number of values in a code.
    batch_size : int
        Rows in one step; each gives two pairs of views.
    epochs, learning_rate, patience, restore_best, seed, progress
        As in `train_autoencoder`; `learning_rate` is the first one.

    Returns
    -------
    Trained
        Its losses are Kullback-Leibler divergences from the shares of the other view's counts, times these counts (at
        most `MOST_COUNTS`), in the mean over energies: about half the number of pitch angles is counting noise.

    Raises
    ------
    PadflowError
        Where there are no rows for training or validation, where rows hold NaN or infinity, or where the loss diverges.
    """
    check_rows(validation, "validation", "train.validation_share or train.split")
    tf, keras = load_tensorflow()
    model = build_denoiser(keras, validation.shape[1] // 2, energies, code_size=code_size, seed=seed)
    training = _Training(
        tf,
        model,
        epochs_of_rows,
        energies=energies,
        batch_size=batch_size,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
    )
    function, pairs = _validation_function(tf, training.weights, energies), _Pairs(tf, validation, energies)
    validate = partial(_validate, function, pairs, energies)
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
    return Trained(_denoiser(model, validation, energies), history, best_epoch, model)


def build_denoiser(keras: Any, features: int, energies: int, *, code_size: int, seed: int) -> keras.Model:
    """Return the untrained network from inputs to logits, as the denoiser has it."""
    return build_layers(keras, [features + energies, WIDTH, WIDTH, code_size, WIDTH, WIDTH, features], seed=seed)


def build_layers(keras: Any, sizes: list[int], *, seed: int) -> keras.Model:
    """Return dense layers of some sizes, the first that of the input."""
    seeds = np.random.SeedSequence(seed).generate_state(LAYERS)
    layers = [
        keras.layers.Dense(
            size,
            "relu" if number % CODE_LAYER else None,
            kernel_initializer=keras.initializers.GlorotUniform(int(seeds[number - 1])),
            dtype="float32",
        )
        for number, size in enumerate(sizes[1:], start=1)
    ]
    return keras.Sequential([keras.Input(sizes[:1], dtype="float32"), *layers], name="denoiser")


def _denoiser(model: keras.Model, validation: np.ndarray, energies: int) -> DenoisingNetwork:
    """Return the network of a Keras model, with concentrations from rows that it was not trained on."""
    names = (field.name for field in fields(DenoisingNetwork))
    arrays = {name: np.array(weights) for name, weights in zip(names, model.get_weights(), strict=False)}
    network = DenoisingNetwork(**arrays, concentration=np.ones(energies), half_counts=np.ones(energies))
    even, odd = np.split(validation, 2, axis=1)
    seen, other = np.concatenate([even, odd]), np.concatenate([odd, even])
    with one_blas_thread():
        shares = network.shares(seen)
    concentration, half_counts = estimate_concentration(other, shares, seen=seen, energies=energies)
    return replace(network, concentration=concentration, half_counts=half_counts)


class _Pairs:
    """Pairs of views as tensors: first all even spins with the odd ones as targets, then the other way round."""

    def __init__(self, tf: Any, rows: np.ndarray, energies: int):
        views = np.split(rows, 2, axis=1)
        features, self.rows = views[0].shape[1], len(rows)
        inputs, targets = (aligned_empty(2 * len(rows), size) for size in (features + energies, features))
        self.least_loss = 0.0
        for number, (given, other) in enumerate(zip(views, views[::-1], strict=True)):
            place = slice(number * len(rows), (number + 1) * len(rows))
            inputs[place] = network_inputs(given, energies)
            targets[place] = _capped(other, energies)
            self.least_loss += _entropy(targets[place], energies)
        self.inputs, self.targets = as_tensor(tf, inputs), as_tensor(tf, targets)

    def mean_divergence(self, loss: float, energies: int) -> float:
        """Return what a summed loss is beyond the least, for each pair and energy."""
        return (loss - self.least_loss) / (2 * self.rows * energies)


def _capped(counts: np.ndarray, energies: int) -> np.ndarray:
    """Scale each energy's counts down to `MOST_COUNTS`, where it has more."""
    by_angle = counts.reshape(len(counts), -1, energies)
    total = by_angle.sum(axis=1, keepdims=True)
    return (by_angle * (MOST_COUNTS / np.maximum(total, MOST_COUNTS))).reshape(counts.shape)


def _entropy(counts: np.ndarray, energies: int) -> float:
    """Return the negative log likelihood, summed, of counts with the shares that they have themselves."""
    by_angle = counts.reshape(len(counts), -1, energies)
    total = by_angle.sum(axis=1)
    tiny = np.finfo(np.float32).tiny
    terms = (total * np.log(np.maximum(total, tiny))).sum(dtype="f8")
    return float(terms - (by_angle * np.log(np.maximum(by_angle, tiny))).sum(dtype="f8"))


class _Training:
    """Trains copies of the weights of a Keras model, epoch by epoch. The model itself is not changed."""

    def __init__(
        self,
        tf: Any,
        model: keras.Model,
        epochs_of_rows: Callable[[int], np.ndarray],
        *,
        energies: int,
        batch_size: int,
        epochs: int,
        learning_rate: float,
        seed: int,
    ):
        self.weights = [tf.Variable(variable.value) for variable in model.trainable_variables]
        self._tf, self._epochs_of_rows, self._batch_size, self._seed = tf, epochs_of_rows, batch_size, seed
        self._energies, self._epochs = energies, epochs
        self._run = _epoch_function(tf, self.weights, energies, batch_size=batch_size, learning_rate=learning_rate)
        self._epoch = self._steps = 0
        self._rows: np.ndarray | None = None
        self._pairs: _Pairs | None = None

    def next_epoch(self) -> Epoch:
        tf, rows = self._tf, self._epochs_of_rows(self._epoch)
        if rows is not self._rows:
            check_rows(rows, "training", "train.train_share or train.split")
            self._pairs = None  # first, for the next ones take as much memory
            self._rows, self._pairs = rows, _Pairs(tf, rows, self._energies)
        assert self._pairs is not None, "they are made with the first rows"
        began, steps = time.perf_counter(), -(-len(rows) // self._batch_size)
        order = shuffled(len(rows), self._seed, self._epoch)
        first, end = (tf.constant(number, tf.float32) for number in (self._steps + 1, steps * self._epochs))
        loss = self._pairs.mean_divergence(
            float(self._run(self._pairs.inputs, self._pairs.targets, order, first, end)), self._energies
        )
        seconds = time.perf_counter() - began
        self._epoch += 1
        self._steps += steps
        return Epoch(loss, [tf.identity(weights) for weights in self.weights], len(rows) / seconds)


def _loss(tf: Any, inputs: Any, targets: Any, weights: list, energies: int) -> Any:
    """Return the negative log likelihood of targets, summed, without what does not depend on the weights."""
    values = inputs
    for number, (w, b) in enumerate(zip(weights[::2], weights[1::2], strict=True), start=1):
        values = tf.nn.bias_add(tf.matmul(values, w), b)
        values = tf.nn.relu(values) if number % CODE_LAYER else values
    logits, counts = (tf.reshape(each, (tf.shape(each)[0], -1, energies)) for each in (values, targets))
    return -tf.reduce_sum(counts * tf.nn.log_softmax(logits, axis=1))


def _epoch_function(tf: Any, weights: list, energies: int, *, batch_size: int, learning_rate: float) -> Callable:
    """Compile ``epoch(inputs, targets, order, first step, number of steps) -> loss``; it updates `weights`."""
    moments = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in weights]

    def epoch(inputs: Any, targets: Any, order: Any, first_step: Any, all_steps: Any) -> Any:
        rows = tf.size(order)

        def step(number: Any, total: Any) -> tuple:
            batch = order[number * batch_size : (number + 1) * batch_size]
            current = [w.read_value() for w in weights]
            losses, gradients = [], []
            for view in range(2):  # each has a thread of its own
                pairs = batch + view * rows
                loss = _loss(tf, tf.gather(inputs, pairs), tf.gather(targets, pairs), current, energies)
                losses.append(loss)
                gradients.append(tf.gradients(loss, current))
            scale = 1 / tf.cast(2 * energies * tf.size(batch), tf.float32)
            count = first_step + tf.cast(number, tf.float32)
            powers = tf.pow(BETA_1, count), tf.pow(BETA_2, count)
            rate = learning_rate * (1 + tf.cos(math.pi * (count - 1) / all_steps)) / 2
            for variable, held, even, odd in zip(weights, moments, *gradients, strict=True):
                apply_adam(tf, variable, held, powers, (even + odd) * scale, learning_rate=rate)
            return number + 1, total + tf.cast(tf.add_n(losses), tf.float64)

        turns = -(-rows // batch_size)
        _, total = tf.while_loop(lambda number, _: number < turns, step, (0, tf.constant(0, tf.float64)))
        return total

    number = tf.TensorSpec((), tf.float32)
    return _compiled(tf, epoch, weights, tf.TensorSpec((None,), tf.int32), number, number)


def _validation_function(tf: Any, weights: list, energies: int) -> Callable:
    """Compile ``validation(inputs, targets, *weights) -> loss``, block by block to bound the memory."""

    def validation(inputs: Any, targets: Any, *given: Any) -> Any:
        def body(start: Any, total: Any) -> tuple:
            block = slice(start, start + VALIDATION_ROWS)
            loss = _loss(tf, inputs[block], targets[block], list(given), energies)
            return start + VALIDATION_ROWS, total + tf.cast(loss, tf.float64)

        rows = tf.shape(inputs)[0]
        return tf.while_loop(lambda start, _: start < rows, body, (0, tf.constant(0, tf.float64)))[1]

    return _compiled(tf, validation, weights, *(tf.TensorSpec(w.shape, tf.float32) for w in weights))


def _compiled(tf: Any, function: Callable, weights: list, *others: Any) -> Callable:
    # A concrete function is built once for any number of rows, so that there is no warning of retracing.
    sizes = weights[0].shape[0], weights[-1].shape[0]
    rows = [tf.TensorSpec((None, size), tf.float32) for size in sizes]
    return tf.function(function, autograph=False, jit_compile=False).get_concrete_function(*rows, *others)


def _validate(validation: Callable, pairs: _Pairs, energies: int, *weights: Any) -> float:
    return pairs.mean_divergence(float(validation(pairs.inputs, pairs.targets, *weights)), energies)
