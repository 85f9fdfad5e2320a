"""What workers do with one part: moments, scores, labels. Each is a small object that travels with its task.

Fitted arrays do not travel: workers read them from the run directory, once each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from padflow.config import PreprocessConfig
from padflow.durable import read_json, sha256_of, write_bytes
from padflow.encoder import Encoder, fit_rows, moments_of_rows
from padflow.model import Classes, pack_arrays, unpack_arrays
from padflow.network import Network
from padflow.pca import Moments
from padflow.preprocessing import Preprocessor, Reason
from padflow.run.ledger import PartTask
from padflow.sampling import Split, read_with_halo
from padflow.store import ArchiveReader, ResultsReader, archive_reader, results_specs, write_part

ARCHIVE, RESULTS, FIT = "archive.zarr", "results.zarr", "fit"
NETWORK, ENCODER, CLASSES, SPLIT = "network.npz", "encoder.npz", "classes.npz", "split.json"


def fit_arrays(run_dir: str | Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file of the run's ``fit`` folder; read once, until it changes."""
    path = Path(run_dir) / FIT / name
    return _arrays(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _arrays(path: str, mtime_ns: int) -> dict[str, np.ndarray]:
    return unpack_arrays(Path(path).read_bytes())


def fit_split(run_dir: str | Path) -> Split:
    """Return the split that training dealt."""
    values = read_json(Path(run_dir) / FIT / SPLIT)
    return Split(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def preprocessor_for(config: PreprocessConfig, axes: dict[str, np.ndarray]) -> Preprocessor:
    """Return the preprocessor for an archive's axes."""
    return Preprocessor(config, axes["pitch_angle"], energy=axes["energy"], counts_per_flux=axes["counts_per_flux"])


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
    """

    run_dir: str
    preprocess: PreprocessConfig
    rows_per_part: int
    test_only: bool

    def reader(self, group: str) -> ArchiveReader:
        """Return the reader of one spacecraft."""
        return archive_reader(Path(self.run_dir) / ARCHIVE, group)

    def results(self, group: str) -> ResultsReader:
        """Return the reader of one spacecraft's results."""
        return ResultsReader(Path(self.run_dir) / RESULTS, group)

    @property
    def split(self) -> Split | None:
        """The split, where it restricts what is fitted to."""
        return fit_split(self.run_dir) if self.test_only else None

    def fit_scores(self, task: PartTask) -> np.ndarray:
        """Return the scores of a part that clusters are fitted to, (rows, component) float32."""
        results = self.results(task.group)
        reason = results.read("reason", task.start, task.stop)
        time = self.reader(task.group).times(task.start, task.stop)
        chosen = fit_rows(reason, self.split, group=task.group, start=task.start, time=time)
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
    """Moments of the codes of one part, left as a file of the ``fit`` folder."""

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return ``{"files": ..., "fit": rows}``."""
        reader = self.reader(task.group)
        moments = moments_of_rows(
            reader,
            preprocessor_for(self.preprocess, reader.axes),
            Network.from_arrays(fit_arrays(self.run_dir, NETWORK)),
            split=self.split,
            group=task.group,
            start=task.start,
            stop=task.stop,
        )
        content = pack_arrays({"n": np.array(moments.n), "mean": moments.mean, "scatter": moments.scatter})
        name = moments_file(task)
        write_bytes(Path(self.run_dir) / name, content)
        return {"files": {name: [len(content), sha256_of(content)]}, "fit": moments.n}


def moments_file(task: PartTask) -> str:
    """Return where a part's moments lie, relative to the run directory."""
    return f"{FIT}/moments/{task.group}-{task.index:06d}.npz"


def read_moments(run_dir: Path, task: PartTask) -> Moments:
    """Return a part's moments."""
    arrays = unpack_arrays((run_dir / moments_file(task)).read_bytes())
    return Moments(int(arrays["n"]), arrays["mean"], arrays["scatter"])


@dataclass(frozen=True)
class ScorePart(Pass):
    """Scores, reasons and reconstruction errors of one part."""

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return ``{"files": ..., "fit": rows, "reasons": {code: rows}}``."""
        reader = self.reader(task.group)
        arrays = fit_arrays(self.run_dir, ENCODER)
        encoder = Encoder(
            preprocessor_for(self.preprocess, reader.axes),
            Network.from_arrays(arrays),
            arrays["pca_mean"],
            arrays["pca_components"],
        )
        records, offset = read_with_halo(reader, encoder.preprocessor, start=task.start, stop=task.stop)
        values = encoder.score(records, offset, task.start, task.stop)
        time = records.time[task.start - offset : task.stop - offset]
        values["time"] = time.astype(np.int64)
        fitted = fit_rows(values["reason"], self.split, group=task.group, start=task.start, time=time)
        codes, counts = np.unique(values["reason"], return_counts=True)
        return {
            "files": self._write(task, ("time", "score", "reason", "reconstruction_error"), values),
            "fit": int(fitted.sum()),
            "reasons": {str(code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)},
        }


@dataclass(frozen=True)
class LabelPart(Pass):
    """Classes, distances and margins of one part."""

    def __call__(self, task: PartTask) -> dict[str, Any]:
        """Return ``{"files": ..., "sizes": [...], "sums": [[...]]}``: labelled rows and their summed scores."""
        classes = Classes.from_arrays(fit_arrays(self.run_dir, CLASSES))
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


def labels_reason_agree(cluster: np.ndarray, reason: np.ndarray) -> np.ndarray:
    """Return which records have a class and no reason against it, or a reason and no class."""
    return (cluster >= 0) == (reason == Reason.SELECTED)
