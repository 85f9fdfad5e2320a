# SPDX-License-Identifier: BSD-3-Clause
"""The stages of a run in their order, each declared once; command line, guard, status and verify read them here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from padflow.store.run_files import ARCHIVE, FIT, MODEL, MODEL_FACTS, RECEIPTS, RESULTS


@dataclass(frozen=True)
class Stage:
    """One stage.

    Parameters
    ----------
    name : str
        Name in ``--from``, in receipts, in ``run.json`` and in plans of faults.
    kind : {"parts", "fit", "report"}
        ``parts`` does each part and writes a receipt for each. ``fit`` fits something and writes ``fit/NAME.json``
        last. ``report`` shows what came out.
    function : str
        ``module:function``. The function gets the run and does what is not done yet. The driver imports it when it is
        needed. The command line does not, for it needs only the names of the stages.
    leaves : tuple of str
        Files and folders that it writes into the run directory, without receipts, in the order in which they are to be
        removed. The last one says that the stage is done.
    keys : tuple of str
        Keys and sections of the configuration that no stage before it uses.
    """

    name: str
    kind: Literal["parts", "fit", "report"]
    function: str
    leaves: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


STAGES = (
    Stage(
        "ingest",
        "parts",
        "padflow.pipeline.stages.archive:ingest",
        leaves=(ARCHIVE,),
        keys=("archive.instrument", "archive.rows_per_part", "archive.spacecraft", "archive.start"),
    ),
    Stage(
        "train",
        "fit",
        "padflow.pipeline.stages.fit:fit_autoencoder",
        leaves=(f"{FIT}/train.json",),
        keys=("preprocess", "train", "seed"),
    ),
    Stage(
        "pca",
        "fit",
        "padflow.pipeline.stages.fit:fit_components",
        leaves=(RESULTS, f"{RECEIPTS}/moments", f"{FIT}/moments", f"{FIT}/pca.json"),
        keys=("pca",),
    ),
    Stage("score", "parts", "padflow.pipeline.stages.label:score"),
    Stage(
        "classes",
        "fit",
        "padflow.pipeline.stages.fit:fit_classes",
        leaves=(f"{MODEL}/{MODEL_FACTS}", f"{FIT}/fixed.json", f"{FIT}/classes.json"),
        keys=("mean_shift", "kmeans", "agglomerative", "method"),
    ),
    Stage("label", "parts", "padflow.pipeline.stages.label:label"),
    Stage(
        "report",
        "report",
        "padflow.pipeline.stages.finish:finish",
        leaves=(f"{RECEIPTS}/summary", f"{FIT}/summary.json"),
    ),
)
"""All stages.

The other keys of the section `archive` only choose files. Where they change the content of a part, the part has another
key of its own, and is done again. The section `cluster` changes no result.
"""


STAGE_NAMES = tuple(stage.name for stage in STAGES)


def stages_from(name: str) -> tuple[Stage, ...]:
    """Return a stage and those after it."""
    return STAGES[STAGE_NAMES.index(name) :]


def stages_to(name: str) -> tuple[Stage, ...]:
    """Return a stage and those before it, in order."""
    return STAGES[: STAGE_NAMES.index(name) + 1]
