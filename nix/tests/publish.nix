# The image is pushed to a registry, pulled by its digest, and what runs is what was built.
{ self, pkgs, ... }:
let
  inherit (pkgs.stdenv.hostPlatform) system;
  inherit (self.packages.${system}) image;
  publish = self.apps.${system}.publish.program;
  deploy = self.apps.${system}.deploy.program;
in
{
  imports = [
    ./lib/cluster.nix
    ./lib/registry.nix
  ];
  name = "publish";
  script = ''
    up(NODES)
    server.wait_for_unit("docker-registry")
    server.wait_for_open_port(5000)
    built = server.succeed("cat ${image.digest}").strip()

    with subtest("what is pushed is what was built"):
        pushed = server.succeed("${publish} --registry localhost:5000 --tag first")
        assert f"localhost:5000/hostname-server@{built}" in pushed.split(), pushed

    with subtest("what runs is what was built"):
        server.succeed(f"${deploy} --namespace={NAMESPACE} --create-namespace --registry localhost:5000")
        running = server.succeed(
            f"kubectl get pods --namespace={NAMESPACE} --selector=app=web -o json"
            " | jq -r '.items[].status.containerStatuses[].imageID'"
        ).split()
        assert len(running) == 3, running
        assert all(one.endswith(f"@{built}") for one in running), running
  '';
}
