"""``python -m opslib``."""

from opslib.cli import main

main()
