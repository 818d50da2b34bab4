"""Findings of the pages: sentences with a number, a department and a next step, from what the rooms computed."""
