# What the scripts of all tests call. The machines are `server`, `agent1`, …; NODES lists them.

# Where a drill keeps what it says: its markers, its output, its report.
DRILL = "/run/drill"


def up(machines) -> None:
    """Starts machines, and waits until all of them are nodes that take pods."""
    for machine in machines:
        machine.start()
    server.wait_for_unit("k3s")
    for machine in machines:
        server.wait_until_succeeds(f"kubectl get node {machine.name}", timeout=300)
        server.succeed(f"kubectl wait --for=condition=Ready --timeout=300s node/{machine.name}")
    server.wait_until_succeeds("kubectl get serviceaccount default", timeout=60)


def deploy() -> None:
    """Applies the stack, and waits until it is ready."""
    server.succeed(
        f"kubectl get namespace {NAMESPACE} || kubectl create namespace {NAMESPACE}",
        f"kapply apply --applyset=stack --namespace={NAMESPACE} {DEPLOY_FLAGS} --prune --wait --timeout=5m",
    )


def ready_pods() -> list[str]:
    """NODE/POD of every pod of the Deployment that is Ready on a node that is."""
    nodes = server.succeed(
        "kubectl get nodes -o json | jq -r '.items[]"
        ' | select(.status.conditions[] | select(.type == "Ready" and .status == "True"))'
        " | .metadata.name'"
    ).split()
    deployment = f"kubectl get deployment {DEPLOYMENT} --namespace={NAMESPACE} -o json"
    labels = server.succeed(
        f"{deployment} | jq -r '.spec.selector.matchLabels | to_entries | map(.key + \"=\" + .value) | join(\",\")'"
    ).strip()
    pods = server.succeed(
        f"kubectl get pods --namespace={NAMESPACE} --selector={labels} -o json | jq -r '.items[]"
        " | select(.metadata.deletionTimestamp == null)"
        ' | select(.status.conditions // [] | .[] | select(.type == "Ready" and .status == "True"))'
        ' | "\\(.spec.nodeName)/\\(.metadata.name)"\''
    ).split()
    return [pod for pod in pods if pod.split("/")[0] in nodes]


def drill_command(drill: str, flags: str) -> str:
    return (
        f"kdrill run {drill} --namespace={NAMESPACE} --deployment={DEPLOYMENT} --service={SERVICE} --report={DRILL}/report"
        f" --rate=100 --steady=3s --max-recovery=60s {flags}"
    )


def drill(name: str, flags: str = "") -> None:
    """Carries out a drill that needs nobody's help, and fails unless its promise held."""
    server.succeed(drill_command(name, flags))


def start_drill(name: str, flags: str = "") -> None:
    """Starts a drill during which the script crashes machines; goes on at once."""
    command = drill_command(name, f"--ready-marker={DRILL}/ready --recovered-marker={DRILL}/recovered {flags}")
    server.succeed(
        f"rm -rf {DRILL} && mkdir -p {DRILL}",
        "systemd-run --collect --unit=drill --setenv=KUBECONFIG=$KUBECONFIG --setenv=PATH=$PATH"
        f" sh -c '{command} >{DRILL}/output 2>&1; echo $? >{DRILL}/code'",
    )


def wait_for_drill(marker: str, limit: int = 300) -> None:
    """Waits for a marker of the drill, and fails as soon as the drill has ended without it."""
    server.wait_until_succeeds(f"test -e {DRILL}/{marker} || test -e {DRILL}/code", timeout=limit)
    server.succeed(f"test -e {DRILL}/{marker} || {{ cat {DRILL}/output >&2; exit 1; }}")


def finish_drill() -> None:
    """Waits for the drill's end, and fails unless its promise held."""
    wait_for_drill("code")
    print(server.succeed(f"cat {DRILL}/output"))
    server.succeed(f"test $(cat {DRILL}/code) = 0")
    server.copy_from_machine(f"{DRILL}/report")


def explain() -> None:
    """Prints what helps to find out why a script failed."""
    for command in [
        "kubectl get nodes -o wide",
        f"kubectl get all,events --namespace={NAMESPACE} -o wide",
        f"kubectl describe pods --namespace={NAMESPACE}",
        f"tail -n 100 {DRILL}/output",
        "journalctl --no-pager --lines=200 --unit=k3s --unit=kapply",
    ]:
        _, output = server.execute(f"{command} 2>&1", timeout=60)
        print(f"--- {command}\n{output}")
