# SPDX-License-Identifier: BSD-3-Clause
"""Nothing goes out of an archive without a word: what is refused, what is said, and that nothing is changed by it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from padflow import open_archive
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError
from padflow.pipeline import driver
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.driver import Outcome
from padflow.pipeline.held import held_records
from padflow.pipeline.receipts import Ingested, receipts
from padflow.pipeline.verify import verify
from padflow.simulation.archive import simulate_archive

pytestmark = pytest.mark.usefixtures("serial")
RECORDS = 300  # of a day


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days of two spacecraft; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("whole")
    simulate_archive(folder, spacecraft=("rbspa", "rbspb"), days=6, records_per_day=RECORDS)
    return folder


@pytest.fixture
def source(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "cdf"))


def day_file(source: Path, day: int, spacecraft: str = "rbspa") -> Path:
    (path,) = source.rglob(f"{spacecraft}_*_201303{day:02d}_*.cdf")
    return path


@pytest.fixture
def ingest(source: Path, tmp_path: Path) -> Callable[..., Outcome]:
    def run(*, allow: int = 0, restart_from: str | None = None, folder: Path = source, **archive: Any) -> Outcome:
        config = Config.model_validate({"archive": {"source": folder, "rows_per_part": 1024, **archive}})
        return driver.run(config, tmp_path / "run", restart_from=restart_from, until="ingest", allow_removal=allow)

    return run


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time of change and content of every file, and the folders."""
    files = {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}
    return files | {str(p): (0, b"") for p in folder.rglob("*") if p.is_dir()}


def refused(run: Callable[[], Any], directory: Path) -> str:
    """Check that a command is refused for the records it would take away, and changes nothing; return its words."""
    before = tree(directory)
    with pytest.raises(ConfigError, match="--allow-removal") as caught:
        run()
    assert tree(directory) == before
    return str(caught.value)


def times(directory: Path, spacecraft: str = "rbspa") -> np.ndarray:
    return open_archive(directory, spacecraft)["time"].values


def test_a_source_that_shrank_is_refused_until_it_is_whole_again(
    ingest: Callable, source: Path, tmp_path: Path
) -> None:
    first = ingest()
    counts = held_records(RunDirectory(tmp_path / "run"), first.plan.config)
    assert sum(map(len, counts.values())) == 12
    gone = [day_file(source, day) for day in (2, 3, 5)]
    for path in gone:
        path.rename(tmp_path / path.name)
    said = refused(ingest, tmp_path / "run")
    a = counts["rbspa"]
    lost = a["2013-03-02"] + a["2013-03-03"]
    assert f"rbspa 2013-03-02 to 2013-03-03 ({lost:,} records, no file)" in said
    assert f"rbspa 2013-03-05 ({a['2013-03-05']:,} records, no file)" in said
    assert f"{lost + a['2013-03-05']:,} of the {first.records:,} records" in said
    assert str(source) in said
    for path in gone:
        (tmp_path / path.name).rename(path)
    before = tree(tmp_path / "run" / "archive.zarr")
    ingest()
    after = tree(tmp_path / "run" / "archive.zarr")
    parts = [name for name in before if "/c/" in name]
    assert parts
    assert all(before[name] == after[name] for name in parts)  # 0 parts rewritten
    assert verify(tmp_path / "run").problems == []


def test_records_go_where_so_many_are_let_go_and_no_more(ingest: Callable, source: Path, tmp_path: Path) -> None:
    first = ingest()
    count = held_records(RunDirectory(tmp_path / "run"), first.plan.config)["rbspa"]["2013-03-02"]
    day_file(source, 2).unlink()
    refused(lambda: ingest(allow=count - 1), tmp_path / "run")
    assert ingest(allow=count).records == first.records - count
    assert verify(tmp_path / "run").problems == []
    ingest()  # it was said; there is nothing to remove any more
    day_file(source, 3).unlink()
    refused(lambda: ingest(allow=count - 30), tmp_path / "run")


def test_a_missing_catalogue_does_not_hide_that_a_source_shrank(ingest: Callable, source: Path, tmp_path: Path) -> None:
    first = ingest()
    counts = held_records(RunDirectory(tmp_path / "run"), first.plan.config)
    (tmp_path / "run" / "catalog.json").unlink()
    assert held_records(RunDirectory(tmp_path / "run"), first.plan.config) == counts
    day_file(source, 6).unlink()
    assert f"rbspa 2013-03-06 ({counts['rbspa']['2013-03-06']} records, no file)" in refused(ingest, tmp_path / "run")


def test_a_spacecraft_that_is_gone_is_refused_and_goes_as_a_whole(
    ingest: Callable, source: Path, tmp_path: Path
) -> None:
    first = ingest()
    for day in range(1, 7):
        day_file(source, day, "rbspb").unlink()
    said = refused(ingest, tmp_path / "run")
    count = sum(held_records(RunDirectory(tmp_path / "run"), first.plan.config)["rbspb"].values())
    assert f"rbspb 2013-03-01 to 2013-03-06 ({count:,} records, no file)" in said
    ingest(allow=count)
    assert open_archive(tmp_path / "run").attrs["spacecraft"] == "rbspa"  # the only one
    assert {group for group, _, _ in receipts(RunDirectory(tmp_path / "run"), Ingested)} == {"rbspa"}
    assert verify(tmp_path / "run").problems == []


def test_a_file_that_is_damaged_now_keeps_its_records_in_the_archive(
    ingest: Callable, source: Path, tmp_path: Path
) -> None:
    ingest()
    path = day_file(source, 4)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    said = refused(ingest, tmp_path / "run")
    assert f"{path.relative_to(source)} is set aside: truncated" in said
    path.write_bytes(content)
    ingest()
    assert verify(tmp_path / "run").problems == []


def test_an_older_or_newer_version_with_fewer_records_is_refused(
    ingest: Callable, source: Path, tmp_path: Path
) -> None:
    """Also a newer version: whether its maker or an interrupted copy left records out, nobody can tell."""
    first = ingest()
    path, other = day_file(source, 4), tmp_path / "other"
    simulate_archive(other, days=4, records_per_day=100, seed=4)
    fewer = sorted(other.rglob("*.cdf"))[3].read_bytes()
    path.with_name(path.name.replace("v5.6.0", "v5.10.0")).write_bytes(fewer)
    assert "rbspa 2013-03-04 (" in (said := refused(ingest, tmp_path / "run"))
    assert "its files hold fewer" in said
    path.rename(tmp_path / "aside")
    path.with_name(path.name.replace("v5.6.0", "v5.10.0")).rename(path.with_name(path.name.replace("v5.6.0", "v5.0.0")))
    assert "its files hold fewer" in refused(ingest, tmp_path / "run")
    count = held_records(RunDirectory(tmp_path / "run"), first.plan.config)["rbspa"]["2013-03-04"]
    ingest(allow=count)
    assert verify(tmp_path / "run").problems == []


def damage(path: Path) -> None:
    """Break a file so that only reading it tells, and touch it."""
    content = bytearray(path.read_bytes())
    content[8:4096] = bytes(4088)
    path.write_bytes(content)


def test_a_file_that_turns_out_bad_while_it_is_read_keeps_its_records(
    ingest: Callable, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ingest()
    victim = day_file(source, 4)
    from padflow.archive import ingest as ingest_module
    from padflow.errors import BadFile

    read, broken = ingest_module.read_records, True

    def refuse(path: Path, *arguments: Any, **keywords: Any) -> Any:
        if path == victim and broken:
            raise BadFile("truncated", f"{path}: cut")
        return read(path, *arguments, **keywords)

    monkeypatch.setattr(ingest_module, "read_records", refuse)
    os.utime(victim)
    before = times(tmp_path / "run")
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"{victim.name} is set aside: truncated.*--allow-removal"):
            ingest()
        assert times(tmp_path / "run").tobytes() == before.tobytes()
    broken = False
    ingest()
    assert verify(tmp_path / "run").problems == []
    broken = True
    os.utime(victim)
    count = held_records(RunDirectory(tmp_path / "run"), first.plan.config)["rbspa"]["2013-03-04"]
    outcome = ingest(allow=count)
    assert outcome.records == first.records - count
    assert [entry.path for entry in outcome.plan.catalog.set_aside()] == [str(victim.relative_to(source))]


def test_an_interrupted_rewrite_forgets_no_day(
    ingest: Callable, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day that came in front pushes others out of parts that are written, into such as are not there yet."""
    early = day_file(source, 1)
    early.rename(tmp_path / early.name)
    first = ingest(rows_per_part=1024)
    counts = held_records(RunDirectory(tmp_path / "run"), first.plan.config)
    (tmp_path / early.name).rename(early)
    from padflow.archive.ingest import IngestPart

    call, done = IngestPart.__call__, []

    def once(self: IngestPart, span: Any) -> Any:
        if done:
            raise KeyboardInterrupt
        done.append(span.index)
        return call(self, span)

    with monkeypatch.context() as patch:
        patch.setattr(IngestPart, "__call__", once)
        with pytest.raises(KeyboardInterrupt):
            ingest()
    later = held_records(RunDirectory(tmp_path / "run"), first.plan.config)
    assert all(later[group][day] >= count for group, days in counts.items() for day, count in days.items())
    gone = day_file(source, 4)
    gone.rename(tmp_path / gone.name)
    refused(ingest, tmp_path / "run")
    (tmp_path / gone.name).rename(gone)
    ingest()
    assert verify(tmp_path / "run").problems == []


def test_what_was_planned_and_never_written_is_no_loss(
    ingest: Callable, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from padflow.archive.ingest import IngestPart

    def never(self: IngestPart, span: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(IngestPart, "__call__", never)
        with pytest.raises(KeyboardInterrupt):
            ingest()
    day_file(source, 4).unlink()
    ingest()
    assert verify(tmp_path / "run").problems == []


@pytest.mark.parametrize(
    ("archive", "lost"),
    [
        ({"start": date(2013, 3, 3)}, {"before archive.start = 2013-03-03": (1, 2)}),
        ({"end": date(2013, 3, 4)}, {"after archive.end = 2013-03-04": (5, 6)}),
        ({"spacecraft": "rbspb"}, {"not in archive.spacecraft": (1, 6)}),
    ],
)
def test_a_configuration_that_chooses_fewer_days_says_it_in_records(
    archive: dict, lost: dict, ingest: Callable, tmp_path: Path
) -> None:
    first = ingest()
    counts = held_records(RunDirectory(tmp_path / "run"), first.plan.config)
    said = refused(lambda: ingest(**archive), tmp_path / "run")
    (cause, (begin, end)), *_ = lost.items()
    days = [f"2013-03-{day:02d}" for day in range(begin, end + 1)]
    count = sum(counts["rbspa"][day] for day in days)
    assert f"rbspa {days[0]} to {days[-1]} ({count:,} records, {cause})" in said
    total = count if "spacecraft" in archive else count + sum(counts["rbspb"][day] for day in days)
    assert f"{total:,} of the {first.records:,} records" in said
    assert f"--allow-removal {total}" in said
    anew = None if "end" in archive else "ingest"
    assert ("--from ingest" in said) == bool(anew)
    if anew:  # which alone does not do it, either
        refused(lambda: ingest(restart_from=anew, **archive), tmp_path / "run")
    assert ingest(restart_from=anew, allow=total, **archive).records == first.records - total
    assert verify(tmp_path / "run").problems == []


def test_all_anew_from_fewer_files_is_refused_before_anything_is_removed(
    ingest: Callable, source: Path, tmp_path: Path
) -> None:
    ingest()
    day_file(source, 1).unlink()
    refused(lambda: ingest(restart_from="ingest"), tmp_path / "run")


def test_a_run_that_is_refused_leaves_no_folder(ingest: Callable, source: Path, tmp_path: Path) -> None:
    for path in source.rglob("*.cdf"):
        path.write_bytes(b"")
    with pytest.raises(PadflowError, match=r"No file in .* can be used: 12 empty\. The first: .*\.cdf"):
        ingest()
    assert not (tmp_path / "run").exists()


def plan(source: Path, directory: Path, *, allow: int = 0, **archive: Any) -> dict[str, Any]:
    from padflow.cli.text import plan_facts

    config = Config.model_validate({"archive": {"source": source, "rows_per_part": 1024, **archive}})
    found = driver.plan(config, directory, allow_removal=allow)
    found.validate()
    return json.loads(json.dumps(plan_facts(found)))


def test_a_plan_writes_nothing_and_says_what_a_run_changes(
    ingest: Callable, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = day_file(source, 6)
    late.rename(tmp_path / late.name)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    before = tree(tmp_path)
    changes = plan(source, tmp_path / "run")["changes"]
    assert tree(tmp_path) == before  # no folder, either
    first = ingest()
    assert changes["added"]["records"] == first.records
    assert changes["parts"] == {"unchanged": 0, "rewritten": 0, "new": 4, "removed": 0}
    (tmp_path / late.name).rename(late)
    os.utime(day_file(source, 1, "rbspb"))
    before = tree(tmp_path)
    changes = plan(source, tmp_path / "run")["changes"]
    assert tree(tmp_path) == before
    (added,) = changes["added"]["days"]
    second = ingest()
    assert (added["spacecraft"], added["first"], added["last"]) == ("rbspa", "2013-03-06", "2013-03-06")
    assert added["records"] == changes["added"]["records"] == second.records - first.records
    assert changes["removed"] == {"records": 0, "days": []}
    assert changes["parts"] == {"unchanged": 2, "rewritten": 2, "new": 0, "removed": 0}
    assert plan(source, tmp_path / "run")["changes"]["parts"]["unchanged"] == 4
    assert verify(tmp_path / "run").problems == []


def test_a_plan_that_is_refused_for_records_shows_them_first(
    ingest: Callable, padflow: Callable, source: Path, tmp_path: Path
) -> None:
    first = ingest()
    config = tmp_path / "mine.yaml"
    config.write_text(f"archive:\n  source: {source}\n  rows_per_part: 1024\n")
    day_file(source, 2).rename(tmp_path / "aside.cdf")
    count = held_records(RunDirectory(tmp_path / "run"), first.plan.config)["rbspa"]["2013-03-02"]
    before = tree(tmp_path)
    ended = padflow("plan", config, "--workdir", tmp_path / "run")
    assert ended.status == 2
    assert f"removed   {count} records: rbspa 2013-03-02 ({count} records)" in ended.out
    assert f"--allow-removal {count}" in ended.err
    ended = padflow("plan", config, "--workdir", tmp_path / "run", "--json")
    assert ended.status == 2
    assert json.loads(ended.out)["changes"]["removed"]["records"] == count
    ended = padflow("plan", config, "--workdir", tmp_path / "run", "--allow-removal", count)
    assert ended.status == 0
    assert tree(tmp_path) == before
    for command in ("ingest", "run"):
        assert padflow(command, config, "--workdir", tmp_path / "run").status == 2
    assert tree(tmp_path) == before


def test_a_plan_that_is_refused_leaves_no_folder(
    padflow: Callable, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "mine.yaml"
    (tmp_path / "empty").mkdir()
    config.write_text(f"archive:\n  source: {tmp_path / 'empty'}\n")
    before = tree(tmp_path)
    for command in ("plan", "run", "ingest"):
        assert padflow(command, config, "--workdir", tmp_path / "deep" / "run").status == 2
    monkeypatch.setattr("padflow.pipeline.budget.WORKER_BASE_BYTES", 1 << 50)  # no memory limit is enough
    for command in ("plan", "run"):
        ended = padflow(command, config, "--workdir", tmp_path / "deep" / "run", "--set", f"archive.source={source}")
        assert ended.status == 1
        assert "A worker would need" in ended.err
    assert tree(tmp_path) == before
