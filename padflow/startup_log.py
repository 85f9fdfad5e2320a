"""Keep what TensorFlow says of itself at its start off the terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def without_startup_log() -> Iterator[None]:
    """Keep TensorFlow's start-up notes (no CUDA, oneDNN on) off standard error.

    They are written by C++ before any log level is read, so the file descriptor itself is diverted; whatever
    else was written to it meanwhile is passed on afterwards.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as diverted:
        os.dup2(diverted.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            diverted.seek(0)
            notes = re.compile(rb"^(I0000 |WARNING: All log messages before absl::InitializeLog)")
            with contextlib.suppress(OSError):
                os.write(2, b"".join(line for line in diverted if not notes.match(line)))
