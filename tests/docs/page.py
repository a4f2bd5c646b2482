"""Pages of the documentation as programs: their Python blocks, run in order in one namespace.

What a reader would do is done for each block:

- One whose first line is a comment with a file name (``# tasks.py``) is saved under that name and imported: a module of
  its own, for later blocks and for the child processes of workers.
- Any other block is run as it stands. It may ``await``: a page has one event loop.
- Addresses that a reader has are replaced: ``redis://localhost`` by the server of the tests, and the folders of
  ``embedded://`` lie in a temporary one, which is the working directory too.

``<!-- skip: next -->`` before a block leaves it out: for those that only make sense on another machine.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from sybil import Example
from sybil.document import Document
from sybil.evaluators.python import pad
from sybil.parsers.markdown import CodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
_FILE = re.compile(r"# ([a-z_]+)\.py\n")
_ADDRESS = re.compile(r"redis://localhost(:6379)?(/0)?\b")


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of *path* in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


class Page:
    """One page, its event loop and its folder, which must be the working directory."""

    def __init__(self, path: Path, *, redis_url: str, folder: Path) -> None:
        self.path = path
        self.folder = folder
        self._redis_url = redis_url
        self._files: set[str] = set()
        self._document = Document.parse(
            str(path), CodeBlockParser(language="python", evaluator=self._evaluate), SkipParser()
        )
        self._module = ModuleType(f"page_{path.stem}")
        self._document.namespace = self._module.__dict__
        self.runner = asyncio.Runner()

    @property
    def names(self) -> dict[str, Any]:
        """What the blocks have defined."""
        return self._module.__dict__

    def run(self) -> int:
        """Run all blocks; returns how many there are."""
        examples = list(self._document.examples())
        for example in examples:
            example.evaluate()
        return len(examples)

    @contextmanager
    def opened(self) -> Iterator[Page]:
        """With the event loop, and with the page and its files among the modules."""
        sys.modules[self._module.__name__] = self._module
        sys.path.insert(0, str(self.folder))
        try:
            with self.runner:
                yield self
        finally:
            sys.path.remove(str(self.folder))
            for name in (self._module.__name__, *self._files):
                sys.modules.pop(name, None)

    def _evaluate(self, example: Example) -> None:
        source = self.here(example.parsed)
        named = _FILE.match(source)
        if named is not None:
            self._import(named[1], source)
            return
        code = compile(
            pad(source, example.line + example.parsed.line_offset),
            example.path,
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        if code.co_flags & inspect.CO_COROUTINE:
            self.runner.run(self._awaited(code))
        else:
            exec(code, self.names)

    async def _awaited(self, code: CodeType) -> None:
        await eval(code, self.names)

    def here(self, source: str) -> str:
        """*source* with the addresses of this machine."""
        return _ADDRESS.sub(self._redis_url, source)

    def _import(self, name: str, source: str) -> None:
        (self.folder / f"{name}.py").write_text(source, encoding="utf-8")
        self._files.add(name)
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        importlib.import_module(name)
