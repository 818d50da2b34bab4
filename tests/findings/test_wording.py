"""Words that compare or count come from `opslib.findings.wording`, where each stands for a number."""

from __future__ import annotations

import ast
import re

from tests.conftest import ROOT

COMPARING = re.compile(r"\b(rose|fell|most|more than|largest|smallest|no)\b", re.IGNORECASE)
#: Texts of findings modules in which such a word compares and counts nothing.
NO_COMPARISON = {
    ("proposal.py", "no answer"): "the name of an obstacle, looked up and never written",
    ("clusters.py", "no-groups"): "the key of a finding",
}


def _comparing(source: str) -> set[str]:
    """Texts of a module, docstrings apart, parts of f-strings included, that hold a word that compares."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text.value for text in texts if id(text) not in alone and COMPARING.search(text.value)}


def test_the_reader_of_modules_sees_every_kind_of_text():
    source = (
        '"""The most."""\nUP = ("No rise",)\ndef told(n):\n    "more than that"\n'
        '    return f"{n:,} of the Largest {n}" + "sales\\nfell" + "nose, almost, fellow, more, thanks"\n'
        'DEEP = {"a": [f"{f\'no {UP}\'} rose"]}\n'
    )
    assert _comparing(source) == {"No rise", " of the Largest ", "sales\nfell", "no ", " rose"}


def test_words_that_compare_come_from_one_module():
    modules = [path for path in (ROOT / "opslib" / "findings").glob("*.py") if path.name != "wording.py"]
    found = {(path.name, text) for path in modules for text in _comparing(path.read_text())}
    assert found - set(NO_COMPARISON) == set(), "take the word from opslib/findings/wording.py"
    assert set(NO_COMPARISON) - found == set(), "gone from its module: take it from NO_COMPARISON"
