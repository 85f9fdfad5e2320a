"""From records to scores: preprocessing, the network's encoder and the principal components, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padflow.blas import one_blas_thread
from padflow.network import Network
from padflow.pca import IncrementalPCA, Moments
from padflow.preprocessing import Preprocessor, Reason, features_by_block
from padflow.records import Records
from padflow.sampling import Reader, Split, Subset, read_with_halo


def fit_rows(reason: np.ndarray, split: Split | None, *, group: str, start: int, time: np.ndarray) -> np.ndarray:
    """Return which rows components and clusters are fitted to: the selected ones, of test where `split` is given."""
    chosen = reason == Reason.SELECTED
    if split is not None:
        chosen &= split.parts_of(group, start, time=time) == Subset.TEST
    return chosen


def moments_of_rows(
    reader: Reader,
    preprocessor: Preprocessor,
    network: Network,
    *,
    split: Split | None,
    group: str,
    start: int,
    stop: int,
) -> Moments:
    """Return the moments of the codes of rows [start, stop) of an archive."""
    records, offset = read_with_halo(reader, preprocessor, start=start, stop=stop)
    time = records.time[start - offset : stop - offset]
    moments = Moments.of(np.empty((0, network.code_size), np.float32))
    with one_blas_thread():
        for where, features in features_by_block(preprocessor, records, offset=offset, start=start, stop=stop):
            chosen = fit_rows(features.reason, split, group=group, start=start + where.start, time=time[where])
            if chosen.any():
                moments = moments.merge(Moments.of(network.encode(_chosen(features.rows, chosen))))
    return moments


@dataclass(frozen=True)
class Encoder:
    """The fitted way from records to scores.

    Parameters
    ----------
    preprocessor : Preprocessor
    network : Network
    mean : ndarray of float64, shape (code,)
    components : ndarray of float64, shape (component, code)
        Of `padflow.pca.IncrementalPCA`.
    """

    preprocessor: Preprocessor
    network: Network
    mean: np.ndarray
    components: np.ndarray

    @staticmethod
    def of(preprocessor: Preprocessor, network: Network, pca: IncrementalPCA) -> Encoder:
        """Make the encoder from fitted components."""
        return Encoder(preprocessor, network, pca.mean_, pca.components_)

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
                    x = _chosen(features.rows, chosen)
                    code = self.network.encode(x)
                    deviation = code.astype(np.float64)  # first: NumPy subtracts two types several times slower
                    deviation -= self.mean
                    score[where][chosen] = deviation @ self.components.T
                    error[where][chosen] = self.network.reconstruction_error(x, code)
        return {"score": score, "reason": reason, "reconstruction_error": error}


def _chosen(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return rows if chosen.all() else rows[chosen]
