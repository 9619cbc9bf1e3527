# The server as a static program, for whichever packages it is called with.
{
  lib,
  rustPlatform,
}:
let
  workspace = import ./workspace.nix { inherit lib; };
in
rustPlatform.buildRustPackage {
  pname = "hostname-server";
  inherit (workspace) version cargoLock;
  src = workspace.only ../../crates/hostname-server;

  cargoBuildFlags = [ "--package=hostname-server" ];
  # The check `tests` runs those of the whole workspace.
  doCheck = false;

  # The bytes depend on the source, the lock file and the toolchain, not on where it is built.
  preBuild = ''
    printf -v CARGO_ENCODED_RUSTFLAGS '%s\x1f' \
      -Ctarget-feature=+crt-static \
      --remap-path-prefix="$NIX_BUILD_TOP"=/build \
      --remap-path-prefix="$cargoDepsCopy"=/crates \
      --remap-path-prefix="$PWD"=/source
    export CARGO_ENCODED_RUSTFLAGS=''${CARGO_ENCODED_RUSTFLAGS%?}
  '';
  # The profile strips already; another strip would write the file anew.
  dontStrip = true;

  meta = {
    description = "Answers every request with the name of the host it runs on";
    inherit (workspace) license;
    platforms = lib.platforms.linux;
    mainProgram = "hostname-server";
  };
}
