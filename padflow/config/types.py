# SPDX-License-Identifier: BSD-3-Clause
"""Types of values in the configuration: sizes and times with units, and paths."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from numbers import Real
from pathlib import Path
from typing import Annotated

from dask.utils import parse_bytes, parse_timedelta
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator

from padflow.config.local_paths import NOT_LOCAL, is_url

MOST_SECONDS = 100 * 365 * 86_400.0
"""Longest time: a century (chosen). Times are counted in nanoseconds, and 64 bits hold three centuries."""


FIRST_YEAR, LAST_YEAR = 1678, 2261
"""Whole years that 64 bits of nanoseconds since 1970 hold."""


MOST_BYTES = MOST_INTEGER = 1 << 53
"""Up to here float64 holds every integer, and so does every reader of JSON."""


TIMES = "seconds, or a time such as 90s, 2min or 1h, up to a century"


CLOCK_TIMES = "a time such as 2h or 02:00:00, up to a century"


SIZES = "bytes, or a size such as 512MiB or 2GB, up to 8 PiB"


def _measure(value: object, parse: Callable[[str], float], *, most: float, expected: str) -> float:
    """Read a number with or without a unit, at most `most`. Dask's parsers alone also accept a unit without number."""
    number = math.nan
    with suppress(ValueError, KeyError, OverflowError):
        if isinstance(value, str) and re.fullmatch(r"[0-9.]{1,20}([eE][+-]?[0-9]{1,3})?\s*[A-Za-z]*", value.strip()):
            number = parse(value.strip())
        elif isinstance(value, Real) and not isinstance(value, bool):
            number = float(value)
    if not 0 <= number <= most:
        raise ValueError(f"expected {expected}")
    return number


def _seconds(value: object, expected: str = TIMES) -> float:
    """Read ``"2min"`` or ``"90 s"``. Dask's parser knows all units except ``min``."""

    def parse(text: str) -> float:
        return parse_timedelta(re.sub(r"mins?$", "minutes", text))

    return _measure(value, parse, most=MOST_SECONDS, expected=expected)


def _clock_seconds(value: object) -> float:
    """Read a walltime: ``HH:MM``, ``HH:MM:SS`` or ``D-HH:MM:SS`` as in queueing systems, or a time as in `_seconds`."""
    clock = r"(?:([0-9]{1,5})-)?([0-9]{1,6}):([0-5][0-9])(?::([0-5][0-9]))?"
    found = re.fullmatch(clock, value.strip()) if isinstance(value, str) else None
    if found is None:
        return _seconds(value, CLOCK_TIMES)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((24 * days + hours) * 60 + minutes) * 60 + seconds)


def _local(value: object) -> object:
    if isinstance(value, str | Path) and is_url(value):
        raise ValueError(NOT_LOCAL)
    return value


def _bytes(value: object) -> int:
    return int(_measure(value, parse_bytes, most=MOST_BYTES, expected=SIZES))


def _within_nanoseconds(value: date) -> date:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"expected a year from {FIRST_YEAR} to {LAST_YEAR}")
    return value


Bytes = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]


Seconds = Annotated[float, BeforeValidator(lambda value: _seconds(value)), Field(ge=0)]


Walltime = Annotated[float, BeforeValidator(_clock_seconds), Field(ge=60)]


Day = Annotated[date, AfterValidator(_within_nanoseconds)]


Moment = Annotated[datetime, AfterValidator(_within_nanoseconds)]


PathText = Annotated[Path, BeforeValidator(_local), PlainSerializer(str)]


class Section(BaseModel):
    """A section of the configuration. It cannot change, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _bounded(cls, value: object) -> object:
        if isinstance(value, int) and value > MOST_INTEGER:  # NumPy would refuse it much later
            raise ValueError(f"expected at most {MOST_INTEGER}")
        return value
