"""Turn records into scores: preprocessing, the encoder of the network, and the principal components, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from padflow.autoencoder.denoiser import AnyNetwork, network_from_arrays
from padflow.autoencoder.split import Split, fit_rows
from padflow.blas import one_blas_thread
from padflow.components.moments import CodeStatistics, Moments
from padflow.components.noise import neighbour_pairs
from padflow.components.projection import Projection
from padflow.config.sections import PreprocessConfig
from padflow.features.preprocessor import Preprocessor
from padflow.records import BLOCK_ROWS, Reason, Rows, uniform_hash


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
    moments = Moments.of(np.empty((0, network.code_size), np.float32))
    differences = [np.empty((0, network.code_size), np.float32)]
    with one_blas_thread():
        for _, block, features in preprocessor.blocks(rows):
            chosen = fit_rows(features.reason, split, block)
            if not chosen.any():
                continue
            codes = network.encode(_chosen(features.rows, chosen))
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


@dataclass(frozen=True)
class Encoder:
    """The fitted way from records to scores.

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

    def score(self, rows: Rows) -> dict[str, np.ndarray]:
        """Score rows of an archive. They have the halo that the preprocessor needs.

        Returns
        -------
        dict of str to ndarray
            ``score`` (rows, component) float32, ``reason`` (rows,) int8 and ``reconstruction_error`` (rows,)
            float32; NaN where the reason is not 0.
        """
        score = np.full((len(rows), self.projection.components), np.nan, np.float32)
        error = np.full(len(rows), np.nan, np.float32)
        reason = np.empty(len(rows), np.int8)
        with one_blas_thread():
            for where, _, features in self.preprocessor.blocks(rows):
                reason[where] = features.reason
                chosen = features.reason == Reason.SELECTED
                if chosen.any():
                    x = _whole_block(features.rows, chosen)
                    code = self.network.encode(x)
                    taken = np.flatnonzero(chosen)
                    score[where][taken] = self.projection.score(code)[taken]
                    error[where][taken] = self.network.reconstruction_error(x, code)[taken]
        return {"score": score, "reason": reason, "reconstruction_error": error}


def _whole_block(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return a whole block, with the chosen rows at their places and zeros elsewhere.

    BLAS adds in another order where there are fewer rows, and in the last rows. Without the zeros, the bits of a record
    would depend on the other records of its block, and on where the archive ends.
    """
    if len(rows) == BLOCK_ROWS and chosen.all():
        return rows
    whole = np.zeros((BLOCK_ROWS, rows.shape[1]), np.float32)
    whole[: len(rows)][chosen] = rows[chosen]
    return whole


def _chosen(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return rows if chosen.all() else rows[chosen]
