"""A klab cluster, made node by node as a script starts its machines."""

import json
import subprocess
from pathlib import Path


class Cluster:
    """Is there once its server is started, and gone after `down`, whatever happened between."""

    def __init__(self, klab: Path, name: str, images: list[Path]) -> None:
        self.klab = klab
        self.name = name
        self.images = images
        self.nodes: set[str] = set()

    def command(self, *words: str) -> list[str]:
        return [str(self.klab), "--quiet", "--name", self.name, *words]

    def run(self, *words: str, limit: int = 180) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=limit)
        if done.returncode != 0:
            raise RuntimeError(f"klab {' '.join(words)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self, node: str) -> None:
        """Makes a node, or starts one that lost its power; comes back once it is Ready."""
        if node in self.nodes:
            self.run("node", "start", node)
            return
        if node == "server":
            self.run("up", "--nodes", "1")
            for image in self.images:
                self.run("load", str(image))
        else:
            made = self.run("node", "add")
            if made != node:
                raise RuntimeError(f"{node} was started and klab made {made}: start agents in the order of their numbers")
        self.nodes.add(node)

    def cut(self, node: str) -> None:
        self.run("node", "stop", node)

    def partition(self, node: str) -> None:
        self.run("node", "partition", node)

    def heal(self, node: str) -> None:
        self.run("node", "heal", node)

    def kubeconfig(self) -> str:
        """The administrator's, as it works on the nodes themselves."""
        config = json.loads(self.run("kubeconfig"))
        status = json.loads(self.run("status", "--output", "json"))
        address = next(node["ip"] for node in status["nodes"] if node["name"] == "server")
        config["clusters"][0]["cluster"]["server"] = f"https://{address}:6443"
        return json.dumps(config)

    def down(self) -> None:
        self.run("down")
