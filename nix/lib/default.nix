# What other flakes build their own services with. Each function takes `pkgs`, their nixpkgs, and
# brings the tools of this flake.
{ self }:
let
  bind =
    file:
    { pkgs, ... }@arguments:
    pkgs.newScope self.packages.${pkgs.stdenv.buildPlatform.system} file { } (
      builtins.removeAttrs arguments [ "pkgs" ]
    );
in
{
  mkImage = bind ./mk-image.nix;
  mkDeploy = bind ./mk-deploy.nix;

  # A NixOS test on the cluster that this flake's own tests run on; see nix/tests/lib/cluster.nix.
  mkClusterTest =
    { pkgs, ... }@arguments:
    pkgs.testers.runNixOSTest {
      imports = [
        ../tests/lib/cluster.nix
        (builtins.removeAttrs arguments [ "pkgs" ])
      ];
      _module.args = { inherit self; };
    };
}
