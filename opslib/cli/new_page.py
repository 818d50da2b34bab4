"""``opslib page``: begin a page, on rooms that exist or with a room of its own."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer

from opslib.cli.common import notebooks
from opslib.errors import ParameterError, nearest
from opslib.shop.root import project_root

page_app = typer.Typer(help="Pages: a notebook each, and its room where it needs one.", no_args_is_help=True)

_NAME = re.compile(r"(\d\d)_([a-z][a-z0-9_]*)")
_ROOM = re.compile(r"[a-z][a-z0-9_]*")
#: Layer of pyproject that a new room stands on: rooms that read tables and know nothing of each other.
_ROW = re.compile(r'^( *")([^"\n]*\bsegmentation\b[^"\n]*)(",)$', re.MULTILINE)
_TEMPLATES = Path(__file__).parent / "templates"


def complete_names(incomplete: str) -> list[str]:
    """Numbers that no page has yet, for the shell; a word follows the number."""
    taken = {path.stem[:2] for path in notebooks()}
    return [name for n in range(100) if (name := f"{n:02d}_").startswith(incomplete) and name[:2] not in taken]


def complete_rooms(ctx: typer.Context, incomplete: str) -> list[str]:
    """The page's own word, and rooms that the layers name but nobody has built, for the shell."""
    words = [ctx.params.get("name", "").partition("_")[2]]
    pyproject = project_root() / "pyproject.toml"
    row = _ROW.search(pyproject.read_text(encoding="utf-8")) if pyproject.is_file() else None
    words += re.findall(r"\((\w+)\)", row[2]) if row else []
    return [word for word in dict.fromkeys(words) if word and word.startswith(incomplete)]


@page_app.command("new")
def new(
    name: Annotated[
        str, typer.Argument(autocompletion=complete_names, help="Number and word of the page, e.g. 73_gifts.")
    ],
    room: Annotated[
        str, typer.Option("--room", autocompletion=complete_rooms, help="Room to make for it: one word, e.g. gifts.")
    ] = "",
) -> None:
    """Write a notebook that runs as it stands; with --room also its module, its sentences and the tests of both.

    Examples: opslib page new 73_gifts | opslib page new 73_gifts --room gifts
    """
    for path in write_page(name, room=room, root=project_root()):
        typer.echo(f"wrote {path}")
    typer.echo(f"see it: opslib run demo --only {name[:2]}; work on it: make lab; enter it in the README: make docs")


def write_page(name: str, *, room: str, root: Path) -> list[Path]:
    """Write the files of a new page, none of which may exist yet.

    Parameters
    ----------
    name : str
        Number and word, "73_gifts".
    room : str
        Word of a room to make; empty: the page stands on rooms that exist.
    root : Path
        The project.

    Returns
    -------
    list of Path
        What was written, in the order of reading; with a room, pyproject.toml last.

    Raises
    ------
    ParameterError
        If the name or the room is not of the form, or taken; nothing is written then.
    """
    named = _NAME.fullmatch(name)
    if named is None:
        raise ParameterError(
            f"page '{name}': write two figures, an underscore and a word in small letters, e.g. 73_gifts"
        )
    taken = [path.stem for path in (root / "notebooks").glob("*.ipynb")]
    if any(stem.startswith(named[1] + "_") for stem in taken):
        free = next(
            f"{n:02d}" for n in (*range(int(named[1]), 100), *range(100)) if f"{n:02d}" not in {t[:2] for t in taken}
        )
        raise ParameterError(f"page '{name}': {named[1]} is the number of a page already; {free} is free")
    filled = {"words": named[2].replace("_", " "), "room": room}
    texts = {
        root / "notebooks" / f"{name}.ipynb": _notebook("room_page.txt" if room else "page.txt", filled, name=name)
    }
    if room:
        texts |= _room_files(room, filled, root=root)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _room_files(room: str, filled: dict[str, str], *, root: Path) -> dict[Path, str]:
    """Files of a new room, and pyproject with its word in the row of rooms."""
    pyproject = root / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8") if pyproject.is_file() else ""
    row = _ROW.search(text)
    if row is None or not (root / "opslib").is_dir():
        raise ParameterError(
            "--room: a room is part of opslib, and this project holds no checkout of it; leave --room out"
        )
    if _ROOM.fullmatch(room) is None or keyword.iskeyword(room):
        raise ParameterError(f"--room '{room}': write one word in small letters, e.g. gifts")
    parts = {
        root / "opslib" / f"{room}.py": "room.txt",
        root / "opslib" / "findings" / f"{room}.py": "findings.txt",
        root / "tests" / f"test_{room}.py": "test_room.txt",
        root / "tests" / "findings" / f"test_{room}.py": "test_findings.txt",
    }
    if there := [path for path in (root / "opslib" / room, *parts) if path.exists()]:
        rooms = [path.stem for path in (root / "opslib").iterdir()]
        raise ParameterError(f"--room '{room}': {there[0].relative_to(root)} is there already; {nearest(room, rooms)}")
    waiting = f"({room})"  # the layers know the word already
    row_with_room = f"{row[1]}{row[2]} | {room}{row[3]}"
    layers = text.replace(waiting, room, 1) if waiting in text else text.replace(row[0], row_with_room, 1)
    return {path: _filled(template, filled) for path, template in parts.items()} | {pyproject: layers}


def _filled(template: str, filled: dict[str, str]) -> str:
    return Template((_TEMPLATES / template).read_text(encoding="utf-8")).substitute(filled)


def _notebook(template: str, filled: dict[str, str], *, name: str) -> str:
    """A template's cells, each after a line ``%% kind``, as a notebook without outputs."""
    import nbformat
    from nbformat import v4

    cells: list[Any] = []
    for part in _filled(template, filled).split("%% ")[1:]:
        kind, _, source = part.partition("\n")
        new_cell = v4.new_markdown_cell if kind == "markdown" else v4.new_code_cell
        tags = {"tags": ["parameters"]} if kind == "parameters" else {}
        cells.append(new_cell(source.rstrip(), id=f"{name[:2]}-{len(cells):02d}", metadata=tags))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return nbformat.writes(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})) + "\n"
