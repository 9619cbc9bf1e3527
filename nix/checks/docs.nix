# Documentation without a dead link.
{ callPackage }:
callPackage ./lib/cargo.nix {
  name = "docs";
  command = "RUSTDOCFLAGS='-D warnings' cargo doc --offline --workspace --no-deps";
  inputs = [ ];
}
