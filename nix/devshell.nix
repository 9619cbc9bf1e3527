# Everything to work on this repository: `nix develop`, or direnv.
{
  mkShell,

  cargo,
  cargo-deny,
  cargo-nextest,
  clippy,
  deadnix,
  go,
  jq,
  kubectl,
  libseccomp,
  nftables,
  nixfmt,
  pkg-config,
  rust-analyzer,
  rustPlatform,
  rustc,
  rustfmt,
  shellcheck,
  skopeo,
  statix,
  umoci,
}:
mkShell {
  packages = [
    cargo
    cargo-deny
    cargo-nextest
    clippy
    deadnix
    go
    jq
    kubectl
    libseccomp
    nftables
    nixfmt
    pkg-config
    rust-analyzer
    rustc
    rustfmt
    shellcheck
    skopeo
    statix
    umoci
  ];
  # rust-analyzer reads the standard library.
  env.RUST_SRC_PATH = "${rustPlatform.rustLibSrc}";
}
