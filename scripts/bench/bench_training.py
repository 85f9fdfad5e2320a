# SPDX-License-Identifier: BSD-3-Clause
"""Rows a second of training the autoencoder: padflow, Keras ``fit``, and the machine's matrix products alone.

The bound is a loop over nothing but the five float32 products of a training step (two forward, three back), of
the same shapes, in the same threads and the same halves of a batch. The three take turns, so that other work on
the machine weighs on all alike; Keras runs in a process of its own, with TensorFlow's default threads.

    python scripts/bench/bench_training.py --json training.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from padflow.autoencoder import epoch_graph, tensorflow
from padflow.autoencoder import keras as keras_module
from padflow.autoencoder.epochs import shuffled

FEATURES, CODE, BATCH = 204, 102, 256
FLOP_PER_ROW = 5 * 2 * FEATURES * CODE


def pads(rows: int) -> np.ndarray:
    """Smooth records between 0 and 1, float32, of REPT's 17 pitch angles and 12 energies."""
    rng = np.random.default_rng(1)
    sine = np.sin(np.radians((np.arange(17) + 0.5) * 180 / 17))[None, :, None].astype(np.float32)
    power = rng.uniform(-0.5, 3, (rows, 1, 12)).astype(np.float32)
    flux = (sine**power).reshape(rows, FEATURES) * rng.uniform(0.8, 1.2, (rows, FEATURES)).astype(np.float32)
    return flux / flux.max(axis=1, keepdims=True)


@cache
def padflow_epoch(rows: int):
    tf, keras = tensorflow.load_tensorflow()
    model = keras_module._build(keras, FEATURES, CODE, 1)
    weights = [variable.value for variable in model.trainable_variables]
    return tf, weights, tf.constant(pads(rows)), epoch_graph.epoch_function(tf, weights, BATCH, 5e-4)


def time_padflow(rows: int) -> float:
    tf, _, data, epoch = padflow_epoch(rows)
    order = shuffled(rows, 1, 0)
    began = time.perf_counter()
    epoch(data, order, tf.constant(0, tf.int64)).numpy()
    return rows / (time.perf_counter() - began)


@cache
def products(rows: int):
    tf, weights, data, _ = padflow_epoch(rows)
    w_encode, w_decode = tf.constant(weights[0].numpy()), tf.constant(weights[2].numpy())
    parts = [tf.identity(data[:size]) for size in [BATCH // epoch_graph.BATCH_PARTS] * epoch_graph.BATCH_PARTS]

    def step(x, total):
        # Adding a zero that depends on the step before keeps TensorFlow from working it out once for all.
        code = tf.matmul(x, w_encode + 0 * total)
        decoded = tf.matmul(code, w_decode)
        by_code = tf.matmul(decoded, w_decode, transpose_b=True)
        by_decode_weights = tf.matmul(code, decoded, transpose_a=True)
        by_encode_weights = tf.matmul(x, by_code, transpose_a=True)
        return by_encode_weights[0, 0] + by_decode_weights[0, 0]

    def loop():
        def body(number, *totals):
            return number + 1, *(step(x, total) for x, total in zip(parts, totals, strict=True))

        return tf.while_loop(lambda number, *_: number < rows // BATCH, body, (0, *(0.0 for _ in parts)))

    return tf.function(loop, autograph=False).get_concrete_function()


def time_products(rows: int) -> float:
    loop = products(rows)
    began = time.perf_counter()
    float(loop()[1])
    return rows / (time.perf_counter() - began)


@cache
def keras_model(rows: int):
    tensorflow.INTRA_OP_THREADS = tensorflow.BATCH_PARTS = 0  # TensorFlow's own default
    _, keras = tensorflow.load_tensorflow()
    model = keras_module._build(keras, FEATURES, CODE, 1)
    model.compile(optimizer=keras.optimizers.Adam(5e-4), loss="mse")
    return model, pads(rows)


def time_keras(rows: int) -> float:
    model, data = keras_model(rows)
    began = time.perf_counter()
    model.fit(data, data, batch_size=BATCH, epochs=1, verbose=0)
    return rows / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=204_800)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    rates: dict[str, list[float]] = {"keras_fit": [], "padflow": [], "products": []}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as keras_process:
        for repeat in range(options.repeats + 1):
            turn = {
                "keras_fit": keras_process.submit(time_keras, options.rows).result(),
                "padflow": time_padflow(options.rows),
                "products": time_products(options.rows),
            }
            if repeat:  # the first turn compiles
                for name, rate in turn.items():
                    rates[name].append(rate)
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    result = {
        "rows_per_second": {name: round(rate) for name, rate in medians.items()},
        "products_gflop_per_second": round(medians["products"] * FLOP_PER_ROW / 1e9, 1),
        "padflow_over_keras_fit": round(medians["padflow"] / medians["keras_fit"], 2),
        "padflow_over_products": round(medians["padflow"] / medians["products"], 3),
        "best_rows_per_second": {name: round(max(values)) for name, values in rates.items()},
        "batch_size": BATCH,
        "flags": tensorflow.training_flags(),
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
