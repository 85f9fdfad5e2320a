# SPDX-License-Identifier: BSD-3-Clause
"""The trained denoiser as plain arrays: from the counts of a window to its likely shape, without TensorFlow.

Arrays within are bins first: what is added up over pitch angles is then a few long rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from padflow.autoencoder.compiled import add_bias, divide_by_sum, put_posterior, put_root_shares, subtract_largest
from padflow.autoencoder.network import CACHED_ROWS, Network
from padflow.errors import PadflowError

LOG_SCALE = np.float32(4)
"""Logarithms of counts are divided by this, so that inputs are of order 1 (chosen)."""


LAYERS = 6
CODE_LAYER = 3
"""Number of layers, and the number of the one that gives the code, counted from 1."""


@dataclass(frozen=True)
class DenoisingNetwork:
    """A network that was trained to tell from the counts of some spins how those of their neighbours are shared out.

    Six dense layers: inputs -> ReLU -> ReLU -> code -> ReLU -> ReLU -> logits, and at each energy a softmax over pitch
    angles. Inputs are those of `network_inputs`. Arrays are float32.

    Parameters
    ----------
    w_1, w_2, w_3, w_4, w_5, w_6 : numpy.ndarray
        Weights of the layers, shape (in, out). The first takes features + energies, the third gives the code, the last
        gives features: pitch angles x energies, energy fastest.
    b_1, b_2, b_3, b_4, b_5, b_6 : numpy.ndarray
        Biases, shape (out,).
    concentration, half_counts : numpy.ndarray
        How many counts the network's shares stand for at each energy, shape (energies,): the concentration of a
        Dirichlet prior, and the counts at which it is half, see `concentration_at`.

    Raises
    ------
    PadflowError
        Where shapes do not fit together, a value is not finite, or one that must be positive is not.
    """

    w_1: np.ndarray
    b_1: np.ndarray
    w_2: np.ndarray
    b_2: np.ndarray
    w_3: np.ndarray
    b_3: np.ndarray
    w_4: np.ndarray
    b_4: np.ndarray
    w_5: np.ndarray
    b_5: np.ndarray
    w_6: np.ndarray
    b_6: np.ndarray
    concentration: np.ndarray
    half_counts: np.ndarray

    def __post_init__(self) -> None:
        for field in fields(self):
            array = np.ascontiguousarray(getattr(self, field.name), dtype=np.float32)
            if not np.isfinite(array).all():
                raise PadflowError(f"The denoiser's {field.name} holds NaN or infinity: train it again.")
            object.__setattr__(self, field.name, array)
        if not self._fits_together():
            shapes = {field.name: getattr(self, field.name).shape for field in fields(self)}
            raise PadflowError(
                "The denoiser's arrays do not fit together: w_1 (features + energies, out), w_6 (in, features), each "
                "layer taking what the one before gives, concentration and half_counts (energies,) were expected, "
                f"found {shapes}."
            )
        for name in ("concentration", "half_counts"):
            if not (getattr(self, name) > 0).all():
                raise PadflowError(f"The denoiser's {name} is not positive: train it again.")

    def _fits_together(self) -> bool:
        layers = self._layers(1, LAYERS)
        if any(w.ndim != 2 or b.shape != w.shape[1:] for w, b in layers):
            return False
        chained = all(b.shape == w.shape[:1] for (_, b), (w, _) in pairwise(layers))
        energies = len(self.concentration) if self.concentration.ndim == 1 else 0
        divides = energies > 0 and self.features % energies == 0 and self.half_counts.shape == (energies,)
        return chained and divides and len(self.w_1) == self.features + energies

    @property
    def features(self) -> int:
        """Number of values in a record: pitch angles times energies."""
        return self.w_6.shape[1]

    @property
    def energies(self) -> int:
        """Number of energies."""
        return len(self.concentration)

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """Return how the network alone shares out each energy's counts over pitch angles.

        Parameters
        ----------
        counts : numpy.ndarray
            Counts of windows, shape (n, features), float32.

        Returns
        -------
        numpy.ndarray
            Shares, shape (n, features), float32; those of an energy add up to 1.
        """
        shares = np.empty((len(counts), self.features), np.float32)
        network = self._network()
        for block, by_bin in _whole_blocks(counts):
            found = network(_inputs(by_bin.reshape(-1, self.energies, CACHED_ROWS))[0])
            shares[block] = found.reshape(self.features, -1).T[: block.stop - block.start]
        return shares

    def estimate(self, counts: np.ndarray) -> Estimate:
        """Estimate how the counts of windows would be shared out without counting noise.

        The network's shares p are a Dirichlet prior of concentration K. With counts n of total N the posterior mean m
        is (n + K p) / (N + K). Where counts are few, the network saw no more than these: so the effective counts are
        N + C with the smaller C of `concentration_at`, and the variance of a share is m (1 - m) / (N + C + 1).

        Parameters
        ----------
        counts : numpy.ndarray
            Counts of windows, shape (n, features), float32.
        """
        angles = self.features // self.energies
        out = Estimate.empty(len(counts), angles, self.energies)
        network = self._network()
        half = self.half_counts[:, None]
        shares, error = np.empty((angles, self.energies, CACHED_ROWS), np.float32), np.empty(CACHED_ROWS, np.float32)
        for block, by_bin in _whole_blocks(counts):
            rows, by_angle = block.stop - block.start, by_bin.reshape(shares.shape)
            inputs, total = _inputs(by_angle)
            roots = inputs[: self.features].reshape(shares.shape)
            put_posterior(network(inputs), by_angle, roots, total, self.concentration, shares, error)
            effective = total + concentration_at(total, self.concentration[:, None], half)
            if len(counts) == CACHED_ROWS:  # one whole block, as a run gives them: nothing needs to be copied
                return Estimate(shares, effective, error)
            out.shares[:, :, block], out.error[block] = shares[:, :, :rows], error[:rows]
            out.effective[:, block] = effective[:, :rows]
        return out

    def _network(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return what makes inputs into shares (angles, energies, rows); the next call overwrites them."""
        layers = _Layers(self._layers(1, LAYERS))
        return lambda inputs: self._softmax(layers(inputs))

    def _softmax(self, logits: np.ndarray) -> np.ndarray:
        """Turn logits (features, n) into shares (angles, energies, n), in place."""
        shares = logits.reshape(-1, self.energies, logits.shape[1])
        subtract_largest(shares)
        np.exp(shares, out=shares)
        divide_by_sum(shares)
        return shares

    def _layers(self, first: int, last: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(getattr(self, f"w_{number}"), getattr(self, f"b_{number}")) for number in range(first, last + 1)]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, to be written into an ``.npz``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> DenoisingNetwork:
        """Return the denoiser that `to_arrays` gave; other names in the mapping are left alone.

        Raises
        ------
        PadflowError
            Where an array is missing, or they do not fit together.
        """
        missing = [field.name for field in fields(cls) if field.name not in arrays]
        if missing:
            raise PadflowError(
                f"The model's arrays lack {', '.join(missing)}: it was not saved whole; fit and save again."
            )
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class Estimate:
    """What a denoiser estimates of n windows. Arrays are float32.

    Parameters
    ----------
    shares : numpy.ndarray
        Posterior means, shape (angles, energies, n); those of an energy add up to 1.
    effective : numpy.ndarray
        Effective counts N + C, shape (energies, n).
    error : numpy.ndarray
        Mean squared difference between the roots of the shares of counts and of the network's own, shape (n,).
    """

    shares: np.ndarray
    effective: np.ndarray
    error: np.ndarray

    @classmethod
    def empty(cls, rows: int, angles: int, energies: int) -> Estimate:
        """Return arrays to be filled."""
        shapes = ((angles, energies, rows), (energies, rows), (rows,))
        return cls(*(np.empty(shape, np.float32) for shape in shapes))


AnyNetwork = Network | DenoisingNetwork
"""What training gives, by its target."""


def network_from_arrays(arrays: Mapping[str, np.ndarray]) -> AnyNetwork:
    """Return the network whose arrays are among those of a file."""
    return (DenoisingNetwork if "concentration" in arrays else Network).from_arrays(arrays)


def concentration_at(counts: np.ndarray, concentration: np.ndarray, half_counts: np.ndarray) -> np.ndarray:
    """Return the concentration of a network that saw so many counts N: K (1 + N) / (1 + N + H).

    It is K where counts are many, and less where the network itself had little to go by (the form is chosen).
    """
    return concentration * (1 + counts) / (1 + counts + half_counts)


class _Layers:
    """Dense layers one after another, with ReLU between them but not around the code, and memory for whole blocks."""

    def __init__(self, layers: list[tuple[np.ndarray, np.ndarray]]):
        self._layers = [(w.T, b, np.empty((len(b), CACHED_ROWS), np.float32)) for w, b in layers]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return what the last layer gives, (out, rows); the next call overwrites it."""
        for number, (weights, bias, out) in enumerate(self._layers, start=1):
            np.matmul(weights, values, out=out)
            add_bias(bias, number % CODE_LAYER > 0, out)
            values = out
        return values


def network_inputs(counts: np.ndarray, energies: int) -> np.ndarray:
    """Return what the network takes: root shares of each energy's counts, and the logarithm of its number.

    The roots have about the same noise in all bins (Bartlett 1936, 10.2307/2983678). The numbers say how large it is.

    Parameters
    ----------
    counts : numpy.ndarray
        Counts of windows, shape (n, features), float32.

    Returns
    -------
    numpy.ndarray
        Shape (n, features + energies), float32: roots of shares (of 0 to 1), then log10(1 + counts) / 4 of each energy.
    """
    inputs = np.empty((len(counts), counts.shape[1] + energies), np.float32)
    for block, by_bin in _whole_blocks(counts):
        made, _ = _inputs(by_bin.reshape(-1, energies, CACHED_ROWS))
        inputs[block] = made.T[: block.stop - block.start]
    return inputs


def _inputs(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs, bins first, of counts (angles, energies, rows), and the counts of each energy."""
    total = np.empty(counts.shape[1:], np.float32)
    bins = counts.shape[0] * counts.shape[1]
    inputs = np.empty((bins + len(total), counts.shape[2]), np.float32)
    put_root_shares(counts, total, inputs[:bins].reshape(counts.shape))
    np.log10(1 + total, out=inputs[bins:])
    inputs[bins:] /= LOG_SCALE
    return inputs, total


def _whole_blocks(rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows in blocks of `CACHED_ROWS`, bins first, the last one filled up with zeros.

    BLAS adds in another order where there are fewer rows: so bits do not depend on how many there are.
    """
    by_bin = np.zeros((rows.shape[1], CACHED_ROWS), np.float32)
    for start in range(0, len(rows), CACHED_ROWS):
        block = slice(start, min(start + CACHED_ROWS, len(rows)))
        by_bin[:, : block.stop - start] = rows[block].T
        by_bin[:, block.stop - start :] = 0
        yield block, by_bin
