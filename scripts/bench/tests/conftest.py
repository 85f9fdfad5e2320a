# SPDX-License-Identifier: BSD-3-Clause
"""The harness stands beside its tests, in no package: only they find it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
