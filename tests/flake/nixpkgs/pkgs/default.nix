# Packages by nixpkgs' names. What only nixpkgs has evaluates and says so when it is built.
{
  lib,
  host,
  system,
}:
let
  builders = import ./builders.nix { inherit lib host system; };
  tools = import ./tools.nix { inherit lib host builders; };
  rust = import ./rust.nix { inherit lib host builders; };

  pkgs =
    builders
    // tools
    // {
      inherit lib system pkgs;
      callPackage = lib.callPackageWith pkgs;
      newScope = more: lib.callPackageWith (pkgs // more);

      dockerTools.buildImage = image: builders.absent "image-${baseNameOf image.name}.tar";
      testers.runNixOSTest = (import ../nixos { inherit lib pkgs; }).runNixOSTest;

      # The tools only have to work: they are what cargo compiles in the checkout.
      rustPlatform = rust.quick;

      # What is deployed is compiled as it says, with glibc in musl's place.
      pkgsCross = {
        musl64 = cross "x86_64";
        aarch64-multiplatform-musl = cross "aarch64";
      };
    };

  cross =
    cpu:
    let
      packages = pkgs // {
        rustPlatform =
          if "${cpu}-linux" == system then
            rust.faithful
          else
            {
              buildRustPackage = package: package // builders.absent "${package.pname}-${cpu}";
            };
        callPackage = lib.callPackageWith packages;
      };
    in
    packages;
in
pkgs
