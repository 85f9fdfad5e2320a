"""What keys of the configuration may hold: sizes and times in words, paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from dask.utils import parse_bytes, parse_timedelta
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from padflow.local import NOT_LOCAL, is_url


def _seconds(value: object) -> object:
    """Read ``"2min"`` or ``"90 s"``; Dask's parser knows every unit in use but ``min``."""
    if not isinstance(value, str):
        return value
    try:
        return parse_timedelta(re.sub(r"mins?\s*$", "minutes", value.strip()))
    except KeyError:
        raise ValueError("expected seconds, or a time such as 90s, 2min or 1h") from None


def _clock_seconds(value: object) -> object:
    """Read a walltime as queueing systems write it, ``HH:MM``, ``HH:MM:SS`` or ``D-HH:MM:SS``, or as `_seconds`."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?", value.strip()) if isinstance(value, str) else None
    if found is None:
        return _seconds(value)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((24 * days + hours) * 60 + minutes) * 60 + seconds)


def _local(value: object) -> object:
    if isinstance(value, str | Path) and is_url(value):
        raise ValueError(NOT_LOCAL)
    return value


Bytes = Annotated[int, BeforeValidator(lambda v: parse_bytes(v) if isinstance(v, str) else v), Field(gt=0)]
Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
Walltime = Annotated[float, BeforeValidator(_clock_seconds), Field(ge=60)]
PathText = Annotated[Path, BeforeValidator(_local), PlainSerializer(str)]


class Section(BaseModel):
    """A part of the configuration: frozen, with no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
