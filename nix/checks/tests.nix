# Unit tests. Those of the suites need a cluster, and xtask's need a checkout: `cargo xtask test` has
# both.
{
  callPackage,
  cargo-nextest,
  openssl,
}:
callPackage ./lib/cargo.nix {
  name = "tests";
  command = ''
    export HOME=$TMPDIR
    cargo nextest run --offline --workspace --exclude e2e --exclude xtask
  '';
  inputs = [
    cargo-nextest
    openssl
  ];
}
