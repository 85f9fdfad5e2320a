# SPDX-License-Identifier: BSD-3-Clause
"""``python -m padflow``."""

from padflow.cli.main import main

main()
