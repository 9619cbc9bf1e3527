# An image that is nowhere is rolled out: the old replicas go on serving, and it is said why.
{
  imports = [ ./lib/cluster.nix ];
  name = "bad-rollout";
  script = ''
    up(NODES)
    deploy()
    drill("bad-rollout")
    assert len(ready_pods()) == 3, ready_pods()
  '';
}
