"""Faults on purpose, and counts of what was done: for tests of padflow and of what is built on it.

A plan is a JSON file that the environment variable ``PADFLOW_FAULTS`` names (see ``docs/testing.md``). It can make a
process of padflow fail, die, wait, or damage the files that it has just written, and nothing else: a plan holds no
code, and neither a configuration nor a run directory can name one. Without the variable nothing here does anything.
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
    """The failure that a plan asks for."""


class Fault(BaseModel):
    """One fault: what happens where, and at which attempts.

    Parameters
    ----------
    action : {"fail", "kill", "stall", "corrupt"}
        Raise `InjectedFault`; end the process by SIGKILL; sleep; flip the middle byte of each file of the part.
    stage : str
        Such as ``"score"``; ``"scan"`` looks at a file, ``"read"`` reads one for ingest.
    part : str
        Pattern of `fnmatch` for the name: ``"rbspa/3"`` for part 3, the path relative to the archive's folder for
        a file, empty where the driver begins a stage.
    attempts : tuple of int, optional
        Which attempts at this part, from 1; by default each.
    moment : {"begin", "written", "done"}
        Before anything is done; when the part's files are in place and its receipt is not; when both are.
    seconds : float
        How long a stall is.
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
    """Faults, and the folder in which the processes count their attempts together.

    Parameters
    ----------
    counts : Path
        Made where it is not there.
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
        What the part has written so far, which a fault may damage.
    """
    plan = _plan_of_environment()
    if plan is None:
        return
    attempt = _count(plan.counts, stage, part, new=moment == "begin")
    for fault in plan.faults:
        if fault.is_due(stage, part, moment, attempt):
            _act(fault, f"{stage} {part}, attempt {attempt}", files)


def invocations(counts: Path) -> dict[tuple[str, str], int]:
    """Return how often each (stage, part) was begun, by all processes together."""
    found = {}
    for path in counts.glob("*/*"):
        found[path.parent.name, unquote(path.name[1:])] = path.stat().st_size
    return found


@contextmanager
def injected(faults: Iterable[Fault], *, counts: Path) -> Iterator[None]:
    """Work under a plan in this process and those that it starts.

    Parameters
    ----------
    counts : Path
        Folder of the counts; the plan is put beside it, as ``NAME.json``.
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
    # The letter keeps an empty name, or one of dots, a file of this folder.
    with (folder / f"p{quote(part, safe='')}").open("ab") as file:
        if new:
            file.write(b".")  # one write, which the system appends as a whole
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
