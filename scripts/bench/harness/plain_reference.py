# SPDX-License-Identifier: BSD-3-Clause
"""The published method in memory, as one would write it down: cdflib, scikit-learn, Keras `fit`, Matplotlib.

A program of its own, which knows nothing of padflow. It does what the authors' script does (SCIENCE's list, or
Killey et al. 2023, 10.1093/rasti/rzad035), with NumPy in place of loops over records, values as the files hold
them (float64), arrays let go when they are no longer needed, and a fixed number of epochs.

    python plain_reference.py ARCHIVE OUTPUT --days 13 --epochs 200
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

import cdflib
import numpy as np

EPOCH_OF_1970_MS = 62_167_219_200_000  # CDF_EPOCH counts milliseconds from year 0


def read_files(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return Unix times (ms, int64, (records,)) and flux (float64, (records, 17, 12)) of daily REPT files."""
    times, flux = [], []
    for path in files:
        cdf = cdflib.CDF(path)
        times.append(cdf.varget("Epoch").astype(np.int64) - EPOCH_OF_1970_MS)
        flux.append(cdf.varget("FEDU"))
    return np.concatenate(times), np.concatenate(flux)


def normalise(flux: np.ndarray) -> np.ndarray:
    """Return rows of 204 features: fill, NaN and infinities as 0, each record divided by its largest value."""
    flux = np.where(np.isfinite(flux) & (flux > -9e30), flux, 0)
    largest = flux.max(axis=(1, 2), keepdims=True)
    np.divide(flux, largest, out=flux, where=largest > 0)
    return flux.reshape(len(flux), -1)


def split(records: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of the rows to train on (20 %), to validate on (20 %) and to cluster (60 %)."""
    from sklearn.model_selection import train_test_split

    seen, test = train_test_split(np.arange(records), test_size=0.6, random_state=4)
    train, validation = train_test_split(seen, test_size=0.5, random_state=4)
    return train, validation, test


def train_and_encode(rows: np.ndarray, epochs: int) -> tuple[np.ndarray, np.ndarray, dict[str, list[float]], float]:
    """Train the autoencoder; return the numbers of the test rows, their codes, the losses, and the seconds of `fit`."""
    import keras

    keras.utils.set_random_seed(1)
    train, validation, test = split(len(rows))
    inputs = keras.Input((rows.shape[1],))
    code = keras.layers.Dense(rows.shape[1] // 2, activation="relu")(inputs)
    decoded = keras.layers.Dense(rows.shape[1], activation="sigmoid")(code)
    autoencoder = keras.Model(inputs, decoded)
    autoencoder.compile(optimizer=keras.optimizers.Adam(5e-4), loss="mse")
    x, known = rows[train], rows[validation]
    began = time.monotonic()
    history = autoencoder.fit(x, x, batch_size=256, epochs=epochs, validation_data=(known, known), verbose=0).history
    fit_seconds = time.monotonic() - began
    codes = keras.Model(inputs, code).predict(rows[test], batch_size=4096, verbose=0)
    return test, codes, history, fit_seconds


def pad_class(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, float]]:
    """Return scores (rows, 3), classes by k-means and by mean shift, and metrics."""
    from sklearn.cluster import KMeans, MeanShift, estimate_bandwidth
    from sklearn.decomposition import PCA
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    scores = PCA(3, random_state=0).fit_transform(codes)
    bandwidth = estimate_bandwidth(scores, quantile=0.1, n_samples=6000, random_state=0)
    shifted = MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(scores)
    labels = KMeans(len(shifted.cluster_centers_), random_state=0).fit(scores).labels_
    metrics = {
        "calinski_harabasz": float(calinski_harabasz_score(scores, labels)),
        "davies_bouldin": float(davies_bouldin_score(scores, labels)),
    }
    return scores, labels, shifted.labels_, metrics


def draw(folder: Path, history: dict[str, list[float]], scores: np.ndarray, colours: dict[str, np.ndarray]) -> None:
    """Draw the loss curves, and the scores plain and coloured by each set of classes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    for scale in ("linear", "log"):
        figure, axes = pyplot.subplots()
        for name, losses in history.items():
            axes.plot(losses, label=name)
        axes.set(xlabel="epoch", ylabel="loss", yscale=scale)
        axes.legend()
        figure.savefig(folder / f"loss_{scale}.png")
        pyplot.close(figure)
    for name, colour in {"plain": None, **colours}.items():
        figure, axes = pyplot.subplots()
        axes.scatter(scores[:, 0], scores[:, 1], s=1, c=colour, cmap="tab10")
        axes.set(xlabel="first component", ylabel="second component")
        figure.savefig(folder / f"scores_{name}.png")
        pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=200)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    marks = [("begin", time.monotonic())]
    files = sorted(options.archive.rglob("*.cdf"), key=lambda path: path.name)[: options.days]
    times, flux = read_files(files)
    marks.append(("read", time.monotonic()))
    rows = normalise(flux)
    del flux
    marks.append(("normalise", time.monotonic()))
    test, codes, history, fit_seconds = train_and_encode(rows, options.epochs)
    del rows
    marks.append(("train and encode", time.monotonic()))
    scores, labels, modes, metrics = pad_class(codes)
    marks.append(("pad_class", time.monotonic()))
    draw(options.output, history, scores, {"kmeans": labels, "mean_shift": modes})
    marks.append(("draw", time.monotonic()))
    np.savez(options.output / "labels.npz", time_ms=times[test], label=labels)
    seconds = {name: end - begin for (_, begin), (name, end) in pairwise(marks)}
    facts = {
        "records": len(times),
        "epochs": len(history["loss"]),
        "fit_seconds": fit_seconds,
        "loss": history["loss"][-1],
        "val_loss": history["val_loss"][-1],
        "classes": int(labels.max()) + 1,
        "metrics": metrics,
        "steps": seconds,
    }
    (options.output / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
