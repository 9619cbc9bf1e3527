# What `nix run .#NAME` does.
{
  lib,
  writeShellApplication,

  coreutils,
  klab,
  image,

  mkDeploy,
}:
let
  commands = mkDeploy {
    name = "hostname-server";
    manifests = ../../manifests;
    images.hostname-server = image;
  };

  demo = writeShellApplication {
    name = "demo";
    runtimeInputs = [
      commands.deploy
      commands.drill
      coreutils
      klab
    ];
    text = builtins.readFile ./demo.sh;
    meta.description = "A cluster, a deployment, drills and a report, on this machine";
  };
in
builtins.mapAttrs (_: command: {
  type = "app";
  program = lib.getExe command;
  meta = { inherit (command.meta) description; };
}) (commands // { inherit demo; })
