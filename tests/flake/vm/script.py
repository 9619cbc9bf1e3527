"""Executes one test script on a klab cluster of its own, which is gone afterwards.

    script.py OPTIONS.json: {test, cluster, klab, registry, out}
"""

import contextlib
import json
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster import Cluster
from machine import QemuMachine


class Test:
    """A test as it was evaluated: its name, its script, a system for each machine."""

    def __init__(self, file: Path) -> None:
        document: dict[str, Any] = json.loads(file.read_text())
        self.name: str = document["name"]
        self.script: str = document["testScript"]
        self.limit: int = document["globalTimeout"]
        self.systems: dict[str, str] = document["nodes"]

    def variables(self) -> dict[str, str]:
        """The machines by the names that the script calls them."""
        return {name.replace("-", "_"): name for name in sorted(self.systems)}


@contextlib.contextmanager
def subtest(name: str) -> Iterator[None]:
    print(f"subtest: {name}", file=sys.stderr, flush=True)
    yield


def images(systems: list[str]) -> list[Path]:
    """The archives that the systems' nodes import."""
    descriptions = [json.loads(Path(system, "system.json").read_text()) for system in systems]
    return sorted({Path(image) for description in descriptions for image in description["k3s"]["images"]})


def execute(test: Test, options: dict[str, str]) -> bool:
    """Whether the script held."""
    cluster = Cluster(Path(options["klab"]), options["cluster"], images(list(test.systems.values())))
    guest = {"registry": options["registry"]}
    machines = {
        variable: QemuMachine(name, test.systems[name], cluster, guest, Path(options["out"]))
        for variable, name in test.variables().items()
    }

    def start_all() -> None:
        for machine in sorted(machines.values(), key=lambda machine: (machine.name != "server", machine.name)):
            machine.start()

    try:
        exec(compile(test.script, test.name, "exec"), machines | {"start_all": start_all, "subtest": subtest})
        return True
    except BaseException:
        traceback.print_exc()
        return False
    finally:
        for machine in machines.values():
            machine.release()
        cluster.down()


def main() -> int:
    # The cluster goes even when the time is over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the time is over"))
    options: dict[str, str] = json.loads(Path(sys.argv[1]).read_text())
    return 0 if execute(Test(Path(options["test"])), options) else 1


if __name__ == "__main__":
    sys.exit(main())
