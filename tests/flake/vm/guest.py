"""What stands for NixOS on a klab node: files in /etc, units, and commands.

The driver starts one of these on each node, in a mount namespace of its own, and sends it requests
as lines of JSON. Units do what systemd's do as far as this repository's modules and tests ask for
it; how they are locked up (DynamicUser aside) is not tried here. `systemctl`, `systemd-run`,
`journalctl` and a system's `switch-to-configuration` are small programs that ask this process.
"""

import base64
import io
import json
import os
import shlex
import shutil
import signal
import socketserver
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any, Callable

HOME = Path("/run/vm")
SOCKET = HOME / "socket"
NOBODY = 65534
# What klab runs in k3s' place on a node; its init starts each of them again.
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller", "kube-scheduler", "kubelet", "kube-proxy")
SHIMS = {"systemctl": "systemctl", "systemd-run": "run", "journalctl": "journal", "switch-system": "switch"}

Answer = tuple[int, str]


def listed(value: Any) -> list[str]:
    """A setting that may be there once, several times, or not at all."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


class Unit:
    """A unit, and what becomes of it."""

    def __init__(self, name: str, settings: dict[str, Any], machine: "Machine") -> None:
        self.name = name
        self.settings = settings
        self.service: dict[str, Any] = settings.get("serviceConfig", {})
        self.machine = machine
        self.state = "inactive"
        self.result = "success"
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()
        # Of systemd-run: no configuration knows it, so none takes it away.
        self.transient = False

    @property
    def log(self) -> Path:
        return HOME / "log" / self.name

    def active_state(self) -> str:
        return self.state

    def start(self) -> int:
        """Starts it; a oneshot is waited for. It is tried again as its settings say, later."""
        if self.state in ("active", "activating"):
            return 0
        self.stopping.clear()
        if self.service.get("Type") != "oneshot":
            self.process = self.spawn()
            self.state = "active"
            threading.Thread(target=self.watch, args=[self.process], daemon=True).start()
            return 0
        code = self.attempt()
        if self.is_tried_again(code):
            threading.Thread(target=self.go_on, daemon=True).start()
        return 0 if code == 0 else 1

    def attempt(self) -> int:
        self.state = "activating"
        try:
            self.process = self.spawn()
        except OSError as error:
            self.write(f"cannot be started: {error}")
            self.settle(243)
            return 243
        code = self.process.wait()
        self.settle(code)
        return code

    def settle(self, code: int) -> None:
        if code != 0:
            self.state, self.result = "failed", "exit-code"
            self.write(f"main process exited, status={code}")
        else:
            self.result = "success"
            self.state = "active" if self.service.get("RemainAfterExit") else "inactive"

    def is_tried_again(self, code: int) -> bool:
        prevented = " ".join(listed(self.service.get("RestartPreventExitStatus"))).split()
        return code != 0 and self.service.get("Restart") == "on-failure" and str(code) not in prevented

    def go_on(self) -> None:
        for _ in range((self.settings.get("startLimitBurst") or 5) - 1):
            self.state = "activating"
            if self.stopping.wait(float(self.service.get("RestartSec", 0.1))):
                return
            if not self.is_tried_again(self.attempt()):
                return

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        if not self.stopping.is_set():
            self.settle(code)
            if code == 0:
                self.state = "inactive"

    def stop(self) -> int:
        self.stopping.set()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.state = "inactive"
        return 0

    def spawn(self) -> subprocess.Popen[bytes]:
        environment = self.machine.environment() | self.settings.get("environment", {})
        credentials, cache = HOME / "credentials" / self.name, HOME / "cache" / self.name
        user = NOBODY if self.service.get("DynamicUser") else 0
        for folder in (credentials, cache):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
            os.chown(folder, user, user)
        for credential in listed(self.service.get("LoadCredential")):
            name, _, path = credential.partition(":")
            shutil.copyfile(path, credentials / name)
            os.chown(credentials / name, user, user)
        environment |= {"CREDENTIALS_DIRECTORY": str(credentials), "CACHE_DIRECTORY": str(cache)}
        self.log.parent.mkdir(exist_ok=True)
        command = shlex.split(self.service["ExecStart"])
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                user=user, group=user, extra_groups=[], cwd="/", start_new_session=True,
            )

    def write(self, line: str) -> None:
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("a") as log:
            log.write(f"{self.name}.service: {line}\n")


class K3s(Unit):
    """k3s.service: on a klab node, what runs there anyway."""

    def active_state(self) -> str:
        if self.settings["role"] == "agent":
            return "active"
        ready = subprocess.run(
            ["kubectl", "get", "--raw", "/readyz"], env=self.machine.environment(), capture_output=True
        )
        return "active" if ready.returncode == 0 else "activating"

    def start(self) -> int:
        deadline = time.monotonic() + 120
        while self.active_state() != "active":
            if time.monotonic() > deadline:
                return 1
            time.sleep(0.2)
        return 0

    def stop(self) -> int:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "comm").read_text().strip() in COMPONENTS:
                    os.kill(int(process.name), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass
        return 0


class Machine:
    """A node that takes itself for a NixOS machine."""

    def __init__(self, options: dict[str, str]) -> None:
        self.options = options
        self.units: dict[str, Unit] = {}
        self.system = ""
        self.variables: dict[str, str] = {}
        self.path: list[str] = []
        self.mount()
        threading.Thread(target=self.serve, daemon=True).start()
        # As at boot, nobody waits for the units.
        threading.Thread(target=self.become, args=[options["system"]], daemon=True).start()

    def mount(self) -> None:
        def mount(*words: str) -> None:
            subprocess.run(["mount", "-n", *words], check=True)

        HOME.mkdir()
        for folder in ("etc", "work", "bin"):
            (HOME / folder).mkdir()
        layers = f"lowerdir=/etc,upperdir={HOME}/etc,workdir={HOME}/work"
        mount("-t", "overlay", "etc", "-o", layers, "/etc")
        kubeconfig = Path("/etc/rancher/k3s/k3s.yaml")
        kubeconfig.parent.mkdir(parents=True)
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(self.options["kubeconfig"])
        for program, word in SHIMS.items():
            shim = HOME / "bin" / program
            call = shlex.join([sys.executable, "-I", os.path.abspath(__file__), word])
            shim.write_text(f'#!/bin/sh\nexec {call} "$@"\n')
            shim.chmod(0o755)

    def become(self, system: str) -> int:
        """Takes over a system: starts, restarts and stops what is new, changed and gone."""
        description = json.loads(Path(system, "system.json").read_text())
        self.system = system
        current = Path("/run/current-system")
        current.unlink(missing_ok=True)
        current.symlink_to(system)
        self.variables = description["environment"]["sessionVariables"]
        self.path = [f"{package}/bin" for package in description["environment"]["systemPackages"]]
        wanted: dict[str, Unit] = {}
        for name, settings in description["systemd"]["services"].items():
            wanted[name] = Unit(name, settings, self)
        if description["k3s"]["enable"]:
            wanted["k3s"] = K3s("k3s", {"role": description["k3s"]["role"]}, self)
        if description["registry"]["enable"]:
            wanted["docker-registry"] = self.registry(description["registry"])
        for name in [name for name, unit in self.units.items() if name not in wanted and not unit.transient]:
            self.units.pop(name).stop()
        failed = False
        for name, unit in wanted.items():
            old = self.units.get(name)
            if old and old.settings == unit.settings:
                continue
            if old:
                old.stop()
            self.units[name] = unit
        for name, unit in wanted.items():
            if self.units[name] is unit and "multi-user.target" in unit.settings.get("wantedBy", []):
                failed |= unit.start() != 0
        return 4 if failed else 0

    def registry(self, settings: dict[str, Any]) -> Unit:
        config = HOME / "registry.json"
        config.write_text(json.dumps({
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(HOME / "registry")}},
            "http": {"addr": f"{settings['listenAddress']}:{settings['port']}"},
        }))
        start = shlex.join([self.options["registry"], "serve", str(config)])
        return Unit("docker-registry", {"serviceConfig": {"ExecStart": start}, "wantedBy": ["multi-user.target"]}, self)

    def environment(self) -> dict[str, str]:
        path = [str(HOME / "bin"), *self.path, os.environ["PATH"]]
        return {"HOME": "/root", "LANG": "C.UTF-8"} | self.variables | {"PATH": ":".join(path)}

    def execute(self, request: dict[str, Any]) -> dict[str, Any]:
        command = f"set -euo pipefail; {request['command']}"
        limit = request["timeout"]
        words = (["timeout", str(limit)] if limit else []) + ["bash", "-c", command]
        done = subprocess.run(
            words, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        return {"status": done.returncode, "output": output, "errors": errors}

    def take(self, request: dict[str, Any]) -> dict[str, Any]:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(request["path"], arcname=Path(request["path"]).name)
        return {"archive": base64.b64encode(archive.getvalue()).decode()}

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        target = Path(request["path"])
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(request["archive"]))) as tar:
            name = tar.getnames()[0]
            tar.extractall(target.parent)
        (target.parent / name).rename(target)
        return {}

    # What the small programs ask for.

    def systemctl(self, words: list[str]) -> Answer:
        flags = [word for word in words if word.startswith("-")]
        verb, *names = [word for word in words if not word.startswith("-")]
        if verb == "list-jobs":
            return 0, "No jobs running.\n"
        name = names[0].removesuffix(".service")
        unit = self.units.get(name)
        if unit is None:
            missing = 5, f"Unit {name}.service not found.\n"
            return (0, self.properties(flags, "inactive", "success")) if verb == "show" else missing
        service = unit
        if verb == "show":
            return 0, self.properties(flags, unit.active_state(), unit.result)
        if verb == "is-active":
            state = unit.active_state()
            return (0 if state == "active" else 3), f"{state}\n"
        actions: dict[str, Callable[[], int]] = {
            "start": unit.start,
            "stop": unit.stop,
            "restart": lambda: service.stop() or service.start(),
        }
        code = actions[verb]()
        return code, "" if code == 0 else f"Job for {name}.service failed; see: journalctl --unit={name}\n"

    @staticmethod
    def properties(flags: list[str], state: str, result: str) -> str:
        all_of_them = {"ActiveState": state, "Result": result}
        wanted = [flag.partition("=")[2].strip('"') for flag in flags if flag.startswith("--property")]
        lines = [(key, all_of_them[key]) for key in wanted or all_of_them]
        return "".join(f"{value}\n" if "--value" in flags else f"{key}={value}\n" for key, value in lines)

    def run(self, words: list[str]) -> Answer:
        settings: dict[str, Any] = {"environment": {}, "serviceConfig": {}}
        name = "transient"
        while words and words[0].startswith("-"):
            key, _, value = words.pop(0).partition("=")
            if key == "--unit":
                name = value
            elif key == "--setenv":
                variable, _, content = value.partition("=")
                settings["environment"][variable] = content
            elif key == "--property":
                setting, _, content = value.partition("=")
                settings["serviceConfig"][setting] = content
            elif key != "--collect":
                return 1, f"systemd-run: {key} is not known here\n"
        settings["serviceConfig"]["ExecStart"] = shlex.join(words)
        if name in self.units and self.units[name].active_state() == "active":
            return 1, f"Unit {name}.service was already loaded.\n"
        self.units[name] = Unit(name, settings, self)
        self.units[name].transient = True
        return self.units[name].start(), f"Running as unit: {name}.service\n"

    def journal(self, words: list[str]) -> Answer:
        names = [word.partition("=")[2] for word in words if word.startswith("--unit=")]
        logs = [HOME / "log" / name.removesuffix(".service") for name in names]
        return 0, "".join(log.read_text(errors="replace") for log in logs if log.exists())

    def switch(self, words: list[str]) -> Answer:
        code = self.become(words[0])
        return code, f"switched to {words[0]}\n" if code == 0 else "the following units failed to start; see journalctl\n"

    def serve(self) -> None:
        machine = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                word, *words = json.loads(self.rfile.readline())
                try:
                    answer = {"systemctl": machine.systemctl, "run": machine.run,
                              "journal": machine.journal, "switch": machine.switch}[word](words)
                except Exception as error:  # the asker has to learn of it
                    answer = (1, f"{word} {words}: {error!r}\n")
                self.wfile.write(json.dumps(answer).encode())

        with socketserver.ThreadingUnixStreamServer(str(SOCKET), Handler) as server:
            server.serve_forever()


def ask(words: list[str]) -> int:
    """One of the small programs."""
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(SOCKET))
        connection.sendall(json.dumps(words).encode() + b"\n")
        code, output = json.loads(connection.makefile().read())
    sys.stdout.write(output)
    return int(code)


def main() -> int:
    if len(sys.argv) > 1:
        return ask(sys.argv[1:])
    machine = Machine(json.loads(sys.stdin.readline()))
    print("{}", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"execute": machine.execute, "take": machine.take, "put": machine.put}[request["do"]](request)
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
