# The server, static. Hydra builds the compilers for nixpkgs' musl cross targets; it does not for
# every static one.
{
  stdenv,
  pkgsCross,
}:
let
  cross = {
    x86_64 = pkgsCross.musl64;
    aarch64 = pkgsCross.aarch64-multiplatform-musl;
  };
  package =
    {
      lib,
      rustPlatform,
      stdenv,
    }:
    let
      workspace = import ./workspace.nix { inherit lib; };
    in
    rustPlatform.buildRustPackage {
      pname = "hostname-server";
      inherit (workspace) version src cargoLock;

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
        export CARGO_ENCODED_RUSTFLAGS=''${CARGO_ENCODED_RUSTFLAGS%$'\x1f'}
      '';
      # The profile strips; another strip would write the file anew, and an image needs no audit data.
      dontStrip = true;
      auditable = false;

      passthru.platform =
        {
          x86_64 = "linux/amd64";
          aarch64 = "linux/arm64";
        }
        .${stdenv.hostPlatform.parsed.cpu.name};

      meta = {
        description = "Answers every request with the name of the host it runs on";
        inherit (workspace) license;
        platforms = lib.platforms.linux;
        mainProgram = "hostname-server";
      };
    };
  servers = builtins.mapAttrs (_: packages: packages.callPackage package { }) cross;
in
servers.${stdenv.hostPlatform.parsed.cpu.name}.overrideAttrs (_: {
  passthru.byCpu = servers;
})
