"""The pack runs nothing that it was not shipped with: no pickle, no code out of text, no network, no other program.

Read off the source, so that a call in a branch that no test takes is found as well.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = [ROOT / "__init__.py", *sorted((ROOT / "nodes").rglob("*.py")), *sorted((ROOT / "colorize_core").rglob("*.py"))]

#: What may not be imported, and what it would let the pack do.
FORBIDDEN_MODULES = {
    **dict.fromkeys(("pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"), "unpickle"),
    **dict.fromkeys(("socket", "ssl", "urllib", "http", "requests", "aiohttp", "httpx", "websocket"), "go online"),
    **dict.fromkeys(("websockets", "ftplib", "smtplib", "webbrowser", "huggingface_hub", "server"), "go online"),
    **dict.fromkeys(("subprocess", "multiprocessing", "pty", "runpy", "asyncio"), "start another program"),
    **dict.fromkeys(("ctypes", "cffi"), "call machine code"),
    **dict.fromkeys(("importlib", "imp", "code", "codeop", "zipimport", "builtins"), "run other code"),
    **dict.fromkeys(("pip", "ensurepip", "venv", "setuptools", "git"), "install something"),
}
#: Names out of them that do nothing by themselves.
HARMLESS = {("pickle", "UnpicklingError")}
FORBIDDEN_CALLS = {
    **dict.fromkeys(("eval", "exec", "compile", "__import__", "input", "breakpoint"), "run code out of text"),
    **dict.fromkeys(("os.system", "os.popen", "os.fork", "os.startfile", "os.kill"), "start another program"),
    **dict.fromkeys(("torch.load", "torch.jit.load", "torch.package.PackageImporter"), "unpickle"),
    **dict.fromkeys(("torch.hub.load", "torch.hub.download_url_to_file"), "go online"),
    **dict.fromkeys(("torch.ops.load_library", "torch.utils.cpp_extension.load"), "call machine code"),
}
FORBIDDEN_STARTS = {
    "os.exec": "start another program",
    "os.spawn": "start another program",
    "os.posix": "start another program",
}
#: Calls that are safe with this argument alone.
ONLY_WITH = {"comfy.utils.load_torch_file": ("safe_load", True), "numpy.load": ("allow_pickle", False)}
#: Characters from which a text without a space counts as something encoded.
ENCODED = 120


def complaints(source: str) -> Iterator[str]:
    """Yield what in a file's source the pack must not do."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
                yield from imported(node.lineno, alias.name, "")
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield from imported(node.lineno, node.module or "", alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from called(node, dotted(node.func, names))
        elif isinstance(node, (ast.Name, ast.Attribute)):
            yield from named(node, dotted(node, names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if max(map(len, text.split()), default=0) >= ENCODED:
                yield f"line {node.lineno}: a text of {len(text)} characters without spaces, as something encoded has"


def imported(line: int, module: str, name: str) -> Iterator[str]:
    """Complain of an import."""
    first = module.partition(".")[0]
    if first in FORBIDDEN_MODULES and (module, name) not in HARMLESS:
        yield f"line {line}: imports {module} {name}, which can {FORBIDDEN_MODULES[first]}"


def called(node: ast.Call, name: str) -> Iterator[str]:
    """Complain of a call that is safe only with a certain argument."""
    if name in ONLY_WITH:
        argument, value = ONLY_WITH[name]
        given = {keyword.arg: keyword.value for keyword in node.keywords}.get(argument)
        if not isinstance(given, ast.Constant) or given.value is not value:
            yield f"line {node.lineno}: {name} without {argument}={value}"


def named(node: ast.Name | ast.Attribute, name: str) -> Iterator[str]:
    """Complain of a function that must not even be handed on."""
    bad = [why for start, why in FORBIDDEN_STARTS.items() if name.startswith(start)]
    for why in [FORBIDDEN_CALLS[name]] if name in FORBIDDEN_CALLS else bad:
        yield f"line {node.lineno}: uses {name}, which can {why}"


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the full name of an expression such as `t.load` where `import torch as t`; empty for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_dangerous_is_in_the_pack(path):
    assert list(complaints(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_importing_only_defines(path):
    """Modules import, name and define; the pack's own __init__ registers, and nothing else happens at import."""
    plain = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        place = f"{path.relative_to(ROOT)}:{statement.lineno}"
        assert docstring or isinstance(statement, plain) or path == ROOT / "__init__.py", f"{place} acts at import"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads, UnpicklingError",
        "import urllib.request",
        "from http import client",
        "def f():\n    import subprocess as s",
        "eval('1')",
        "run = exec",
        "__import__('os')",
        "import os\nos.system('x')",
        "import os as o\no.execv('x', [])",
        "from os import popen\npopen('x')",
        "import torch\ntorch.load('x')",
        "import torch as t\nt.load('x', weights_only=True)",
        "from torch import load as get\nget('x')",
        "import comfy.utils\ncomfy.utils.load_torch_file('x')",
        "import comfy.utils\ncomfy.utils.load_torch_file('x', safe_load=maybe)",
        "import comfy.utils as u\nu.load_torch_file('x', safe_load=False)",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import ctypes",
        "x = '" + "aGk" * 60 + "'",
    ],
)
def test_what_is_dangerous_is_found(source):
    assert list(complaints(source))


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile('x')",
        "model.eval()",
        "from pickle import UnpicklingError",
        "import os\nos.path.join('a', 'b')",
        "import comfy.utils\ncomfy.utils.load_torch_file('x', safe_load=True)",
        "from safetensors.torch import load\nload(b'')",
    ],
)
def test_what_is_harmless_is_not(source):
    assert list(complaints(source)) == []
