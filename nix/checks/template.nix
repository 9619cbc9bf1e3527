# The template as a stranger uses it, with this flake as its input.
{
  runCommand,
  stdenv,

  self,
}:
let
  nixpkgs = self.inputs.nixpkgs;
  flake = (import ../../templates/default/flake.nix).outputs {
    inherit nixpkgs;
    hostname-stack = self;
  };
  packages = flake.packages.${stdenv.hostPlatform.system};
in
runCommand "template" { } ''
  for command in ${packages.deploy} ${packages.diff} ${packages.publish} ${packages.destroy}; do
    $command/bin/* --help > /dev/null
  done
  grep -q '^sha256:' ${packages.image.digest}
  cp ${packages.image.digest} $out
''
