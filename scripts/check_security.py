"""Look for dangerous code with bandit and nodesafe; why what they find is none stands in pyproject.toml.

bandit reads every Python file; nodesafe, which users run over packs before they install them, reads what ComfyUI loads.
Fails on a finding that is not argued under [tool.security], and on an argument that nothing is found for any more.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with nodesafe

ROOT = Path(__file__).resolve().parent.parent


class Finding(NamedTuple):
    """What a scanner has found.

    Attributes:
        rule: bandit's id, or nodesafe's category. place: file and line. text: in a sentence.
    """

    rule: str
    place: str
    text: str


def bandit(paths: Iterable[str], root: Path = ROOT) -> list[Finding]:
    """Run bandit over files and folders."""
    command = [sys.executable, "-m", "bandit", "--quiet", "--format", "json", "--recursive", *paths]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"bandit has failed: {done.stderr or done.stdout}")
    report: dict[str, Any] = json.loads(done.stdout)
    if report["errors"]:
        sys.exit(f"bandit could not read {report['errors']}")
    return [Finding(f["test_id"], f"{f['filename']}:{f['line_number']}", f["issue_text"]) for f in report["results"]]


def nodesafe(paths: Iterable[str], root: Path = ROOT) -> list[Finding]:
    """Run nodesafe over a copy of what ComfyUI loads."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            if (root / path).is_dir():
                shutil.copytree(root / path, Path(folder) / path, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(root / path, folder)
        command = [sys.executable, "-m", "nodesafe.cli", "scan", folder, "--format", "json", "--fail-on", "none"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"nodesafe has failed: {done.stderr or done.stdout}")
    findings = json.loads(done.stdout)["findings"]
    return [Finding(f["category"], f"{f['file']}:{f['line']}", f["title"]) for f in findings]


SCANNERS = {"bandit": bandit, "nodesafe": nodesafe}


def check(name: str, settings: dict[str, Any]) -> list[str]:
    """Run one scanner and return complaints.

    Args:
        name: of the scan, for messages.
        settings: `scanner`, `paths`, and `except`: {rule: why it is no danger here}.
    """
    findings = SCANNERS[settings["scanner"]](settings["paths"])
    argued: dict[str, str] = settings.get("except", {})
    new = [finding for finding in findings if finding.rule not in argued]
    stale = sorted(set(argued) - {finding.rule for finding in findings})
    print(f"{name}: {len(findings)} findings, {len(findings) - len(new)} of them argued in pyproject.toml")
    return [f"{name}: {place}: {rule}: {text}" for rule, place, text in new] + [
        f"{name}: nothing is found for {rule} any more: take it out of pyproject.toml" for rule in stale
    ]


def main() -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["security"]
    complaints = [complaint for name, scan in settings.items() for complaint in check(name, scan)]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
