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

      # The tools only have to work: quickly compiled, and what is compiled is kept for the next
      # time, outside of the store.
      rustPlatform = rust.platform (package: {
        targetFolder = host.target;
        cargoBuildFlags = package.cargoBuildFlags or [ ] ++ [
          "--config=profile.release.lto='off'"
          "--config=profile.release.codegen-units=16"
          "--config=profile.release.opt-level=0"
          "--config=profile.release.package.'*'.opt-level=1"
        ];
        # Others lie there, too.
        programs = map (lib.removePrefix "--package=") (package.cargoBuildFlags or [ package.pname ]);
      });

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
            rust.platform (_: { })
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
