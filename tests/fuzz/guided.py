"""``python -m tests.fuzz.guided TARGET SEED SECONDS FOLDER``: one target under atheris, guided by coverage of gateway/.

A process of its own for each target, because libFuzzer ends the process that it runs in. A finding is written into
FOLDER, and the exit status is then not 0.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

MAX_SIZE = 4096
"""Bytes of an input: what is longer finds nothing else, and takes longer."""


def main() -> None:
    name, seed, seconds, folder = sys.argv[1:]
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["gateway"]):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    target = next(target for target in targets if target.name == name)
    corpus = Path(folder, "corpus")
    corpus.mkdir(parents=True)
    for number, data in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(data)
    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-max_len={max(MAX_SIZE, *map(len, target.seeds))}",
        # Time is measured by the target itself, in processor time: this is for what never ends.
        *("-timeout=120", "-print_final_stats=1", f"-artifact_prefix={folder}/"),
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
