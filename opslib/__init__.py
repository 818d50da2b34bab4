"""opslib: an evidence bench for people who run an online shop."""

__version__ = "0.1.0"
