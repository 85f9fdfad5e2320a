"""The training stage, in a process of its own that takes TensorFlow's memory and threads with it when it ends.

    python -m padflow.run.trainer RUN_DIRECTORY SPACECRAFT...

All it needs is in the run directory. It tells its parent of each epoch by a line of JSON, and ends when that does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from padflow.clients import peak_memory_bytes
from padflow.config import load_config
from padflow.durable import write_bytes, write_json
from padflow.errors import CannotWrite, ConfigError, NoSpace, PadflowError
from padflow.packing import pack_arrays
from padflow.preprocessing import preprocessor_for
from padflow.run.layout import ARCHIVE, FIT, NETWORK, SPLIT
from padflow.run.ledger import digest
from padflow.store import ArchiveReader
from padflow.training import ShowEpoch, deal_split, train_network

KERAS_MODEL = "autoencoder.keras"
NOT_NEEDED = ("PIL", "matplotlib", "pandas", "sklearn")
"""Keras loads them where they are installed: 150 MB, for what is not done here."""
ERRORS = {kind.__name__: kind for kind in (PadflowError, ConfigError, CannotWrite, NoSpace)}
"""Kinds of errors that the process tells its parent of; of others it leaves a traceback."""


def train_apart(directory: Path, groups: list[str], show_epoch: ShowEpoch) -> int:
    """Do `fit_network` in a process of its own, and return what it does.

    Raises
    ------
    PadflowError
        What the process raised, or that it died.
    """
    # -P: a folder that the user happens to be in gives no modules. Its own session: Ctrl-C is its parent's affair.
    command = [sys.executable, "-P", "-m", __name__, str(directory), *groups]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    peak = 0
    with process:
        try:
            for line in process.stdout:
                said = json.loads(line)
                if "error" in said:
                    raise ERRORS.get(said["error"], PadflowError)(said["text"])
                if "epoch" in said:
                    show_epoch(*said["epoch"])
                peak = said.get("peak_memory_bytes", peak)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        killed = " (killed, perhaps for want of memory)" if process.returncode == -signal.SIGKILL else ""
        raise PadflowError(
            f"The process that trains the autoencoder ended with status {process.returncode}{killed}. Run the same "
            "command again; if it ends so again, lower train.max_rows and train.max_validation_rows, or ask for more "
            "memory."
        )
    return peak


def fit_network(directory: Path, groups: list[str], show_epoch: ShowEpoch) -> int:
    """Train the autoencoder on rows drawn from the run's archive, and leave it in the run directory.

    Returns
    -------
    int
        The largest memory that this process had, in bytes.
    """
    config = load_config(directory / "config.yaml")
    readers = {group: ArchiveReader(directory / ARCHIVE, group) for group in groups}
    axes = next(iter(readers.values())).axes
    split = deal_split(config, readers)
    preprocessor = preprocessor_for(config.preprocess, axes)
    trained, info = train_network(readers, preprocessor, split=split, config=config, show_epoch=show_epoch)
    _save_keras(trained, directory / "model")
    content = pack_arrays({f"axis_{name}": values for name, values in axes.items()} | trained.network.to_arrays())
    write_bytes(directory / FIT / NETWORK, content)
    write_json(directory / FIT / SPLIT, asdict(split))
    write_json(directory / FIT / "train.json", {"key": digest(content.hex()), "info": info})
    return peak_memory_bytes()


def _save_keras(trained: Any, folder: Path) -> None:
    from padflow.autoencoder import save_keras

    with TemporaryDirectory() as temporary:
        path = Path(temporary) / KERAS_MODEL
        save_keras(trained, path)
        write_bytes(folder / KERAS_MODEL, path.read_bytes())


def main() -> None:
    """Train for the parent that started this process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.modules.update(dict.fromkeys(NOT_NEEDED))  # as if they were not installed
    directory, *groups = sys.argv[1:]
    try:
        _say(peak_memory_bytes=fit_network(Path(directory), groups, lambda *epoch: _say(epoch=epoch)))
    except PadflowError as error:
        _say(error=type(error).__name__, text=str(error))


def _say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def _end_with_parent() -> None:
    sys.stdin.read()  # it ends when the parent does, however that came
    os._exit(1)


if __name__ == "__main__":
    main()
