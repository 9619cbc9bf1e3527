# The functions of nixpkgs' lib that this repository's Nix files call, and no others: a call of one
# that is not here is an evaluation error. Written anew, for the cases that occur.
let
  attrs = import ./attrs.nix;
  text = import ./text.nix;
  lists = import ./lists.nix;
  packages = import ./packages.nix { inherit attrs text; };
  modules = import ./modules.nix { inherit attrs lists text; };
in
attrs
// text
// lists
// packages
// modules
// {
  fileset = import ./fileset.nix { inherit text; };
  importTOML = file: builtins.fromTOML (builtins.readFile file);
  importJSON = file: builtins.fromJSON (builtins.readFile file);
}
