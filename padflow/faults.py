# SPDX-License-Identifier: BSD-3-Clause
"""Faults on purpose, and counts of attempts: for tests of padflow and of programs that use it.

A plan is a JSON file. The environment variable ``PADFLOW_FAULTS`` names it (see ``docs/testing.md``). A plan can make
a process of padflow fail, die, wait, or damage the files that it has just written. It can do nothing more: it holds no
code, and neither a configuration nor a run directory can name a plan. Without the variable this module does nothing.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from padflow.errors import ConfigError

VARIABLE = "PADFLOW_FAULTS"


Moment = Literal["begin", "written", "done"]


class InjectedFault(RuntimeError):
    """A plan has asked for this failure."""


class Fault(BaseModel):
    """One fault: what happens, where, and at which attempts.

    Parameters
    ----------
    action : {"fail", "kill", "stall", "corrupt"}
        Raise `InjectedFault`; end the process by SIGKILL; sleep; change the middle byte of each file of the part.
    stage : str
        Name of a stage, such as ``"score"``. ``"scan"`` looks at a file, ``"read"`` reads one for ingest.
    part : str
        Pattern of `fnmatch` for the name. A part is ``"rbspa/3"``. The name of a file is its path relative to the
        archive's folder. An empty text means the driver, where it begins a stage.
    attempts : tuple of int, optional
        Attempts at this part, counted from 1. By default all.
    moment : {"begin", "written", "done"}
        Before anything is done; when the part's files are there, but not its receipt; when both are there.
    seconds : float
        Length of a stall.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["fail", "kill", "stall", "corrupt"]
    stage: str
    part: str = "*"
    attempts: tuple[PositiveInt, ...] | None = None
    moment: Moment = "begin"
    seconds: float = 0.0

    def is_due(self, stage: str, part: str, moment: Moment, attempt: int) -> bool:
        """Return whether this is the place and time."""
        here = fnmatchcase(part, self.part) if part else not self.part
        return (
            here
            and (self.stage, self.moment) == (stage, moment)
            and (self.attempts is None or attempt in self.attempts)
        )


class FaultPlan(BaseModel):
    """Faults, and the folder in which all processes count their attempts.

    Parameters
    ----------
    counts : Path
        The folder. It is made if need be.
    faults : tuple of Fault
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    counts: Path
    faults: tuple[Fault, ...] = ()


def fault_point(stage: str, part: str = "", *, moment: Moment = "begin", files: Iterable[Path] = ()) -> None:
    """Mark a place in the work where a plan may let faults happen; with a plan, count that a process came here.

    Parameters
    ----------
    files : iterable of Path
        Files that the part has written so far. A fault may damage them.
    """
    plan = _plan_of_environment()
    if plan is None:
        return
    attempt = _count(plan.counts, stage, part, new=moment == "begin")
    for fault in plan.faults:
        if fault.is_due(stage, part, moment, attempt):
            _act(fault, f"{stage} {part}, attempt {attempt}", files)


def invocations(counts: Path) -> dict[tuple[str, str], int]:
    """Return how often all processes together have begun each (stage, part)."""
    found = {}
    for path in counts.glob("*/*"):
        found[path.parent.name, unquote(path.name[1:])] = path.stat().st_size
    return found


@contextmanager
def injected(faults: Iterable[Fault], *, counts: Path) -> Iterator[None]:
    """Work with a plan, in this process and in those that it starts.

    Parameters
    ----------
    counts : Path
        Folder of the counts. The plan is written beside it, as ``NAME.json``.
    """
    path = counts.with_name(f"{counts.name}.json")
    path.write_text(FaultPlan(counts=counts, faults=tuple(faults)).model_dump_json())
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(path)
    _plan_of_environment.cache_clear()
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
        _plan_of_environment.cache_clear()


@cache
def _plan_of_environment() -> FaultPlan | None:
    """Read the plan, once for each process."""
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    try:
        return FaultPlan.model_validate(json.loads(Path(name).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"{VARIABLE}={name} is not a plan of faults: {text}. Unset it to work without.") from error


def _count(counts: Path, stage: str, part: str, *, new: bool) -> int:
    """Return the number of the attempt: the size of a file that each attempt makes one byte longer."""
    folder = counts / stage
    folder.mkdir(parents=True, exist_ok=True)
    # Begins with a letter, for an empty name or one of dots is no name of a file.
    with (folder / f"p{quote(part, safe='')}").open("ab") as file:
        if new:
            file.write(b".")  # the system appends a single write as a whole
            file.flush()
        return file.tell()


def _act(fault: Fault, place: str, files: Iterable[Path]) -> None:
    if fault.action == "fail":
        raise InjectedFault(f"a fault on purpose ({VARIABLE}) at {place}")
    if fault.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault.action == "stall":
        time.sleep(fault.seconds)
    else:
        for path in files:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(content)
