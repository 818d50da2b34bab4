"""``python -m opslib.cli``."""

from opslib.cli import main

main()
