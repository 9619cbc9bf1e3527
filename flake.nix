{
  description = "A small HTTP server, from Rust source to replicas that survive losing a node";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];

      # What `f` makes of each system's packages.
      perSystem = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});

      # What `f` makes of each NAME.nix in a folder, under NAME; folders in it are theirs to share.
      readFolder =
        folder: f:
        lib.mapAttrs' (file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (f (folder + "/${file}")))
          (
            lib.filterAttrs (file: type: type == "regular" && lib.hasSuffix ".nix" file) (
              builtins.readDir folder
            )
          );

      packagesOf = pkgs: import ./nix/packages { inherit pkgs; };

      # Calls a file with all packages, ours among them, and with what makes more of them.
      scope =
        pkgs:
        pkgs.newScope (
          packagesOf pkgs
          // lib.mapAttrs (
            _: make: arguments:
            make ({ inherit pkgs; } // arguments)
          ) self.lib
          // {
            inherit self;
          }
        );

      # These need no KVM.
      checksOf = pkgs: readFolder ./nix/checks (file: scope pkgs file { });

      # Each one a NixOS VM test: these do.
      vmTestsOf = pkgs: readFolder ./nix/tests (import ./nix/tests/lib { inherit self pkgs; });
    in
    {
      packages = perSystem (
        pkgs:
        packagesOf pkgs
        // {
          # All checks for machines without KVM.
          ci = pkgs.linkFarm "ci" (checksOf pkgs);
        }
      );

      apps = perSystem (
        pkgs:
        import ./nix/apps {
          inherit pkgs self;
          packages = packagesOf pkgs;
        }
      );

      checks = perSystem (pkgs: checksOf pkgs // vmTestsOf pkgs);

      devShells = perSystem (pkgs: {
        default = pkgs.callPackage ./nix/devshell.nix { };
      });

      formatter = perSystem (pkgs: pkgs.nixfmt-tree);

      lib = import ./nix/lib { inherit self; };

      overlays.default = final: _: {
        inherit (packagesOf final)
          hostname-server
          kapply
          kdrill
          klab
          ocipack
          ;
      };

      nixosModules = readFolder ./nix/modules (file: lib.modules.importApply file { inherit self; }) // {
        default.imports = lib.attrValues (removeAttrs self.nixosModules [ "default" ]);
      };

      templates.default = {
        path = ./templates/default;
        description = "A service of your own, built, deployed and tested by this flake";
      };
    };
}
