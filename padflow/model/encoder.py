"""From records to scores: preprocessing, the network's encoder and the principal components, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padflow.autoencoder.network import Network
from padflow.autoencoder.split import Split, fit_rows
from padflow.blas import one_blas_thread
from padflow.components.moments import CodeStatistics, Moments
from padflow.components.noise import neighbour_pairs
from padflow.components.projection import soften
from padflow.features.blocks import Reader, features_by_block, read_with_halo
from padflow.features.preprocessor import Preprocessor
from padflow.records import BLOCK_ROWS, Reason, Records, uniform_hash


def code_statistics(
    reader: Reader,
    preprocessor: Preprocessor,
    network: Network,
    *,
    split: Split | None,
    group: str,
    start: int,
    stop: int,
    pairs_share: float = 0.0,
) -> CodeStatistics:
    """Return the statistics of the codes of rows [start, stop) of an archive.

    Parameters
    ----------
    pairs_share : float
        Share of the records that are paired with a later one; drawn by row number, so that any parts give the
        same pairs. Both lie in one block.
    """
    records, offset = read_with_halo(reader, preprocessor, start=start, stop=stop)
    time = records.time[start - offset : stop - offset]
    moments = Moments.of(np.empty((0, network.code_size), np.float32))
    differences = [np.empty((0, network.code_size), np.float32)]
    with one_blas_thread():
        for where, features in features_by_block(preprocessor, records, offset=offset, start=start, stop=stop):
            chosen = fit_rows(features.reason, split, group=group, start=start + where.start, time=time[where])
            if chosen.any():
                codes = network.encode(_chosen(features.rows, chosen))
                moments = moments.merge(Moments.of(codes))
                if pairs_share:
                    earlier, later = neighbour_pairs(
                        time[where],
                        chosen,
                        lag_seconds=preprocessor.config.average_seconds,
                        max_gap_seconds=preprocessor.config.max_gap_seconds,
                    )
                    numbers = (earlier + start + where.start).astype(np.uint64)
                    drawn = uniform_hash(0, f"{group} pairs", numbers) < pairs_share
                    place = np.cumsum(chosen) - 1
                    differences.append(codes[place[later[drawn]]] - codes[place[earlier[drawn]]])
    return CodeStatistics(moments, np.concatenate(differences))


@dataclass(frozen=True)
class Encoder:
    """The fitted way from records to scores.

    Parameters
    ----------
    preprocessor : Preprocessor
    network : Network
    mean : ndarray of float64, shape (code,)
    components : ndarray of float64, shape (component, code)
        Of `padflow.components.pca.IncrementalPCA` or `padflow.components.noise.noise_adjusted_axes`.
    softening : float
        See `padflow.components.projection.soften`; 0 leaves scores as they are.
    """

    preprocessor: Preprocessor
    network: Network
    mean: np.ndarray
    components: np.ndarray
    softening: float = 0.0

    def score(self, records: Records, offset: int, start: int, stop: int) -> dict[str, np.ndarray]:
        """Score rows [start, stop) of an archive, given records from row `offset` on with their halo.

        Returns
        -------
        dict of str to ndarray
            ``score`` (rows, component) float32, ``reason`` (rows,) int8 and ``reconstruction_error`` (rows,)
            float32; NaN where the reason is not 0.
        """
        rows = stop - start
        score = np.full((rows, len(self.components)), np.nan, np.float32)
        error = np.full(rows, np.nan, np.float32)
        reason = np.empty(rows, np.int8)
        blocks = features_by_block(self.preprocessor, records, offset=offset, start=start, stop=stop)
        with one_blas_thread():
            for where, features in blocks:
                reason[where] = features.reason
                chosen = features.reason == Reason.SELECTED
                if chosen.any():
                    x = _whole_block(features.rows, chosen)
                    code = self.network.encode(x)
                    deviation = code.astype(np.float64)  # first: NumPy subtracts two types several times slower
                    deviation -= self.mean
                    taken = np.flatnonzero(chosen)
                    score[where][taken] = soften((deviation @ self.components.T)[taken], self.softening)
                    error[where][taken] = self.network.reconstruction_error(x, code)[taken]
        return {"score": score, "reason": reason, "reconstruction_error": error}


def _whole_block(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return a block's chosen rows at their places among as many rows as a whole block has, zeros elsewhere.

    BLAS adds in another order where there are fewer rows, and in the last few of them. So the bits of a record would
    depend on which others of its block are chosen, and on how many there are when the archive ends in it.
    """
    if len(rows) == BLOCK_ROWS and chosen.all():
        return rows
    whole = np.zeros((BLOCK_ROWS, rows.shape[1]), np.float32)
    whole[: len(rows)][chosen] = rows[chosen]
    return whole


def _chosen(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return rows if chosen.all() else rows[chosen]
