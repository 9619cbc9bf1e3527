# k3s is restarted on the server: the API answers again, and no request fails meanwhile.
{
  imports = [ ./lib/cluster.nix ];
  name = "server-restart";
  script = ''
    up(NODES)
    deploy()
    drill("control-plane-restart", '--control-plane-restart "systemctl restart k3s"')
  '';
}
