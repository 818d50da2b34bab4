"""Sentences of a page: what the rooms computed, as findings with a number, an owner and a next step."""
