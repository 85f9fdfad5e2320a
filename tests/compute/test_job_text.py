# SPDX-License-Identifier: BSD-3-Clause
"""What comes into the text of a job script, and how it is quoted."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import dask
import pytest

from padflow.compute.jobs import CLASSES, driver_job, worker_script
from padflow.errors import ConfigError

DISK = {"disk": "1GB"}


KINDS = [(kind, DISK if kind == "htcondor" else {}) for kind in CLASSES]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("end", ["\n#SBATCH --uid=0", "\r", "\x1b[2J", "\0", "\u2028"])
def test_nothing_becomes_another_line_of_a_script(kind: str, options: dict, end: str, tmp_path: Path, config) -> None:
    spoilt: dict[str, Callable] = {
        "the run directory": lambda: worker_script(config(kind, options=options), tmp_path / f"run{end}"),
        "cluster.options.python": lambda: worker_script(config(kind, options=options | {"python": end}), tmp_path),
        "cluster.options.job_extra_directives": lambda: worker_script(
            config(kind, options=options | {"job_extra_directives": {end: end} if options else [end]}), tmp_path
        ),
        "of the command": lambda: driver_job(config(kind, options=options), [f"c{end}.yaml"], directory=tmp_path),
    }
    if kind != "htcondor":
        spoilt["cluster.queue"] = lambda: worker_script(config(kind, queue=f"fast{end}"), tmp_path)
        spoilt["cluster.account"] = lambda: worker_script(config(kind, account=f"me{end}"), tmp_path)
    if kind == "htcondor" or "\n" not in end:
        spoilt["cluster.prologue"] = lambda: worker_script(config(kind, options=options, prologue=[end]), tmp_path)
    for key, write in spoilt.items():
        with pytest.raises(ConfigError, match=f"{key}.*expected one line without control characters"):
            write()
    elsewhere = dask.config.set({f"jobqueue.{kind}.shebang": f"#!/bin/sh{end}"})
    with elsewhere, pytest.raises(ConfigError, match=rf"jobqueue\.{kind}\.shebang of Dask's configuration"):
        worker_script(config(kind, options=options), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("slurm", ['#SBATCH -p "a queue"', "#SBATCH -A 'say \"me\"'", '#SBATCH -e "{}/padflow-worker-%J.err"']),
        ("pbs", ['#PBS -q "a queue"', "#PBS -A 'say \"me\"'", '#PBS -e "{}/"']),
        ("sge", ['#$ -q "a queue"', "#$ -P 'say \"me\"'", '#$ -o "{}/"']),
        ("lsf", ['#BSUB -q "a queue"', "#BSUB -P 'say \"me\"'", '#BSUB -o "{}/NAME-%J.out"']),
    ],
)
def test_spaces_and_quotes_are_quoted(kind: str, lines: list[str], tmp_path: Path, config) -> None:
    directory = tmp_path / "it's my run"
    account = 'say "me"'
    options = {"job_extra_directives": ['--comment "as it is"']}
    script = worker_script(config(kind, queue="a queue", account=account, options=options), directory)
    for line in lines:
        assert line.format(directory / "logs") in script.splitlines()
    assert any(line.endswith('--comment "as it is"') for line in script.splitlines())
    (command,) = [line for line in script.splitlines() if "dask_worker" in line]
    words = shlex.split(command)
    assert words[words.index("--local-directory") + 1] == str(directory / ".private")
    assert Path(words[words.index("--tls-key") + 1]).parent == directory / ".private"
    with pytest.raises(ConfigError, match="both kinds of quotes"):
        worker_script(config(kind, queue='"it\'s"'), tmp_path)
