# A machine is emptied for maintenance: its replicas move within the PodDisruptionBudget, and no
# request fails.
{
  imports = [ ./lib/cluster.nix ];
  name = "drain";
  script = ''
    up(NODES)
    deploy()
    drill("drain")
    cordoned = server.succeed("kubectl get nodes --field-selector spec.unschedulable=true -o name")
    assert not cordoned.strip(), cordoned
  '';
}
