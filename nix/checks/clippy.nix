# Lints, none of them allowed.
{ callPackage, clippy }:
callPackage ./lib/cargo.nix {
  name = "clippy";
  command = "cargo clippy --offline --workspace --all-targets -- -D warnings";
  inputs = [ clippy ];
}
