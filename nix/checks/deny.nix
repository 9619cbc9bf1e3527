# Licences, sources and duplicates of the crates. Advisories come over the network: CI asks for them.
{ callPackage, cargo-deny }:
callPackage ./lib/cargo.nix {
  name = "deny";
  command = "cargo deny --offline check bans licenses sources";
  inputs = [ cargo-deny ];
}
