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
}
