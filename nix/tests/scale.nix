# Three replicas become ten and three again, and no request fails.
{
  imports = [ ./lib/cluster.nix ];
  name = "scale";
  script = ''
    up(NODES)
    deploy()
    drill("scale", "--scale-to=10")
    pods = ready_pods()
    assert len(pods) == 3, pods
  '';
}
