"""What workers do with one part: moments, scores, labels. Each is a small object that travels with its task.

Fitted arrays do not travel: workers read them from the run directory, once each.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from padflow.autoencoder.network import Network
from padflow.autoencoder.split import Split, fit_rows
from padflow.clustering.classes import classes_from_arrays
from padflow.components.moments import CodeStatistics, Moments
from padflow.components.projection import Projection
from padflow.config.sections import Config, PreprocessConfig
from padflow.features.preprocessor import Preprocessor
from padflow.model.encoder import Encoder, code_statistics
from padflow.pipeline.directory import FIT, fit_arrays, fit_split, read_left
from padflow.pipeline.receipts import PartTask
from padflow.records import Reason, Rows
from padflow.store.durable import sha256_of, write_bytes
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import CLASSES, ENCODER, NETWORK, OF_MOMENTS
from padflow.store.reading import ArchiveReader, ResultsReader, needed_rows
from padflow.store.specs import ARCHIVE, RESULTS, results_specs
from padflow.store.writing import write_part

# What workers keep from one part to the next, by the pass it is for.
_kept_arrays = lru_cache(maxsize=4)(lambda run_dir, name, opened_ns: fit_arrays(run_dir, name))


_kept_reader = lru_cache(maxsize=8)(lambda kind, store, group, opened_ns: kind(store, group))


@dataclass(frozen=True)
class Pass:
    """What every pass knows.

    Parameters
    ----------
    run_dir : str
    preprocess : PreprocessConfig
    rows_per_part : int
    test_only : bool
        Whether components and clusters are fitted to the test split alone.
    opened_ns : int
        When the pass was made. Workers open what they read anew for each pass, and then keep it: on a network file
        system, to look for changes shows for up to a minute what was there before, but to open does not.
    """

    run_dir: str
    preprocess: PreprocessConfig
    rows_per_part: int
    test_only: bool
    opened_ns: int

    @classmethod
    def of(cls, run_dir: Path, config: Config, **more: Any) -> Self:
        """Return the pass of a run of this configuration, to be begun now."""
        return cls(
            run_dir=str(run_dir),
            preprocess=config.preprocess,
            rows_per_part=config.archive.rows_per_part,
            test_only=config.pca.rows == "test",
            opened_ns=time.time_ns(),
            **more,
        )

    def reader(self, group: str) -> ArchiveReader:
        """Return the reader of one spacecraft."""
        return _kept_reader(ArchiveReader, Path(self.run_dir) / ARCHIVE, group, self.opened_ns)

    def results(self, group: str) -> ResultsReader:
        """Return the reader of one spacecraft's results."""
        return _kept_reader(ResultsReader, Path(self.run_dir) / RESULTS, group, self.opened_ns)

    def fitted(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of a file of the run's ``fit`` folder."""
        return _kept_arrays(self.run_dir, name, self.opened_ns)

    @property
    def split(self) -> Split | None:
        """The split, where it restricts what is fitted to."""
        return fit_split(self.run_dir) if self.test_only else None

    def fit_scores(self, task: PartTask) -> np.ndarray:
        """Return the scores of a part that clusters are fitted to, (rows, component) float32."""
        results = self.results(task.group)
        reason = results.read("reason", task.start, task.stop)
        rows = Rows.of_times(task.group, task.start, self.reader(task.group).times(task.start, task.stop))
        chosen = fit_rows(reason, self.split, rows)
        return results.read("score", task.start, task.stop)[chosen]

    def _write(self, task: PartTask, names: tuple[str, ...], values: dict[str, np.ndarray]) -> dict[str, list]:
        specs = [spec for spec in results_specs(values.get("score", np.empty((0, 0))).shape[1]) if spec.name in names]
        files = write_part(
            Path(self.run_dir) / RESULTS,
            task.group,
            task.index,
            specs=specs,
            values=values,
            rows_per_part=self.rows_per_part,
        )
        return {f"{RESULTS}/{name}": facts for name, facts in files.items()}


@dataclass(frozen=True)
class MomentsPart(Pass):
    """Statistics of the codes of one part, left as a file of the ``fit`` folder.

    Parameters
    ----------
    pairs_share : float
        See `padflow.model.encoder.code_statistics`.
    """

    pairs_share: float

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return ``{"files": ..., "fit": rows}``."""
        reader = self.reader(task.group)
        preprocessor = Preprocessor(self.preprocess, reader.axes)
        rows = needed_rows(reader, task.start, task.stop, needs=preprocessor.needs)
        network = Network.from_arrays(self.fitted(NETWORK))
        statistics = code_statistics(rows, preprocessor, network, split=self.split, pairs_share=self.pairs_share)
        moments = statistics.moments
        arrays = {"n": np.array(moments.n), "mean": moments.mean, "scatter": moments.scatter}
        content = pack_arrays(arrays | {"differences": statistics.differences})
        name = moments_file(task)
        write_bytes(Path(self.run_dir) / name, content)
        return {"files": {name: [len(content), sha256_of(content)]}, "fit": moments.n}


def moments_file(task: PartTask) -> str:
    """Return where a part's moments lie, relative to the run directory."""
    return f"{FIT}/moments/{task.group}-{task.index:06d}.npz"


def read_statistics(run_dir: Path, task: PartTask) -> CodeStatistics:
    """Return the statistics of a part's codes."""
    arrays = read_left(run_dir / moments_file(task), OF_MOMENTS, stage="pca")
    return CodeStatistics(Moments(int(arrays["n"]), arrays["mean"], arrays["scatter"]), arrays["differences"])


@dataclass(frozen=True)
class ScorePart(Pass):
    """Scores, reasons and reconstruction errors of one part."""

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return ``{"files": ..., "fit": rows, "reasons": {code: rows}}``."""
        reader = self.reader(task.group)
        arrays = self.fitted(ENCODER)
        encoder = Encoder(
            Preprocessor(self.preprocess, reader.axes),
            Network.from_arrays(arrays),
            Projection.from_arrays(arrays),
        )
        rows = needed_rows(reader, task.start, task.stop, needs=encoder.preprocessor.needs)
        values = encoder.score(rows)
        values["time"] = rows.time.astype(np.int64)
        fitted = fit_rows(values["reason"], self.split, rows)
        codes, counts = np.unique(values["reason"], return_counts=True)
        return {
            "files": self._write(task, ("time", "score", "reason", "reconstruction_error"), values),
            "fit": int(fitted.sum()),
            "reasons": {str(code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)},
        }


@dataclass(frozen=True)
class ScoreStandIn(Pass):
    """What is left of a part that workers die of: every record with `Reason.SET_ASIDE`."""

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return what `ScorePart` does."""
        rows = task.stop - task.start
        components = Projection.from_arrays(self.fitted(ENCODER)).components
        values = {
            "time": self.reader(task.group).times(task.start, task.stop).astype(np.int64),
            "score": np.full((rows, components), np.nan, "f4"),
            "reason": np.full(rows, Reason.SET_ASIDE, "i1"),
            "reconstruction_error": np.full(rows, np.nan, "f4"),
        }
        files = self._write(task, tuple(values), values)
        return {"files": files, "fit": 0, "reasons": {str(int(Reason.SET_ASIDE)): rows}}


@dataclass(frozen=True)
class LabelPart(Pass):
    """Classes, distances and margins of one part."""

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return ``{"files": ..., "sizes": [...], "sums": [[...]]}``: labelled rows and their summed scores."""
        classes = classes_from_arrays(self.fitted(CLASSES))
        score = self.results(task.group).read("score", task.start, task.stop)
        values = classes.assign(score)
        known = values["cluster"] >= 0
        k = len(classes.centres)
        cluster = values["cluster"][known]
        sums = [np.bincount(cluster, column, minlength=k) for column in score[known].astype("f8").T]
        return {
            "files": self._write(task, ("cluster", "distance", "margin"), values),
            "sizes": np.bincount(cluster, minlength=k).tolist(),
            "sums": np.transpose(sums).tolist(),
        }


@dataclass(frozen=True)
class LabelStandIn(Pass):
    """What is left of a part that workers die of while it is labelled: no class for any record."""

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return what `LabelPart` does."""
        rows = task.stop - task.start
        k, components = self.fitted(CLASSES)["centres"].shape
        missing = np.full(rows, np.nan, "f4")
        values = {"cluster": np.full(rows, -1, "i2"), "distance": missing, "margin": missing}
        files = self._write(task, tuple(values), values)
        return {"files": files, "sizes": [0] * k, "sums": [[0.0] * components] * k}


def labels_reason_agree(cluster: np.ndarray, reason: np.ndarray) -> np.ndarray:
    """Return which records have a class and no reason against it, or a reason and no class."""
    return (cluster >= 0) == (reason == Reason.SELECTED)
