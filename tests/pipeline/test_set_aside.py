# SPDX-License-Identifier: BSD-3-Clause
"""Parts and files that workers die of: they alone are set aside, by name, and come back when that has passed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from padflow import open_archive, open_results
from padflow.archive.ingest import IngestPart
from padflow.compute.workers import SerialWorkers, WorkerDeath
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.pipeline import driver, trainer
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.receipts import Scored, parts_set_aside, receipts
from padflow.pipeline.status import status
from padflow.pipeline.verify import verify
from padflow.records import Reason
from padflow.simulation.archive import simulate_archive


class MortalWorkers(SerialWorkers):
    """Workers that die of the items that a test names, by ``stage name``, as `DaskWorkers` would report it."""

    def __init__(self) -> None:
        self.lethal: set[str] = set()
        self.done: list[str] = []

    def each(self, function: Any, items: Iterable[Any], *, tolerate_deaths: bool = False) -> Iterator[tuple[Any, Any]]:
        for item in items:
            name = self.name_of(function, item)
            self.done.append(name)
            if name in self.lethal or (name.startswith("ingest ") and self.reads_lethal(item)):
                assert tolerate_deaths, name
                yield item, WorkerDeath("3 workers died of it, one after the other")
            else:
                yield item, function(item)

    @staticmethod
    def name_of(function: Any, item: Any) -> str:
        stage = getattr(function, "stage", None)
        if stage:
            return f"{stage} {item.name}"
        return (
            f"read {item[0]}" if getattr(function, "__func__", None) is IngestPart.try_file else f"scan {item[1].path}"
        )

    def reads_lethal(self, task: Any) -> bool:
        paths = {source.path for day, _, _ in task.span.pieces for source in day.sources}
        return any(f"read {path}" in self.lethal for path in paths)


@pytest.fixture(scope="module")
def server_module() -> ModuleType:
    """run_server.py, for its training that is none."""
    spec = importlib.util.spec_from_file_location("run_server", Path(__file__).parent.parent / "run_server.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TRAINING_SECONDS = 0.0
    return module


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdf")
    simulate_archive(folder, days=4, records_per_day=700)
    return folder


@pytest.fixture
def workers() -> MortalWorkers:
    return MortalWorkers()


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def run(
    archive: Path,
    workers: MortalWorkers,
    server_module: ModuleType,
    no_report: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    from contextlib import nullcontext

    monkeypatch.setattr(driver, "connect", lambda *_, **__: nullcontext(workers))
    monkeypatch.setattr(driver, "Trainer", lambda: nullcontext(SimpleNamespace(train=trainer.fit_network)))
    monkeypatch.setattr(trainer, "train_network", server_module.train_nothing)
    monkeypatch.setattr(trainer, "_save_keras", server_module.save_nothing)

    def start(directory: str = "run", *, source: Path = archive, until: str | None = None) -> Any:
        config = Config.model_validate(
            {
                "archive": {"source": source, "rows_per_part": 1024},
                "mean_shift": {"samples": 300, "repeats": 1},
                "kmeans": {"classes": 3, "silhouette_samples": 0},
                "method": "agglomerative",
                "agglomerative": {"samples": 100},
            }
        )
        return driver.run(config, tmp_path / directory, until=until)

    return start


def same(first: xr.Dataset, second: xr.Dataset) -> bool:
    return all(first[name].values.tobytes() == second[name].values.tobytes() for name in first.variables)


@pytest.mark.parametrize("stage", ["score", "label"])
def test_records_of_a_lethal_part_have_that_reason_and_come_back(
    stage: str, run: Callable, workers: MortalWorkers, tmp_path: Path, directory: RunDirectory
) -> None:
    run("whole")
    if stage == "label":  # where the scores are known to the fit
        run()
        for note in parts_set_aside(directory):
            pytest.fail(f"{note.part} is set aside")
        (tmp_path / "run" / "receipts" / "label" / "rbspa" / "000001.json").unlink()
    workers.lethal = {f"{stage} rbspa/1"}
    outcome = run()
    results = open_results(tmp_path / "run").load()
    whole = open_results(tmp_path / "whole").load()
    inside = slice(1024, 2048)
    assert (results["reason"].values[inside] == Reason.SET_ASIDE).all()
    assert (results["pad_class"].values[inside] == -1).all()
    assert np.isnan(results["score"].values[inside]).all()
    assert np.isnan(results["margin"].values[inside]).all()
    others = np.r_[0:1024, 2048 : results.sizes["time"]]
    assert (results["reason"].values[others] == whole["reason"].values[others]).all()
    assert outcome.reasons["set_aside"] == 1024
    assert outcome.records == results.sizes["time"]
    assert outcome.labelled == (results["pad_class"].values >= 0).sum()
    (note,) = parts_set_aside(directory)
    assert (note.stage, note.part.name) == (stage, "rbspa/1")
    assert "3 workers died of it" in note.message
    (line,) = status(tmp_path / "run")["parts_set_aside"]
    assert line.startswith(f"in {stage}: part 1 of rbspa (records 1024 to 2047): 3 workers died")
    assert any("was set aside" in problem for problem in verify(tmp_path / "run").problems)

    workers.lethal = set()
    workers.done.clear()
    run()
    done = [name for name in workers.done if name.startswith(("score", "label"))]
    assert done == ["score rbspa/1", "label rbspa/1"]  # and nothing else is done again
    assert list(parts_set_aside(directory)) == []
    assert verify(tmp_path / "run").problems == []
    if stage == "label":
        assert same(open_results(tmp_path / "run").load(), whole)


def test_moments_are_fitted_without_a_lethal_part_and_the_model_says_so(
    run: Callable, workers: MortalWorkers, directory: RunDirectory
) -> None:
    workers.lethal = {"moments rbspa/2"}
    outcome = run()
    assert outcome.labelled
    assert directory.fit("pca").info["parts_left_out"] == ["rbspa/2"]
    workers.lethal = set()
    run()
    (note,) = parts_set_aside(directory)  # for the model stands, and so does what it lacks
    assert (note.stage, note.part.name) == ("moments", "rbspa/2")


def test_where_workers_die_of_everything_the_run_ends(run: Callable, workers: MortalWorkers) -> None:
    workers.lethal = {f"moments rbspa/{index}" for index in range(3)}
    with pytest.raises(PadflowError, match=r"died of every part.*cluster\.memory_limit"):
        run()


def test_the_summary_goes_on_without_a_lethal_part(
    run: Callable, workers: MortalWorkers, tmp_path: Path, directory: RunDirectory
) -> None:
    workers.lethal = {"summary rbspa/0"}
    run()
    assert [(note.stage, note.part.name) for note in parts_set_aside(directory)] == [("summary", "rbspa/0")]
    with xr.open_dataset(tmp_path / "run" / "summary.nc", engine="h5netcdf") as summary:
        partial = int(summary["records"].sum())
    workers.lethal = set()
    outcome = run()
    with xr.open_dataset(tmp_path / "run" / "summary.nc", engine="h5netcdf") as summary:
        assert partial < int(summary["records"].sum()) == outcome.labelled
    assert list(parts_set_aside(directory)) == []


@pytest.mark.parametrize("stage", ["scan", "read"])
def test_a_lethal_file_costs_nothing_but_its_day(
    stage: str, archive: Path, run: Callable, workers: MortalWorkers, tmp_path: Path
) -> None:
    source = tmp_path / "cdf"
    source.mkdir()
    for path in archive.rglob("*.cdf"):
        (source / path.name).write_bytes(path.read_bytes())
    run("whole", source=source, until="ingest")
    victim = sorted(path.name for path in source.iterdir())[1]
    workers.lethal = {f"{stage} {victim}"}
    outcome = run(source=source, until="ingest")
    (entry,) = outcome.plan.catalog.set_aside()
    assert (entry.path, entry.reason) == (victim, "kills_workers")
    assert "3 workers died of it" in entry.message
    assert "cluster.memory_limit" in entry.message
    whole, found = open_archive(tmp_path / "whole").load(), open_archive(tmp_path / "run").load()
    others = whole["time"].values.astype("datetime64[D]") != np.datetime64(entry.day)
    assert found["flux"].values.tobytes() == whole["flux"].values[others].tobytes()

    workers.done.clear()
    run(source=source, until="ingest")
    assert workers.done == []  # it is left alone until it changes
    workers.lethal = set()
    (source / victim).touch()
    assert run(source=source, until="ingest").plan.catalog.set_aside() == []
    assert same(open_archive(tmp_path / "run").load(), whole)


def test_a_part_that_is_lethal_by_none_of_its_files_ends_the_run(run: Callable, workers: MortalWorkers) -> None:
    workers.lethal = {"ingest rbspa/1"}
    with pytest.raises(PadflowError, match=r"part 1 of rbspa.*none of its \d files alone.*cluster\.memory_limit"):
        run(until="ingest")


def test_notes_of_parts_that_are_no_more_go(
    run: Callable, workers: MortalWorkers, tmp_path: Path, directory: RunDirectory
) -> None:
    workers.lethal = {"score rbspa/2"}
    run()
    assert len(list(parts_set_aside(directory))) == 1
    note = tmp_path / "run" / "receipts" / "score" / "rbspa" / "000002.aside"
    note.rename(note.with_name("000009.aside"))
    workers.lethal = set()
    run()
    assert list(parts_set_aside(directory)) == []
    assert len(list(receipts(directory, Scored))) == 3
