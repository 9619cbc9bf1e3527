# A third machine joins while requests flow: none fails, and new pods land on it.
{
  imports = [ ./lib/cluster.nix ];
  name = "node-add";
  script = ''
    up([server, agent1])
    deploy()
    assert {pod.split("/")[0] for pod in ready_pods()} == {"server", "agent1"}, ready_pods()

    # kdrill cannot start a machine: its command only asks for it.
    start_drill("node-add", f'--node-add "touch {DRILL}/add"')
    wait_for_drill("add")
    agent2.start()
    finish_drill()

    with subtest("pods that are made from now on land on it, too"):
        server.succeed(
            f"kubectl rollout restart deployment/{DEPLOYMENT} --namespace={NAMESPACE}",
            f"kubectl rollout status deployment/{DEPLOYMENT} --namespace={NAMESPACE} --timeout=120s",
        )
        pods = ready_pods()
        assert {pod.split("/")[0] for pod in pods} == {machine.name for machine in NODES}, pods
  '';
}
