# SPDX-License-Identifier: BSD-3-Clause
"""Compile an epoch of training as one TensorFlow graph.

The network is small, so that `Model.fit` of Keras spends most of its time outside of it. Here an epoch is a loop. It
gathers shuffled rows, computes gradients by formulas that are written by hand, and lets TensorFlow's own Adam kernel
update the variables. docs/notes/training.md says what was tried to make it fast. Functions get TensorFlow as an
argument, so that this module does not import it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

BATCH_PARTS = 2
"""Parts of a batch. Each has a thread of its own."""


STEPS_UNROLLED = 8
"""Steps in one turn of the loop (chosen): each turn costs as much as a small operation."""


VALIDATION_ROWS = 2048


BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
"""Parameters of Adam, with the defaults of Keras (Kingma and Ba 2015, arXiv:1412.6980, with epsilon 1e-7)."""


def gradient_sums(tf: Any, rows: Any, weights: list, w_back: Any) -> tuple:
    """Return half the summed squared error of some rows, and its gradients by the four weights.

    `w_back` is W2 transposed.

    With h = relu(x W1 + b1), y = sigmoid(h W2 + b2) and E = sum((y - x)^2) / 2:
    dE/dz2 = (y - x) y (1 - y), dE/dW2 = h^T dE/dz2, dE/dz1 = (dE/dz2 W2^T) [h > 0], dE/dW1 = x^T dE/dz1.
    The gradient by the input is not needed.
    """
    w_encode, b_encode, w_decode, b_decode = weights
    raw, do = tf.raw_ops, _in_turn(tf)
    code = do(lambda: tf.nn.relu(tf.nn.bias_add(tf.matmul(rows, w_encode), b_encode)))
    decoded = do(lambda: tf.sigmoid(tf.nn.bias_add(tf.matmul(code, w_decode), b_decode)))
    difference = do(lambda: decoded - rows)
    by_decoded = do(lambda: raw.SigmoidGrad(y=decoded, dy=difference))
    by_hidden = do(lambda: tf.matmul(by_decoded, w_back))
    by_code = do(lambda: raw.ReluGrad(gradients=by_hidden, features=code))
    gradients = (
        do(lambda: tf.matmul(rows, by_code, transpose_a=True)),
        do(lambda: raw.BiasAddGrad(out_backprop=by_code)),
        do(lambda: tf.matmul(code, by_decoded, transpose_a=True)),
        do(lambda: raw.BiasAddGrad(out_backprop=by_decoded)),
    )
    return do(lambda: tf.nn.l2_loss(difference)), gradients


def _in_turn(tf: Any) -> Callable:
    """Return a function that runs operations one after another, so that one thread does all of them.

    Without it TensorFlow gives operations to the other thread wherever it can. That thread has to wake up first, and
    does not have the input in its cache.
    """
    last: list = []

    def do(operation: Callable) -> Any:
        with tf.control_dependencies(last):
            last[:] = [operation()]
        return last[0]

    return do


class _Adam:
    """Takes steps of Adam, which update variables in place.

    Parameters
    ----------
    tf : module
    weights : list of tf.Variable
    batch_size : int
    learning_rate : float
    """

    def __init__(self, tf: Any, weights: list, batch_size: int, learning_rate: float):
        self._tf, self._weights, self._learning_rate = tf, weights, learning_rate
        self._moments = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in weights]
        # Adam's step does not change when gradient and epsilon are scaled by the same factor. So the gradient of the
        # summed half-squares takes the place of that of the mean, which is smaller by this factor.
        self._gradient_scale = batch_size * weights[0].shape[0] / 2

    def step(self, rows: Any, halves: list, powers: list, *, after: list | None = None, rescale: Any = None) -> list:
        """Take a step by a batch; return half the summed squared error of each of its halves."""
        tf = self._tf
        current = [w.read_value() for w in self._weights]
        w_back = tf.transpose(current[2])  # once, and not in each product
        parts = []
        for number, half in enumerate(halves):
            # A thread that has done its half of a step gathers rows of the next step, while the other one works.
            with tf.control_dependencies(after[number : number + 1] if after else []):
                gathered = tf.gather(rows, half)
            parts.append(gradient_sums(tf, gathered, current, w_back))
        for variable, moments, *gradients in zip(
            self._weights, self._moments, *(gradients for _, gradients in parts), strict=True
        ):
            gradient = functools.reduce(tf.add, gradients)
            self._update(variable, moments, powers, gradient if rescale is None else gradient * rescale)
        return [half_squares for half_squares, _ in parts]

    def _update(self, variable: Any, moments: tuple, powers: list, gradient: Any) -> None:
        epsilon = EPSILON * self._gradient_scale
        apply_adam(self._tf, variable, moments, powers, gradient, learning_rate=self._learning_rate, epsilon=epsilon)


def apply_adam(
    tf: Any, variable: Any, moments: tuple, powers: Any, gradient: Any, *, learning_rate: Any, epsilon: float = EPSILON
) -> None:
    """Update a variable and its two moments in place; `powers` are those of BETA_1 and BETA_2 by the step."""
    (mean, square), (power_1, power_2) = moments, powers
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=power_1,
        beta2_power=power_2,
        lr=learning_rate,
        beta1=BETA_1,
        beta2=BETA_2,
        epsilon=epsilon,
        grad=gradient,
    )


def epoch_function(tf: Any, weights: list, batch_size: int, learning_rate: float) -> Callable:
    """Compile ``epoch(rows, order, steps before) -> loss``, which updates `weights` in place."""
    step = _Adam(tf, weights, batch_size, learning_rate).step

    def epoch(rows: Any, order: Any, steps_before: Any) -> Any:
        whole = tf.size(order) // batch_size
        numbers = tf.cast(steps_before + 1 + tf.range(tf.cast(whole + 1, tf.int64)), tf.float32)
        powers = tf.stack([tf.pow(BETA_1, numbers), tf.pow(BETA_2, numbers)], axis=1)

        def turn(number: Any, total: Any, steps: int) -> tuple:
            # For all steps of a turn at once, for each small operation takes time.
            batches = order[number * batch_size : (number + steps) * batch_size]
            halves = tf.split(batches, _halves(batch_size) * steps)
            pairs = tf.unstack(tf.reshape(powers[number : number + steps], (2 * steps,)), num=2 * steps)
            half_squares: list = []
            for i in range(steps):
                mine = slice(BATCH_PARTS * i, BATCH_PARTS * (i + 1))
                half_squares += step(rows, halves[mine], pairs[2 * i : 2 * i + 2], after=half_squares[-BATCH_PARTS:])
            return number + steps, total + _double_sum(tf, half_squares)

        done = (0, tf.constant(0, tf.float64))
        for steps in (STEPS_UNROLLED, 1):
            most = whole - steps
            done = tf.while_loop(
                lambda number, _, most=most: number <= most, functools.partial(turn, steps=steps), done
            )
        left = order[whole * batch_size :]

        def last() -> Any:
            count = tf.size(left)
            halves = tf.split(left, _halves(count), num=BATCH_PARTS)
            rescale = batch_size / tf.cast(count, tf.float32)
            return _double_sum(tf, step(rows, halves, tf.unstack(powers[whole], num=2), rescale=rescale))

        total = done[1] + tf.cond(tf.size(left) > 0, last, lambda: tf.constant(0, tf.float64))
        return 2 * total / tf.cast(tf.size(rows, out_type=tf.int64), tf.float64)

    # A concrete function is built once for any number of rows, so that there is no warning of retracing.
    return tf.function(epoch, autograph=False, jit_compile=False).get_concrete_function(
        tf.TensorSpec((None, weights[0].shape[0]), tf.float32),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((), tf.int64),
    )


def _double_sum(tf: Any, values: list) -> Any:
    return tf.cast(tf.add_n(values), tf.float64)


def _halves(rows: Any) -> list:
    return [rows * (part + 1) // BATCH_PARTS - rows * part // BATCH_PARTS for part in range(BATCH_PARTS)]


def validation_function(tf: Any, weights: list) -> Callable:
    """Compile ``validation(rows, *weights) -> loss``: the mean squared error, block by block to bound the memory.

    It uses the weights that it gets as arguments. `weights` only gives their shapes, for training may change them
    meanwhile.
    """

    def validation(rows: Any, w_encode: Any, b_encode: Any, w_decode: Any, b_decode: Any) -> Any:
        def body(start: Any, total: Any) -> tuple:
            block = rows[start : start + VALIDATION_ROWS]
            code = tf.nn.relu(tf.nn.bias_add(tf.matmul(block, w_encode), b_encode))
            decoded = tf.sigmoid(tf.nn.bias_add(tf.matmul(code, w_decode), b_decode))
            return start + VALIDATION_ROWS, total + tf.cast(tf.nn.l2_loss(decoded - block), tf.float64)

        count = tf.shape(rows)[0]
        _, total = tf.while_loop(lambda start, _: start < count, body, (0, tf.constant(0, tf.float64)))
        return 2 * total / tf.cast(tf.size(rows, out_type=tf.int64), tf.float64)

    return tf.function(validation, autograph=False, jit_compile=False).get_concrete_function(
        tf.TensorSpec((None, weights[0].shape[0]), tf.float32), *(tf.TensorSpec(w.shape, tf.float32) for w in weights)
    )
