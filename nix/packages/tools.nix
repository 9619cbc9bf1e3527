# ocipack, kapply, kdrill and klab, compiled together: they share most of their dependencies.
{
  lib,
  rustPlatform,
}:
let
  workspace = import ./workspace.nix { inherit lib; };
in
rustPlatform.buildRustPackage {
  pname = "hostname-stack-tools";
  inherit (workspace) version src cargoLock;

  cargoBuildFlags = [
    "--package=ocipack"
    "--package=kapply"
    "--package=kdrill"
    "--package=klab"
  ];
  # The check `tests` runs those of the whole workspace.
  doCheck = false;

  meta = {
    description = "Tools that build, apply, drill and host the stack";
    inherit (workspace) license;
    platforms = lib.platforms.linux;
    mainProgram = "kapply";
  };
}
