"""What of the package is reached: calls followed, module by module, from notebooks, commands, registries and examples.

A name in a docstring reaches nothing. A name in code reaches what it stands for in its module: a definition of the module, an
import, or an attribute of an imported module, followed through the modules that pass it on. A reached class reaches all of its
methods; an imported module runs, so what its top calls or registers by a decorator is reached too.
"""

from __future__ import annotations

import ast
import doctest
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

Node = tuple[str, str]  # module, name of a definition; '' is the module's own top
#: Decorators that change a function and enter it nowhere.
PLAIN_DECORATORS = frozenset({
    "cache", "cached_property", "contextmanager", "dataclass", "overload", "property", "lru_cache", "wraps", "total_ordering",
    "runtime_checkable",
})  # fmt: skip


@dataclass
class Module:
    """What a module defines, and what its names stand for."""

    name: str
    tree: ast.Module
    is_package: bool
    definitions: dict[str, list[ast.AST]] = field(default_factory=dict)
    top: list[ast.AST] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)  # local name -> dotted name

    def __post_init__(self) -> None:
        self._read(self.tree.body)
        for node in ast.walk(self.tree):  # imports inside functions too: the name means the same wherever it is used
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.aliases |= {local: dotted for local, dotted in self._imported(node) if local not in self.aliases}

    def _read(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.definitions.setdefault(statement.name, []).append(statement)
                if any(_last(decorator) not in PLAIN_DECORATORS for decorator in statement.decorator_list):
                    self.top.append(ast.Name(id=statement.name))
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
                for name in names:
                    if name != "__all__":
                        self.definitions.setdefault(name, []).append(statement)
            elif isinstance(statement, (ast.If, ast.Try)):
                self.top.append(statement.test if isinstance(statement, ast.If) else ast.Pass())
                self._read([*statement.body, *statement.orelse])
            else:
                self.top.append(statement)

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
        if isinstance(node, ast.Import):
            yield from (
                (a.asname or a.name.split(".")[0], a.name if a.asname else a.name.split(".")[0]) for a in node.names
            )
            return
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        base = (
            ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            if node.level
            else node.module
        )
        yield from ((a.asname or a.name, f"{base}.{a.name}") for a in node.names)


def _last(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


class Package:
    """The package's modules, and what code reaches in them."""

    def __init__(self, root: Path, name: str = "opslib") -> None:
        self.root, self.name = root, name
        self.modules: dict[str, Module] = {}
        for path in sorted((root / name).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.modules[dotted] = Module(dotted, ast.parse(path.read_text(encoding="utf-8")), parts[-1] == "__init__")

    def resolve(self, dotted: str, *, seen: frozenset[str] = frozenset()) -> Node | None:
        """The definition that a dotted name stands for, through the modules that pass it on; a module is its own top."""
        if dotted in self.modules:
            return dotted, ""
        home, _, name = dotted.rpartition(".")
        if home in self.modules and dotted not in seen:
            module = self.modules[home]
            if name in module.definitions:
                return home, name
            if name in module.aliases:
                return self.resolve(module.aliases[name], seen=seen | {dotted})
            return None
        outer = self.resolve(home, seen=seen) if home else None
        if outer is None:
            return None
        # an attribute of a name that is passed on: of a module under another name, else of a class or value
        return self.resolve(f"{outer[0]}.{name}", seen=seen | {dotted}) if not outer[1] else outer

    def uses(self, module: Module, nodes: list[ast.AST]) -> Iterator[Node]:
        """Definitions that code names."""
        for outer in nodes:
            for node in ast.walk(outer):
                if isinstance(node, (ast.Name, ast.Attribute)):
                    dotted = _dotted(node)
                    if dotted is not None:
                        yield from self._named(module, dotted)
                elif isinstance(node, (ast.Import, ast.ImportFrom)):
                    for _, dotted in module._imported(node):
                        yield from self._parents(dotted)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from self._written(node.value)

    def _named(self, module: Module, dotted: str) -> Iterator[Node]:
        first, _, rest = dotted.partition(".")
        if first in module.definitions:
            yield module.name, first
        elif first in module.aliases:
            target = ".".join(filter(None, [module.aliases[first], rest]))
            found = self.resolve(target)
            if found is not None:
                yield from (found, (found[0], ""))

    def _parents(self, dotted: str) -> Iterator[Node]:
        """Modules that an import runs."""
        parts = dotted.split(".")
        yield from ((name, "") for n in range(1, len(parts) + 1) if (name := ".".join(parts[:n])) in self.modules)

    def _written(self, text: str) -> Iterator[Node]:
        """A module, or a name of one, that is written out for a later import: all that a dynamic import may ask it for."""
        home, _, name = text.partition(":")
        if home in self.modules and home != self.name:
            yield home, ""
            yield from ((home, n) for n in ([name] if name else self.modules[home].definitions))
        elif re.fullmatch(rf"{self.name}(\.\w+)+\.", text):  # f"opslib.shop.adapters.{...}"
            for found in self.modules:
                if found.startswith(text):
                    yield from ((found, n) for n in ("", *self.modules[found].definitions))

    def reached(self, starts: list[Node]) -> set[Node]:
        """Everything that the starts reach."""
        done: set[Node] = set()
        waiting = list(starts)
        while waiting:
            node = waiting.pop()
            if node in done:
                continue
            done.add(node)
            module = self.modules[node[0]]
            code = module.definitions[node[1]] if node[1] else module.top
            waiting += [use for use in self.uses(module, code) if use not in done]
            waiting.append((node[0], ""))
        return done

    def code_uses(self, source: str) -> list[Node]:
        """What code outside of the package reaches at once: a notebook, an example."""
        module = Module("outside", ast.parse(source), is_package=False)
        found = list(self.uses(module, [module.tree]))
        return [node for node in found if node[0] in self.modules]

    @cached_property
    def starts(self) -> list[Node]:
        """Where people and other programs come in: notebooks, the command line, entry points, the analyst's examples."""
        asked_by_name = (
            "__main__",
            "lab.load_ipython_extension",
            "lab.unload_ipython_extension",
        )  # Python's, IPython's
        found = [node for name in asked_by_name if (node := self.resolve(f"{self.name}.{name}")) is not None]
        for path in sorted((self.root / "notebooks").glob("*.ipynb")):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            found += self.code_uses("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))
        analyst = self.root / "docs" / "analyst.md"
        if analyst.is_file():
            examples = doctest.DocTestParser().get_examples(analyst.read_text(encoding="utf-8"))
            found += self.code_uses("".join(example.source for example in examples))
        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        named = [project["scripts"], *project.get("entry-points", {}).values()]
        for text in (text for group in named for text in group.values()):
            found += [node for node in [self.resolve(text.replace(":", "."))] if node is not None]
        return found

    @cached_property
    def unreached(self) -> list[str]:
        """Functions and classes that nothing reaches, as ``module.name``."""
        reached = self.reached(self.starts)
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return sorted(
            f"{module.name.removeprefix(self.name + '.')}.{name}"
            for module in self.modules.values()
            for name, nodes in module.definitions.items()
            if isinstance(nodes[0], kinds) and (module.name, name) not in reached and not name.startswith("__")
        )


def _dotted(node: ast.AST) -> str | None:
    """``a.b.c`` of a name or attribute chain; None where it starts with something computed."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else None
