# Three replicas run, on three nodes, and are in the Service.
{
  imports = [ ./lib/cluster.nix ];
  name = "replicas";
  script = ''
    up(NODES)
    deploy()
    drill("replicas")
    pods = ready_pods()
    assert len(pods) == 3, pods
    assert {pod.split("/")[0] for pod in pods} == {machine.name for machine in NODES}, pods
  '';
}
