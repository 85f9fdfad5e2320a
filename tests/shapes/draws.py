# SPDX-License-Identifier: BSD-3-Clause
"""A broad set of pitch-angle distributions, Poisson draws of them, and the steps of measuring one by one."""

from __future__ import annotations

import numpy as np

from padflow.shapes.compiled import WIDTH, denoise_block
from padflow.shapes.denoising import denoising_of

LAYOUTS = {"17": (np.arange(17) + 0.5) * 180 / 17, "9": (np.arange(9) + 0.5) * 20}


def broad_set(angles: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    """Return noiseless distributions (pads, pitch_angle): as many of each of nine kinds, four of them series to P6."""
    sine, cosine, from_90 = np.sin(np.radians(angles)), np.cos(np.radians(angles)), angles - 90

    def between(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, (number, 1))

    terms = np.polynomial.legendre.legvander(cosine, 6)[:, [2, 4, 6]].T
    pads = [
        sine ** between(0, 6),
        np.minimum(sine / np.cos(np.radians(between(30, 75))), 1) ** between(1, 6),
        1 + between(0.05, 2) * cosine**2,
        sine ** between(0.2, 2) + between(0.2, 2) * np.exp(-((from_90 / between(8, 20)) ** 2) / 2),
        sine ** between(0, 2) * (1 - between(0.05, 0.8) * np.exp(-((from_90 / between(8, 35)) ** 2))),
        *[np.maximum(1 + random.normal([-0.4, 0, 0], [0.5, 0.15, 0.06], (number, 3)) @ terms, 0.02) for _ in range(4)],
    ]
    return np.concatenate(pads)


def drawn(pads: np.ndarray, counts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return Poisson draws of distributions (pads, pitch_angle) with `counts` (pads,) expected in all."""
    return random.poisson(pads / pads.sum(axis=1, keepdims=True) * counts[:, None])


def denoise(angle: np.ndarray, joined: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    """Denoise counts (angles, pads) of folded bins: what `padflow.shapes.compiled.denoise_block` gives, (..., pads)."""
    pads = counts.shape[1]
    whole = np.ones((len(counts), -(-pads // WIDTH) * WIDTH), np.float32)
    whole[:, :pads] = counts
    matrices = denoising_of(tuple(angle), tuple(joined)).matrices
    blocks = [
        denoise_block(np.ascontiguousarray(whole[:, k : k + WIDTH]), matrices) for k in range(0, whole.shape[1], WIDTH)
    ]
    return [np.concatenate(parts, axis=1)[:, :pads] for parts in zip(*blocks, strict=True)]
