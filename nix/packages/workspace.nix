# The Cargo workspace, and only what cargo reads of this repository: documentation and Nix files
# change no package.
{ lib }:
let
  inherit (lib) fileset;

  source =
    crates:
    fileset.toSource {
      root = ../..;
      fileset = fileset.unions (
        [
          ../../Cargo.toml
          ../../Cargo.lock
        ]
        ++ crates
      );
    };
in
{
  version = (lib.importTOML ../../Cargo.toml).workspace.package.version;

  # All of it.
  src = source [
    ../../crates
    ../../tests
  ];

  # All of it, and what its checks read besides.
  checked = source [
    ../../crates
    ../../tests
    ../../manifests
    ../../deny.toml
    ../../.config
  ];

  # One crate. Of the others what cargo needs to see that they are crates: a change in them does
  # not change this one.
  only =
    crate:
    source [
      crate
      (fileset.fileFilter (
        file:
        builtins.elem file.name [
          "Cargo.toml"
          "lib.rs"
          "main.rs"
        ]
      ) ../../crates)
      ../../tests/Cargo.toml
      ../../tests/src/lib.rs
    ];

  # Every crate is pinned by the lock file: there is no hash to keep up to date.
  cargoLock.lockFile = ../../Cargo.lock;

  license = [
    lib.licenses.mit
    lib.licenses.asl20
  ];
}
