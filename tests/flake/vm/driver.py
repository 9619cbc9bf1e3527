"""Runs NixOS test scripts on klab: checks their types, then executes each on a cluster of its own.

A TEST.json is what a test of the flake evaluates to with the stand-in for nixpkgs; the store must be
at /nix. Exit code 1 if the types of a script are wrong, or if one fails: its output is then printed.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from script import Test

HERE = Path(__file__).parent
# Beyond a script's own limit: to print the cluster's state and to take it down.
GRACE = 60


def typed(test: Test) -> str:
    """The script below what the driver gives it."""
    machines = "".join(f"{variable}: QemuMachine\n" for variable in test.variables())
    return (HERE / "symbols.py").read_text() + machines + test.script


def types_are_right(tests: list[Test], folder: Path) -> bool:
    """What mypy says to every script, with the flags of NixOS' own driver and one that is stricter."""
    files = []
    for test in tests:
        files.append(folder / f"script_{test.name.replace('-', '_')}.py")
        files[-1].write_text(typed(test))
    words = ["mypy", "--no-implicit-optional", "--pretty", "--no-color-output", "--check-untyped-defs"]
    checked = subprocess.run(
        [*words, "--cache-dir", str(folder / "cache"), *map(str, files)], env=os.environ | {"MYPYPATH": str(HERE)}
    )
    return checked.returncode == 0


def run(test: Test, file: Path, options: argparse.Namespace, folder: Path) -> tuple[Test, bool, str, float]:
    """Executes one script in a process of its own; gives whether it held, what it said, and its time."""
    started = time.monotonic()
    cluster = f"vm-{os.getpid()}-{test.name}"
    settings = folder / f"{test.name}.json"
    settings.write_text(json.dumps({
        "test": str(file),
        "cluster": cluster,
        "klab": str(options.klab.resolve()),
        "registry": str(options.registry or ""),
        "out": str(options.out / test.name),
    }))
    with (folder / f"{test.name}.log").open("w+") as log:
        script = subprocess.Popen([sys.executable, "-B", str(HERE / "script.py"), str(settings)], stdout=log, stderr=log)
        try:
            held = script.wait(test.limit) == 0
        except subprocess.TimeoutExpired:
            script.terminate()
            script.wait(GRACE)
            held = False
        finally:
            # Whatever became of the script.
            subprocess.run([str(options.klab), "--quiet", "--name", cluster, "down"], capture_output=True)
        log.seek(0)
        return test, held, log.read(), time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--klab", type=Path, required=True, help="the program")
    parser.add_argument("--registry", type=Path, help="the program of services.dockerRegistry")
    parser.add_argument("--out", type=Path, default=Path("target/vm-tests"), help="where files of machines are copied to")
    parser.add_argument("--jobs", type=int, default=2, help="how many scripts run at once")
    parser.add_argument("--check-only", action="store_true", help="check types and execute nothing")
    parser.add_argument("tests", type=Path, nargs="+", metavar="TEST.json")
    options = parser.parse_args()
    tests = {Test(file): file for file in options.tests}

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not types_are_right(list(tests), folder):
            return 1
        if options.check_only:
            return 0
        failed = 0
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            running = [pool.submit(run, test, file, options, folder) for test, file in tests.items()]
            for finished in concurrent.futures.as_completed(running):
                test, held, output, took = finished.result()
                failed += not held
                if not held:
                    print(f"--- output of {test.name}\n{output}")
                print(f"{test.name:16} {'held' if held else 'FAILED':8} {took:6.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
