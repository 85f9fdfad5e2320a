"""``python -m padflow``."""

from padflow.start import main

main()
