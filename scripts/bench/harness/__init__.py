# SPDX-License-Identifier: BSD-3-Clause
"""What `scripts/bench/run.py` measures, and how; not part of the package padflow."""
