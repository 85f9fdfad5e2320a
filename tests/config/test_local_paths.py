# SPDX-License-Identifier: BSD-3-Clause
"""URLs are refused wherever a path is taken, and nothing is made."""

from __future__ import annotations

from pathlib import Path

import pytest

import padflow
from padflow.config.local_paths import is_url
from padflow.config.reading import load_config
from padflow.errors import ConfigError
from padflow.instruments.instrument import load_instrument
from padflow.report.export import export_labels
from padflow.report.html import write_report
from padflow.simulation.archive import simulate_archive

URLS = ["s3://bucket/run", "https://host/run", "gs://bucket/run", "file:///tmp/run", "simplecache::s3://bucket/run"]
COMMANDS = {
    "source": ["plan", "my.yaml", "--set", "archive.source=URL"],
    "instrument": ["plan", "my.yaml", "--set", "archive.source=.", "--set", "archive.instrument=URL/my.yaml"],
    "certificate": ["plan", "my.yaml", "--set", "archive.source=.", "--set", "cluster.tls_cert=URL"],
    "workdir": ["run", "my.yaml", "--set", "archive.source=.", "--workdir", "URL"],
    "config": ["plan", "URL"],
    "model": ["label", "URL", "my.yaml"],
    "status": ["status", "URL"],
    "verify": ["verify", "URL"],
    "report": ["report", "URL"],
    "export from": ["export", "URL", "labels.nc"],
    "export to": ["export", ".", "URL/labels.nc"],
    "simulate": ["simulate", "URL", "--days", "1"],
    "demo of": ["demo", "--folder", "URL"],
    "demo in": ["demo", "--workdir", "URL"],
    "submit": ["submit", "my.yaml", "--workdir", "URL"],
}


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_commands_refuse_urls_and_make_nothing(
    padflow, command: list[str], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text("{}\n")
    ended = padflow(*(word.replace("URL", url) for word in command))
    assert ended.status == 2
    assert "this is a URL" in ended.err
    assert url in ended.err
    assert len(ended.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "my.yaml"]


def test_a_url_in_a_configuration_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("archive:\n  source: s3://bucket/cdf\n")
    with pytest.raises(ConfigError, match=r"archive\.source = 's3://bucket/cdf': this is a URL"):
        load_config(path)


@pytest.mark.parametrize("url", ["s3://bucket/run", Path("s3://bucket/run"), "file:/tmp/run"])
@pytest.mark.parametrize(
    "function",
    [
        padflow.open_archive,
        padflow.open_results,
        padflow.Model.load,
        load_config,
        load_instrument,
        simulate_archive,
        write_report,
        lambda url: export_labels(Path(), url, spacecraft=None, start=None, end=None),
        lambda url: export_labels(url, Path("labels.nc"), spacecraft=None, start=None, end=None),
    ],
)
def test_functions_refuse_urls_too(function, url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="this is a URL"):
        function(url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["run", "/data/run", "a:b", "a:/b", "data/s3://x", "2013-03-17T06:00", "~/x", "."])
def test_paths_are_none(path: str) -> None:
    assert not is_url(path)
