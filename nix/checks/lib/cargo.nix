# A check that runs cargo in the workspace and leaves nothing.
{
  lib,
  rustPlatform,

  name,
  command,
  inputs ? [ ],
}:
let
  workspace = import ../../packages/workspace.nix { inherit lib; };
in
rustPlatform.buildRustPackage {
  pname = name;
  inherit (workspace) version cargoLock;
  src = workspace.checked;
  nativeBuildInputs = inputs;
  doCheck = false;
  buildPhase = ''
    runHook preBuild
    ${command}
    runHook postBuild
  '';
  installPhase = "touch $out";
}
