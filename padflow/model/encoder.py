# SPDX-License-Identifier: BSD-3-Clause
"""Turn records into scores: preprocessing, the encoder of the network, and the principal components, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from padflow.autoencoder.denoiser import AnyNetwork, DenoisingNetwork, network_from_arrays
from padflow.autoencoder.network import Network
from padflow.autoencoder.split import Split, fit_rows
from padflow.blas import one_blas_thread
from padflow.components.inputs import component_inputs, input_size
from padflow.components.moments import CodeStatistics, Moments
from padflow.components.noise import neighbour_pairs
from padflow.components.projection import Projection
from padflow.config.sections import PreprocessConfig
from padflow.features.estimates import EstimatedShapes
from padflow.features.preprocessor import Features, Preprocessor
from padflow.records import BLOCK_ROWS, Reason, Rows, uniform_hash
from padflow.shapes.names import UNCLEAR
from padflow.store.specs import scored_specs


def code_statistics(
    rows: Rows, preprocessor: Preprocessor, network: AnyNetwork, *, split: Split | None, pairs_share: float = 0.0
) -> CodeStatistics:
    """Return the statistics of the codes of those rows to which components are fitted.

    Parameters
    ----------
    split : Split, optional
        Given where components are fitted only to the test rows.
    pairs_share : float
        Share of the records that are paired with a later one of the same block. Pairs are drawn by row number, so that
        parts of any size give the same pairs.
    """
    none = np.empty((0, input_size(network)), np.float32)
    moments, differences = Moments.of(none), [none]
    with one_blas_thread():
        for _, block, features in preprocessor.blocks(rows):
            chosen = fit_rows(features.reason, split, block)
            if not chosen.any():
                continue
            codes = component_inputs(network, _chosen(features.rows, chosen))
            moments = moments.merge(Moments.of(codes))
            if pairs_share:
                earlier, later = _drawn_pairs(block, chosen, preprocessor.config, share=pairs_share)
                differences.append(codes[later] - codes[earlier])
    return CodeStatistics(moments, np.concatenate(differences))


def _drawn_pairs(
    block: Rows, chosen: np.ndarray, config: PreprocessConfig, *, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of neighbouring records; return the places of both among the chosen rows of a block."""
    earlier, later = neighbour_pairs(
        block.time, chosen, lag_seconds=config.average_seconds, max_gap_seconds=config.max_gap_seconds
    )
    drawn = uniform_hash(0, f"{block.group} pairs", block.numbers[earlier]) < share
    place = np.cumsum(chosen) - 1
    return place[earlier[drawn]], place[later[drawn]]


def scored_sizes(arrays: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """Return the number of components, and of energies with shapes, of the encoder in named arrays."""
    return Projection.from_arrays(arrays).components, len(arrays.get("concentration", ()))


@dataclass(frozen=True)
class Encoder:
    """The fitted way from records to scores, and with a denoiser to shapes.

    Parameters
    ----------
    preprocessor : Preprocessor
    network : Network or DenoisingNetwork
    projection : Projection
    """

    preprocessor: Preprocessor
    network: AnyNetwork
    projection: Projection

    @classmethod
    def from_arrays(cls, preprocessor: Preprocessor, arrays: Mapping[str, np.ndarray]) -> Encoder:
        """Return the encoder with the network and the projection in named arrays; other names are left alone."""
        return cls(preprocessor, network_from_arrays(arrays), Projection.from_arrays(arrays))

    @property
    def shape_energy(self) -> np.ndarray:
        """Energies in MeV at which it measures shapes: none without a denoiser."""
        return self.preprocessor.energy if isinstance(self.network, DenoisingNetwork) else np.empty(0)

    def score(self, rows: Rows) -> dict[str, np.ndarray]:
        """Score rows of an archive. They have the halo that the preprocessor needs.

        Returns
        -------
        dict of str to ndarray
            ``reason`` (rows,) int8 and the arrays of `padflow.store.specs.scored_specs`; their fill values where the
            reason is not 0, but for shapes of records with few counts, or whose shape has no name at any energy.
        """
        specs = scored_specs(self.projection.components, len(self.shape_energy))
        out = {spec.name: np.full((len(rows), *spec.sizes), spec.fill_value, spec.dtype) for spec in specs}
        out["reason"] = np.empty(len(rows), np.int8)
        network = self.network
        with one_blas_thread():
            for where, _, features in self.preprocessor.blocks(rows):
                out["reason"][where] = features.reason
                block = {name: values[where] for name, values in out.items()}
                if isinstance(network, DenoisingNetwork):
                    self._estimate_block(network, features, block)
                else:
                    self._score_block(network, features, block)
        return out

    def _score_block(self, network: Network, features: Features, out: dict[str, np.ndarray]) -> None:
        """Score the selected rows of a block, into arrays of the block."""
        chosen = features.reason == Reason.SELECTED
        if chosen.any():
            rows = _whole_block(features.rows)
            codes = component_inputs(network, rows)
            self._put_scores(codes, network.reconstruction_error(rows, codes), out)

    def _estimate_block(self, network: DenoisingNetwork, features: Features, out: dict[str, np.ndarray]) -> None:
        """Score the selected rows of a block, and measure the shapes of those with few counts as well."""
        chosen = (features.reason == Reason.SELECTED) | (features.reason == Reason.LOW_COUNTS)
        if not chosen.any():
            return
        rows = _whole_block(features.rows)
        estimate = network.estimate(rows)
        self._shapes.put(estimate.shares, estimate.effective, chosen, out)
        unnamed = (features.reason == Reason.SELECTED) & (out["shape"] == UNCLEAR).all(axis=1)
        out["reason"][unnamed] = Reason.UNCLEAR_SHAPE
        self._put_scores(component_inputs(network, rows), estimate.error, out)

    def _put_scores(self, inputs: np.ndarray, error: np.ndarray, out: dict[str, np.ndarray]) -> None:
        taken = np.flatnonzero(out["reason"] == Reason.SELECTED)
        out["score"][taken] = self.projection.score(inputs)[taken]
        out["reconstruction_error"][taken] = error[taken]

    @cached_property
    def _shapes(self) -> EstimatedShapes:
        made = self.preprocessor
        return EstimatedShapes(made.pitch_angle, made.joined, len(made.energy))


def _whole_block(rows: np.ndarray) -> np.ndarray:
    """Return a whole block: rows, and zeros after them where there are fewer.

    BLAS adds in another order where there are fewer rows, and in the last rows. Without the zeros, the bits of a record
    would depend on where the archive ends.
    """
    if len(rows) == BLOCK_ROWS:
        return rows
    whole = np.zeros((rows.shape[1], BLOCK_ROWS), np.float32).T  # bins first, as counts are
    whole[: len(rows)] = rows
    return whole


def _chosen(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return rows if chosen.all() else rows[chosen]
