# Runs a file of nix/tests as a NixOS VM test.
{ self, pkgs }:
file:
pkgs.testers.runNixOSTest {
  imports = [ file ];
  _module.args = { inherit self; };
}
