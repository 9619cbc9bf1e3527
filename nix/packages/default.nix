# What can be built, by name: every file here is a function of nixpkgs' packages and of these.
{ pkgs }:
let
  call = pkgs.newScope packages;

  packages = {
    default = packages.tools;

    # The programs for this machine.
    tools = call ./tools.nix { };
    ocipack = call ./tool.nix { name = "ocipack"; };
    kapply = call ./tool.nix { name = "kapply"; };
    kdrill = call ./tool.nix { name = "kdrill"; };
    klab = call ./klab.nix { };

    # What is deployed.
    hostname-server = call ./hostname-server.nix { };
    image = call ./image.nix { };
    image-multiarch = call ./image-multiarch.nix { };
    manifests = call ./manifests.nix { };
  };
in
packages
