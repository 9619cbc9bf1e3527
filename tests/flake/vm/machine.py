"""The machines of a test script: the methods that NixOS' manual documents, on klab nodes.

A power cut is `klab node stop`, an unplugged cable `klab node partition`. A method that the manual
knows and no script of this repository calls is missing; the type check says so.
"""

import base64
import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from cluster import Cluster

GUEST = Path(__file__).parent / "guest.py"


class RequestedAssertionFailed(Exception):
    """A machine is not as the script says it must be."""


def retry(check: Callable[[], bool], timeout: int, what: str) -> None:
    """Checks once more and again, as the real driver does, only more often."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise RequestedAssertionFailed(f"{what}: not within {timeout} s")
        time.sleep(0.1)


class QemuMachine:
    """One machine; it runs while its guest process does."""

    def __init__(self, name: str, system: str, cluster: Cluster, options: dict[str, str], out: Path) -> None:
        self.name = name
        self.system = system
        self.cluster = cluster
        self.options = options
        self.out = out
        self.guest: subprocess.Popen[str] | None = None

    def log(self, message: str) -> None:
        print(f"{self.name}: {message}", file=sys.stderr, flush=True)

    # Power and cables.

    def start(self, allow_reboot: bool = False) -> None:
        if self.guest:
            return
        self.log("start")
        self.cluster.start(self.name)
        words = ["exec", self.name, "--", "unshare", "--mount", "--propagation", "private", sys.executable, "-I", str(GUEST)]
        self.guest = subprocess.Popen(self.cluster.command(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.request(self.options | {"system": self.system, "kubeconfig": self.cluster.kubeconfig()})

    def crash(self) -> None:
        """Simulates a power cut."""
        self.log("crash")
        self.cluster.cut(self.name)
        self.release()

    def shutdown(self) -> None:
        self.log("shutdown")
        self.release()
        self.cluster.cut(self.name)

    def block(self) -> None:
        """Unplugs the cable."""
        self.log("block")
        self.cluster.partition(self.name)

    def unblock(self) -> None:
        self.log("unblock")
        self.cluster.heal(self.name)

    def is_up(self) -> bool:
        return self.guest is not None

    def release(self) -> None:
        """Ends the guest with everything that it started."""
        if self.guest and self.guest.stdin:
            self.guest.stdin.close()
            self.guest.wait()
        self.guest = None

    # Commands.

    def request(self, request: dict[str, object]) -> dict[str, str]:
        if not self.guest or not self.guest.stdin or not self.guest.stdout:
            raise RuntimeError(f"{self.name} is not running")
        try:
            self.guest.stdin.write(json.dumps(request) + "\n")
            self.guest.stdin.flush()
            answer = self.guest.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self.name} ended in the middle of a command")
        found: dict[str, str] = json.loads(answer)
        return found

    def execute(
        self, command: str, check_return: bool = True, check_output: bool = True, timeout: int | None = 900
    ) -> tuple[int, str]:
        # As in a VM: whoever asks a machine that is off turns it on.
        self.start()
        answer = self.request({"do": "execute", "command": command, "timeout": timeout})
        for line in answer["errors"].splitlines():
            self.log(line)
        return int(answer["status"]), answer["output"]

    def succeed(self, *commands: str, timeout: int | None = None) -> str:
        output = ""
        for command in commands:
            self.log(f"must succeed: {command}")
            status, out = self.execute(command, timeout=timeout or 300)
            if status != 0:
                self.log(f"output: {out}")
                raise RequestedAssertionFailed(f"command `{command}` failed (exit code {status})")
            output += out
        return output

    def fail(self, *commands: str, timeout: int | None = None) -> str:
        output = ""
        for command in commands:
            self.log(f"must fail: {command}")
            status, out = self.execute(command, timeout=timeout or 300)
            if status == 0:
                raise RequestedAssertionFailed(f"command `{command}` unexpectedly succeeded")
            output += out
        return output

    def wait_until_succeeds(self, command: str, timeout: int = 900) -> str:
        return self.wait_until(command, timeout, lambda status: status == 0)

    def wait_until_fails(self, command: str, timeout: int = 900) -> str:
        return self.wait_until(command, timeout, lambda status: status != 0)

    def wait_until(self, command: str, timeout: int, wanted: Callable[[int], bool]) -> str:
        output = ""

        def check() -> bool:
            nonlocal output
            status, output = self.execute(command, timeout=timeout)
            return wanted(status)

        self.log(f"waiting for: {command}")
        retry(check, timeout, f"{self.name}: {command}")
        return output

    def wait_for_file(self, filename: str, timeout: int = 900) -> None:
        self.wait_until_succeeds(f"test -e {filename}", timeout)

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: int = 900) -> None:
        self.wait_until_succeeds(f"(exec 3<>/dev/tcp/{addr}/{port}) 2>/dev/null", timeout)

    # Units.

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]:
        return self.execute(f"systemctl {q}")

    def get_unit_property(self, unit: str, property: str, user: str | None = None) -> str:
        _, line = self.systemctl(f'--no-pager show "{unit}" --property="{property}"')
        return line.strip().partition("=")[2]

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: int = 900) -> None:
        def check() -> bool:
            state = self.get_unit_property(unit, "ActiveState")
            if state == "failed":
                raise RequestedAssertionFailed(f'unit "{unit}" reached state "{state}"')
            return state == "active"

        self.log(f"waiting for unit {unit}")
        retry(check, timeout, f"{self.name}: unit {unit}")

    # Files.

    def copy_from_machine(self, source: str, target_dir: str = "") -> None:
        answer = self.request({"do": "take", "path": source})
        target = self.out / target_dir
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(answer["archive"]))) as tar:
            tar.extractall(target)

    def copy_from_host(self, source: str, target: str) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(source, arcname=Path(source).name)
        self.request({"do": "put", "path": target, "archive": base64.b64encode(archive.getvalue()).decode()})
