# What `nix run .#NAME` does.
{
  pkgs,
  packages,
  self,
}:
let
  inherit (pkgs) lib;
  inherit (packages) image klab;

  commands = self.lib.mkDeploy {
    inherit pkgs;
    name = "hostname-server";
    manifests = ../../manifests;
    images.hostname-server = image;
  };

  demo = pkgs.writeShellApplication {
    name = "demo";
    runtimeInputs = [
      commands.deploy
      commands.drill
      pkgs.coreutils
      klab
    ];
    text = builtins.readFile ./demo.sh;
    meta.description = "A cluster, a deployment, drills and a report, on this machine";
  };

  app = description: program: {
    type = "app";
    inherit program;
    meta = { inherit description; };
  };
in
builtins.mapAttrs (_: command: app command.meta.description (lib.getExe command)) (
  commands // { inherit demo; }
)
// {
  default = app "Bring the stack into a cluster" (lib.getExe commands.deploy);

  # The machines of a VM test, to be driven by hand; see `help()` in it.
  vm =
    let
      test = self.checks.${pkgs.stdenv.hostPlatform.system}.replicas;
    in
    app "A cluster of NixOS machines with k3s, driven from a Python prompt" "${test.driverInteractive}/bin/nixos-test-driver";
}
