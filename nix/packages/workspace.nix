# The Cargo workspace, and only what cargo reads of this repository: documentation and Nix files
# change no package.
{ lib }:
{
  version = (lib.importTOML ../../Cargo.toml).workspace.package.version;

  src = lib.fileset.toSource {
    root = ../..;
    fileset = lib.fileset.unions [
      ../../Cargo.toml
      ../../Cargo.lock
      ../../crates
      ../../tests/Cargo.toml
      ../../tests/src
      ../../tests/suites
    ];
  };

  # Every crate is pinned by the lock file: there is no hash to keep up to date.
  cargoLock.lockFile = ../../Cargo.lock;

  license = [
    lib.licenses.mit
    lib.licenses.asl20
  ];
}
