"""``python -m padflow``."""

from padflow.cli.main import main

main()
