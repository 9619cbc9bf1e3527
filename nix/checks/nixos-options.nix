# docs/nixos-options.md says what the modules declare.
{
  lib,
  pkgs,
  self,
  runCommand,
  writeText,
}:
let
  generated = writeText "nixos-options.md" (import ../docs/options.nix { inherit lib pkgs self; });
in
runCommand "nixos-options" { } ''
  diff -u ${../../docs/nixos-options.md} ${generated} || {
    echo "docs/nixos-options.md does not say what nix/modules declare; run: cp ${generated} docs/nixos-options.md"
    exit 1
  }
  touch $out
''
