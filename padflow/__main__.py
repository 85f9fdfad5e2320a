"""``python -m padflow``."""

from padflow.cli import main

main()
