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
    self = flake;
  };
  packages = flake.packages.${stdenv.hostPlatform.system};
in
runCommand "template"
  {
    # Evaluated only: it needs KVM.
    cluster =
      builtins.unsafeDiscardStringContext
        flake.checks.${stdenv.hostPlatform.system}.cluster.drvPath;
  }
  ''
    for command in ${packages.deploy} ${packages.diff} ${packages.publish} ${packages.destroy}; do
      $command/bin/* --help > /dev/null
    done
    grep -q '^sha256:' ${packages.image.digest}
    cp ${packages.image.digest} $out
  ''
