# What can be built, by name: every file here is a function of nixpkgs' packages and of these.
{ pkgs }:
let
  call = pkgs.newScope packages;

  # Static programs are cross compiled, also for this machine's own kind of processor.
  servers = {
    "linux/amd64" = pkgs.pkgsCross.musl64.callPackage ./hostname-server.nix { };
    "linux/arm64" = pkgs.pkgsCross.aarch64-multiplatform-musl.callPackage ./hostname-server.nix { };
  };
  platform =
    {
      x86_64-linux = "linux/amd64";
      aarch64-linux = "linux/arm64";
    }
    .${pkgs.stdenv.hostPlatform.system};

  mkImage = call ../lib/mk-image.nix { };

  packages = {
    default = pkgs.symlinkJoin {
      name = "hostname-stack";
      paths = [
        packages.ocipack
        packages.kapply
        packages.kdrill
        packages.klab
      ];
      meta.mainProgram = "kapply";
    };

    # The programs for this machine.
    tools = call ./tools.nix { };
    ocipack = call ./tool.nix { name = "ocipack"; };
    kapply = call ./tool.nix { name = "kapply"; };
    kdrill = call ./tool.nix { name = "kdrill"; };
    klab = call ./klab.nix { klab = call ./tool.nix { name = "klab"; }; };

    # What is deployed.
    hostname-server = servers.${platform};
    image = call ./image.nix {
      inherit mkImage;
      servers.${platform} = packages.hostname-server;
    };
    image-multiarch = call ./image.nix { inherit mkImage servers; };
    manifests = call ./manifests.nix { };
  };
in
packages
