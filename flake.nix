{
  description = "A small HTTP server, from Rust source to replicas that survive losing a node";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      # What `f` makes of each system's packages.
      perSystem =
        f:
        lib.genAttrs [
          "x86_64-linux"
          "aarch64-linux"
        ] (system: f nixpkgs.legacyPackages.${system});

      # What `f` makes of each NAME.nix in a folder, under NAME; folders in it are theirs to share.
      readFolder =
        folder: f:
        lib.mapAttrs' (file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (f (folder + "/${file}"))) (
          lib.filterAttrs (file: type: type == "regular" && lib.hasSuffix ".nix" file) (
            builtins.readDir folder
          )
        );

      # Each one a NixOS VM test: these need KVM.
      vmTests = pkgs: readFolder ./nix/tests (import ./nix/tests/lib { inherit self pkgs; });
    in
    {
      packages = perSystem (pkgs: import ./nix/packages { inherit pkgs; });

      checks = perSystem vmTests;

      nixosModules =
        let
          modules = readFolder ./nix/modules (file: lib.modules.importApply file { inherit self; });
        in
        modules // { default.imports = lib.attrValues modules; };
    };
}
