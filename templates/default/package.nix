# A static program, so that the image needs nothing else in it.
{
  lib,
  rustPlatform,
  glibc,
}:
rustPlatform.buildRustPackage {
  pname = "greeter";
  version = "0.1.0";
  src = lib.fileset.toSource {
    root = ./.;
    fileset = lib.fileset.unions [
      ./Cargo.toml
      ./Cargo.lock
      ./src
    ];
  };
  cargoLock.lockFile = ./Cargo.lock;
  buildInputs = [ glibc.static ];
  env.RUSTFLAGS = "-C target-feature=+crt-static";
  meta.mainProgram = "greeter";
}
