# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C and SIGTERM end a command with one line, at whatever moment they come."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

ONE_LINE = "padflow: Interrupted. Run the same command again to go on from here."

AT_IMPORT = """
import os, signal, sys
class Interrupt:
    left = 1
    def find_spec(self, name, path=None, target=None):
        if name == MODULE and self.left:
            self.left = 0
            os.kill(os.getpid(), NUMBER)
sys.meta_path.insert(0, Interrupt())
from padflow.cli.main import main
main()
"""
IN_A_CLUSTER_THAT_STARTS = """
import os, signal, sys
from distributed.deploy.spec import SpecCluster
async def interrupted(cluster, start=SpecCluster._start):
    os.kill(os.getpid(), NUMBER)
    await start(cluster)
SpecCluster._start = interrupted
from padflow.cli import main
from padflow import startup
startup.GRACE_SECONDS = 600  # for busy machines
main.main()
"""
COMMAND = """
import atexit, os, signal, sys, time
from types import SimpleNamespace
from padflow.cli import commands
from padflow.cli import main
from padflow import startup
def command(**_):
    {}
commands.commands = command
atexit.register(lambda: print("what libraries do at exit"))
main.main()
"""


def ended(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["env", "--default-signal=INT", sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def ended_command(*lines: str) -> subprocess.CompletedProcess[str]:
    """Run made-up lines as a command that holds something."""
    body = textwrap.indent("\n".join(["startup.hold()", *lines]), "    ").strip()
    return ended(COMMAND.format(body))


@pytest.fixture
def config(small_archive: Path, tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"archive: {{source: {small_archive}}}\ncluster: {{workers: 1, memory_limit: 1GiB}}\n")
    return path


@pytest.mark.parametrize(
    ("module", "number"),
    [
        ("padflow.cli.commands", "SIGINT"),
        ("yaml", "SIGTERM"),
        ("padflow.pipeline.driver", "SIGTERM"),
        ("sklearn.cluster", "SIGINT"),
    ],
)
def test_while_modules_are_imported(module: str, number: str, config: Path, tmp_path: Path) -> None:
    code = AT_IMPORT.replace("MODULE", repr(module)).replace("NUMBER", f"signal.{number}")
    process = ended(code, "ingest", config, "--workdir", tmp_path / "run")
    assert (process.returncode, process.stdout, process.stderr) == (1, "", f"{ONE_LINE}\n")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_while_a_cluster_starts(number: str, config: Path, tmp_path: Path) -> None:
    code = IN_A_CLUSTER_THAT_STARTS.replace("NUMBER", f"signal.{number}")
    process = ended(code, "ingest", config, "--workdir", tmp_path / "run")
    assert process.returncode == 1
    assert [line for line in process.stderr.splitlines() if line] == [ONE_LINE]
    assert not (tmp_path / "run" / ".lock").exists()


def test_where_python_cannot_pass_it_on() -> None:
    """From ``__del__``, as at any moment at which something is freed."""
    process = ended_command(
        "class Freed:",
        "    def __del__(self):",
        "        os.kill(os.getpid(), signal.SIGTERM)",
        "        time.sleep(0)",
        "freed = Freed()",
        "del freed",
        "time.sleep(100)",
    )
    assert (process.returncode, process.stdout, process.stderr) == (1, "", f"{ONE_LINE}\n")


def test_where_a_library_swallows_it() -> None:
    process = ended_command(
        "startup.GRACE_SECONDS = 0.2",
        "try:",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    time.sleep(100)",
        "except BaseException:",
        "    time.sleep(100)",
    )
    assert (process.returncode, process.stdout, process.stderr) == (1, "", f"{ONE_LINE}\n")


def test_what_is_held_is_put_in_order_and_a_second_sigterm_does_not_disturb_it() -> None:
    process = ended_command(
        "try:",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    time.sleep(100)",
        "finally:",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    time.sleep(0)",
        "    print('in order')",
    )
    assert (process.returncode, process.stdout, process.stderr) == (1, "in order\n", f"{ONE_LINE}\n")


@pytest.mark.parametrize("error", ["AssertionError('Status.init')", "OSError('closed')", "SystemExit(3)"])
def test_an_error_that_comes_of_it_is_not_told(error: str) -> None:
    process = ended_command(
        "try:",
        "    os.kill(os.getpid(), signal.SIGINT)",
        "    time.sleep(100)",
        "finally:",
        f"    raise {error}",
    )
    assert (process.returncode, process.stdout, process.stderr) == (1, "", f"{ONE_LINE}\n")


def test_processes_that_were_started_end_with_it() -> None:
    process = ended_command(
        "import subprocess",
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])",
        "print(child.pid, flush=True)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "time.sleep(100)",
    )
    pid = int(process.stdout)
    assert process.stderr == f"{ONE_LINE}\n"
    if psutil.pid_exists(pid):
        psutil.wait_procs([psutil.Process(pid)], timeout=20)
    assert not psutil.pid_exists(pid)


def test_what_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    """As what a shell script starts with ``&`` does."""
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + COMMAND.format(
        "os.kill(os.getpid(), signal.SIGINT); print('done')"
    )
    process = ended(code)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("done\n")


def test_settings_that_a_library_cannot_be_loaded_with_are_named(tmp_path: Path) -> None:
    settings = tmp_path / "dask"
    settings.mkdir()
    (settings / "mine.yaml").write_text("distributed: [\n")
    command = ["env", f"DASK_CONFIG={settings}", sys.executable, "-m", "padflow", "config"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr.startswith("padflow: A library that padflow uses cannot be loaded: ValueError: ")
    assert len(process.stderr.splitlines()) == 1
    assert str(settings / "mine.yaml") in process.stderr
