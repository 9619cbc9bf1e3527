# Formatting of Nix and Rust, and Nix code that nothing uses.
{
  lib,
  runCommand,

  cargo,
  deadnix,
  nixfmt,
  rustfmt,
}:
let
  workspace = import ../packages/workspace.nix { inherit lib; };
  nixFiles = lib.fileset.toSource {
    root = ../..;
    fileset = lib.fileset.unions [
      ../../flake.nix
      ../../nix
      ../../templates
      ../../tests/flake
    ];
  };
in
runCommand "fmt"
  {
    nativeBuildInputs = [
      cargo
      deadnix
      nixfmt
      rustfmt
    ];
  }
  ''
    cd ${nixFiles}
    find . -name '*.nix' -print0 | xargs -0 nixfmt --check
    deadnix --fail .
    cd ${workspace.src}
    cargo fmt --all --check
    touch $out
  ''
