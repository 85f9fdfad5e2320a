# SPDX-License-Identifier: BSD-3-Clause
"""The explorer: one file that needs neither network nor server, drawn by Plotly."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from padflow.config.local_paths import local_path
from padflow.indices.joining import check_records
from padflow.indices.phases import PHASES, join_storms
from padflow.instruments.origin import SIMULATED
from padflow.maps.grid import L_EDGES, MLT_EDGES
from padflow.report.explorer.sums import REGION_L, SECTORS, sum_records
from padflow.report.figures.style import OKABE_ITO
from padflow.report.sentences import summary_sentences
from padflow.report.tables import read_run
from padflow.store.durable import write_bytes
from padflow.store.opening import open_archive, open_results
from padflow.store.paths import refuse_links
from padflow.store.run_files import EXPLORER, REPORT

if TYPE_CHECKING:
    import xarray as xr

FEWEST_RECORDS = 5
"""Records that a mean PAD and a share need to be drawn."""


def write_explorer(run_dir: Path, *, storms: xr.Dataset | None = None, spacecraft: str | None = None) -> Path:
    """Write ``report/explorer.html`` of a finished run: choose class, energy, region and storm phase, and see.

    Parameters
    ----------
    run_dir : Path
    storms : xarray.Dataset, optional
        As `padflow.find_storms` returns it. Without, no storm phase can be chosen.
    spacecraft : str, optional
        Which one, where the run has several.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    PadflowError
        Where the run has no results yet, the archive has no L or MLT, or something in the run directory is a link.
    """
    run_dir = local_path(run_dir, "run_dir")
    refuse_links(run_dir)
    results, archive = open_results(run_dir, spacecraft), open_archive(run_dir, spacecraft)
    check_records(results)
    if storms is not None:
        results = join_storms(results, storms)
    page = run_dir / REPORT / EXPLORER
    sentences = summary_sentences(read_run(run_dir))
    write_bytes(page, explorer_text(results, archive, run=str(run_dir), sentences=sentences).encode())
    return page


def explorer_text(results: xr.Dataset, archive: xr.Dataset, *, run: str, sentences: Sequence[str] = ()) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    results, archive : xarray.Dataset
        See `padflow.report.explorer.sums.sum_records`; only energies of which the results have shapes are shown, or all
        where there are no shapes.
    run : str
        Path of the run, for the commands on the page.
    sentences : sequence of str
        The first paragraph: see `padflow.report.sentences`.
    """
    names = str(results["pad_class"].attrs["flag_meanings"]).split()
    if "energy" in results.coords:
        archive = archive.sel(energy=results["energy"])
    sums = sum_records(results, archive, classes=len(names))
    phases = list(PHASES) if sums.counts.shape[1] > 1 else []
    data = {
        "classes": [f"{number}: {name.replace('_', ' ')}" for number, name in enumerate(names)] + ["no class"],
        "colours": [OKABE_ITO[i % len(OKABE_ITO)] for i in range(len(names))] + ["#8a8a8a"],
        "energies": [f"{energy:g} MeV" for energy in archive["energy"].values],
        "angles": np.round(archive["pitch_angle"].values, 2).tolist(),
        "regionL": REGION_L.tolist(),
        "sectors": list(SECTORS),
        "phases": ["storms not known", "no storm", *phases[2:]] if phases else [],
        "edgesL": L_EDGES.tolist(),
        "edgesMLT": MLT_EDGES.tolist(),
        "days": sums.days.astype(str).tolist(),
        "fewest": FEWEST_RECORDS,
        "arrays": {
            name: _packed(getattr(sums, name)) for name in ("counts", "cells", "ratio", "squares", "number", "by_day")
        },
    }
    texts = {name: _resource(name) for name in ("explorer.css", "explorer.js")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    from plotly.offline import get_plotlyjs

    return environment.from_string(_resource("explorer.html.j2")).render(
        title=results.attrs.get("title", "padflow"),
        simulated=SIMULATED in results.attrs,
        sentences=sentences,
        run=run,
        style=texts["explorer.css"],
        script=texts["explorer.js"],
        library=get_plotlyjs().replace("</script", "<\\/script"),
        data=_for_script(data),
        phases=bool(phases),
        records=int(sums.counts.sum()),
        first=sums.days[0],
        last=sums.days[-1],
    )


def _packed(values: np.ndarray) -> dict[str, Any]:
    """Return an array as JSON: float32 in base64, which holds counts up to 16 million exactly."""
    content = base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
    return {"shape": list(values.shape), "float32": content}


def _for_script(data: dict[str, Any]) -> str:
    """Return JSON that cannot end the element it stands in."""
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")


@cache
def _resource(name: str) -> str:
    """Return the text of a file of this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
