"""Looks for known vulnerabilities of the packages in locks/ (`make audit`), and fails if it cannot.

How it works: pip-audit asks PyPI about each package. By itself it exits with 0 where it could ask about none, so the
result counts only if it names each locked package as asked about. Exit status 1: a vulnerability is known; 2: not every
package could be audited, so nothing is known.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent
CANNOT_RUN = "NOT AUDITED: pip-audit could not ask about every package, so nothing is known of their vulnerabilities"


def locked_names() -> set[str]:
    """Returns the names of the packages that every platform needs."""
    texts = [path.read_text() for path in (ROOT / "locks").glob("*.txt")]
    return {name for text in texts for name in re.findall(r"^([a-z0-9-]+)==[^;\n]*$", text, re.MULTILINE)}


def judge(output: str, names: set[str]) -> tuple[int, str]:
    """Returns the exit status and the text for pip-audit's JSON *output* about packages of these *names*."""
    try:
        rows = {row["name"]: row for row in json.loads(output)["dependencies"]}
        asked = {name for name, row in rows.items() if "skip_reason" not in row and isinstance(row["vulns"], list)}
    except (ValueError, KeyError, TypeError):
        return 2, CANNOT_RUN
    lines = [
        f"{name} {rows[name]['version']}: {one['id']}, fixed in {', '.join(one['fix_versions']) or 'no version'}"
        for name in sorted(asked)
        for one in rows[name]["vulns"]
    ]
    missing = sorted(names - asked)
    if missing:
        return 2, "\n".join([*lines, f"{CANNOT_RUN} (not asked about: {', '.join(missing)})"])
    return (1, "\n".join(lines)) if lines else (0, f"{len(asked)} packages audited, no vulnerability is known")


def main() -> int:
    files = [option for path in sorted((ROOT / "locks").glob("*.txt")) for option in ("--requirement", str(path))]
    program = str(Path(sys.executable).with_name("pip-audit"))
    options = ("--strict", "--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
    done = subprocess.run([program, *options, *files], capture_output=True, text=True, check=False)
    sys.stderr.write("\n".join(done.stderr.splitlines()[-1:]) + "\n")
    status, text = judge(done.stdout, locked_names())
    if status == 0 and done.returncode:
        status, text = 2, CANNOT_RUN
    sys.stdout.write(f"{text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
