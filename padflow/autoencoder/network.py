# SPDX-License-Identifier: BSD-3-Clause
"""The trained autoencoder as four plain arrays: encode and decode with NumPy, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from padflow.errors import PadflowError

CACHED_ROWS = 1024
"""Rows that are decoded at a time: 1024 x 204 float32 are 0.8 MB, which fit into the cache of a core."""


@dataclass(frozen=True)
class Network:
    """An autoencoder with one hidden layer: features -> ``code`` ReLU units -> features through a sigmoid.

    Parameters
    ----------
    w_encode : numpy.ndarray
        Encoder weights, shape (features, code), float32.
    b_encode : numpy.ndarray
        Encoder biases, shape (code,), float32.
    w_decode : numpy.ndarray
        Decoder weights, shape (code, features), float32.
    b_decode : numpy.ndarray
        Decoder biases, shape (features,), float32.

    Raises
    ------
    PadflowError
        Where the four shapes do not fit together, or a value is not finite.
    """

    w_encode: np.ndarray
    b_encode: np.ndarray
    w_decode: np.ndarray
    b_decode: np.ndarray

    def __post_init__(self) -> None:
        for field in fields(self):
            array = np.ascontiguousarray(getattr(self, field.name), dtype=np.float32)
            if not np.isfinite(array).all():
                raise PadflowError(f"The network's {field.name} holds NaN or infinity: train it again.")
            object.__setattr__(self, field.name, array)
        shapes = {field.name: getattr(self, field.name).shape for field in fields(self)}
        features, code = self.w_encode.shape if self.w_encode.ndim == 2 else (None, None)
        expected = {
            "w_encode": (features, code),
            "b_encode": (code,),
            "w_decode": (code, features),
            "b_decode": (features,),
        }
        if shapes != expected:
            raise PadflowError(
                "The network's arrays do not fit together: w_encode (features, code), b_encode (code,), "
                f"w_decode (code, features) and b_decode (features,) were expected, found {shapes}."
            )

    @property
    def features(self) -> int:
        """Number of values in a record."""
        return self.w_encode.shape[0]

    @property
    def code_size(self) -> int:
        """Number of values in a code."""
        return self.w_encode.shape[1]

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Encode records: ``max(x @ w_encode + b_encode, 0)``.

        Parameters
        ----------
        x : numpy.ndarray
            Normalised records, shape (n, features), float32.

        Returns
        -------
        numpy.ndarray
            Codes, shape (n, code), float32. A NaN in a record makes its whole code NaN.
        """
        code = np.empty((len(x), self.code_size), dtype=np.float32)
        for block in _blocks(len(x)):
            part = np.matmul(x[block], self.w_encode, out=code[block])
            part += self.b_encode
            np.maximum(part, 0, out=part)
        return code

    def decode(self, code: np.ndarray) -> np.ndarray:
        """Decode codes to the records they stand for: ``sigmoid(code @ w_decode + b_decode)``.

        Parameters
        ----------
        code : numpy.ndarray
            Codes, shape (n, code), float32.

        Returns
        -------
        numpy.ndarray
            Normalised records between 0 and 1, shape (n, features), float32.
        """
        records = np.empty((len(code), self.features), dtype=np.float32)
        for block in _blocks(len(code)):
            self._decode_into(code[block], records[block])
        return records

    def decoder_slopes(self, code: np.ndarray) -> np.ndarray:
        """Return how the decoded record changes with each value of the code, at one code.

        Parameters
        ----------
        code : numpy.ndarray
            The code, shape (code,).

        Returns
        -------
        numpy.ndarray
            Jacobian of `decode`, shape (code, features), float64.
        """
        decoded = self.decode(np.asarray(code, np.float32)[None])[0].astype(np.float64)
        return self.w_decode * (decoded * (1 - decoded))

    def reconstruction_error(self, x: np.ndarray, code: np.ndarray) -> np.ndarray:
        """Return the mean squared difference between each record and its decoded code.

        Parameters
        ----------
        x : numpy.ndarray
            Normalised records, shape (n, features), float32.
        code : numpy.ndarray
            Their codes from `encode`, shape (n, code), float32.

        Returns
        -------
        numpy.ndarray
            Error of each record, shape (n,), float32, in squares of the normalised flux.
        """
        error = np.empty(len(x), dtype=np.float32)
        scratch = np.empty((min(len(x), CACHED_ROWS), self.features), dtype=np.float32)
        for block in _blocks(len(x)):
            difference = scratch[: block.stop - block.start]
            self._decode_into(code[block], difference)
            difference -= x[block]
            np.einsum("ij,ij->i", difference, difference, out=error[block])
        error /= self.features
        return error

    def _decode_into(self, code: np.ndarray, out: np.ndarray) -> None:
        np.matmul(code, self.w_decode, out=out)
        out += self.b_decode
        # sigmoid(z) = (1 + tanh(z / 2)) / 2: exact, and tanh cannot overflow as exp(-z) does in float32.
        out *= 0.5
        np.tanh(out, out=out)
        out += 1
        out *= 0.5

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the four arrays by name, to be written into an ``.npz``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Network:
        """Return the network that `to_arrays` gave; other names in the mapping are left alone.

        Raises
        ------
        PadflowError
            Where one of the four arrays is missing, or they do not fit together.
        """
        missing = [field.name for field in fields(cls) if field.name not in arrays]
        if missing:
            raise PadflowError(
                f"The model's arrays lack {', '.join(missing)}: it was not saved whole; fit and save again."
            )
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _blocks(rows: int) -> list[slice]:
    return [slice(start, min(start + CACHED_ROWS, rows)) for start in range(0, rows, CACHED_ROWS)]
