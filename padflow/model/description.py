# SPDX-License-Identifier: BSD-3-Clause
"""Read ``model.json``, the description of a model, and check it before anything is made from it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from padflow.config.sections import Config, PreprocessConfig
from padflow.config.text import describe_validation
from padflow.errors import PadflowError, brief
from padflow.store.npz import read_bounded

FORMAT = 1  # not raised before the first release


MOST_BYTES = 16 << 20
"""Largest size of the file (chosen: 100,000 epochs of history take 5 MB)."""


AGAIN = "Copy the whole model folder again, or fit a model with `padflow run`."


Number = Annotated[int, Field(ge=0, strict=True)]


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._+@-]{1,64}$")]
"""The name of a class: characters that CF allows in the meanings of a flag."""


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class ClassEntry(_Open):
    """Facts about a class: its name, and its records and shape in the archive that was labelled last."""

    pad_class: Number
    name: Name
    records: Number
    share: Annotated[float, Field(ge=0, le=1)]
    shape: Name
    looks: Name
    shapes: list[Name]


class Description(_Open):
    """The keys of ``model.json`` that padflow reads. The file may hold more keys for other readers."""

    format: Literal[1]
    arrays_sha256: str
    preprocess: PreprocessConfig
    names: list[Name]
    settings: Config = Config()
    classes: list[ClassEntry] = []
    fitted_to: dict[str, dict[str, Any]] = {}
    simulated: str = ""

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_preprocessing(cls, values: Any) -> Any:
        """Check settings together with the preprocessing, for some go together with what that gives."""
        if isinstance(values, dict) and isinstance(values.get("settings"), dict):
            return values | {"settings": {"preprocess": values.get("preprocess"), **values["settings"]}}
        return values


def read_description(path: Path) -> dict[str, Any]:
    """Read the description of a model and check it.

    Raises
    ------
    PadflowError
        Where the file is missing, has another format, or holds a key with a wrong value: names the key.
    """
    try:
        values = json.loads(read_bounded(path, MOST_BYTES).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise PadflowError(f"{path.parent} is not a model: {path.name} is missing. {AGAIN}") from None
    except (ValueError, RecursionError) as error:
        raise PadflowError(
            f"{path.parent} is not a model: {path.name} is not whole ({brief(str(error))}). {AGAIN}"
        ) from None
    if not isinstance(values, dict):
        raise PadflowError(f"{path.parent} is not a model: {path.name} holds no keys. {AGAIN}")
    form = values.get("format")
    if type(form) is not int or form != FORMAT:
        raise PadflowError(
            f"{path} has format {brief(form)}, written by padflow {brief(values.get('padflow'))}; this padflow reads "
            f"format {FORMAT}. Use that version, or fit a model again."
        )
    if key := _not_finite(values):
        raise PadflowError(f"{path}: {brief(key)} is no finite number. {AGAIN}")
    try:
        Description.model_validate(values)
    except ValidationError as error:
        raise PadflowError(
            f"{path} is not as padflow wrote it: {describe_validation(error, Description)} {AGAIN}"
        ) from None
    return values


def _not_finite(values: dict[str, Any]) -> str:
    """Return the key of a number that is NaN or infinite, such as ``training.history.loss.3``; or an empty text."""
    waiting: list[tuple[str, Any]] = list(values.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{key}.{name}", inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{key}.{place}", inner) for place, inner in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            return key
    return ""
