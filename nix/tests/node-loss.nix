# A machine loses its power: three replicas are Ready on living nodes, and it comes back.
{
  imports = [ ./lib/cluster.nix ];
  name = "node-loss";
  script = ''
    up(NODES)
    deploy()
    # kdrill cannot cut a machine's power: it says when, and judges.
    start_drill("node-loss", "--expect-lost=agent1")
    wait_for_drill("ready")
    agent1.crash()
    wait_for_drill("recovered")
    pods = ready_pods()
    assert len(pods) >= 3, pods
    assert "agent1" not in {pod.split("/")[0] for pod in pods}, pods
    agent1.start()
    finish_drill()
    server.succeed("kubectl wait --for=condition=Ready --timeout=60s node/agent1")
  '';
}
