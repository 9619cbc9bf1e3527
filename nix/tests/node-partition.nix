# A machine's cable is unplugged while it goes on running: its replica leaves the Service and is
# replaced; with the cable back, the stale one ends.
{
  imports = [ ./lib/cluster.nix ];
  name = "node-partition";
  script = ''
    up(NODES)
    deploy()
    start_drill("node-partition", "--expect-lost=agent1")
    wait_for_drill("ready")
    agent1.block()
    wait_for_drill("recovered")
    pods = ready_pods()
    assert len(pods) >= 3, pods
    assert "agent1" not in {pod.split("/")[0] for pod in pods}, pods
    agent1.unblock()
    finish_drill()
    server.succeed("kubectl wait --for=condition=Ready --timeout=60s node/agent1")
  '';
}
