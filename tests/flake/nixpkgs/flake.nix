{
  description = "Takes nixpkgs' place where nixpkgs cannot be fetched: the same names, this machine's tools";

  # host.json, which `cargo xtask flake-check` puts beside this file, says what tools there are; it
  # puts the checkout's Cargo.lock there, too.
  outputs =
    { ... }:
    let
      lib = import ./lib;
      host = builtins.fromJSON (builtins.readFile ./host.json);
    in
    {
      lib = lib // {
        nixosSystem =
          {
            system ? "x86_64-linux",
            ...
          }@arguments:
          (import ./nixos {
            inherit lib;
            pkgs = import ./pkgs { inherit lib host system; };
          }).system
            (builtins.removeAttrs arguments [ "system" ]);
      };
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
        system: import ./pkgs { inherit lib host system; }
      );
    };
}
