# Programs of this machine under their packages' names.
{
  lib,
  host,
  builders,
}:
let
  inherit (builders) absent runCommand;

  # A package whose bin/ points at programs that are found on the machine.
  found =
    name: programs:
    runCommand "${name}-of-this-machine"
      {
        inherit programs;
        meta.mainProgram = builtins.head programs;
      }
      ''
        mkdir -p $out/bin
        for program in $programs; do
          path=$(command -v "$program") || {
            echo "${name}: this machine has no $program" >&2
            exit 1
          }
          ln -s "$path" $out/bin/
        done
      '';

  # One whose programs klab has compiled: in one folder for each part, side by side.
  compiled =
    name: programs:
    runCommand "${name}-of-klab" { inherit programs; } ''
      mkdir -p $out/bin
      for program in $programs; do
        for path in ${host.runtime}/../../*/bin/$program ${host.runtime}/$program; do
          [ ! -e "$path" ] || ln -sf "$path" $out/bin/
        done
        [ -e "$out/bin/$program" ] || {
          echo "${name}: klab has not compiled $program; run: klab runtime build" >&2
          exit 1
        }
      done
    '';

  hook =
    name: text:
    runCommand name
      {
        inherit text;
        passAsFile = [ "text" ];
      }
      ''
        mkdir -p $out/nix-support
        cp "$textPath" $out/nix-support/setup-hook
      '';
in
lib.mapAttrs found {
  cargo = [ "cargo" ];
  clippy = [ "cargo-clippy" ];
  coreutils = [
    "cat"
    "cp"
    "ls"
  ];
  git = [ "git" ];
  gnused = [ "sed" ];
  go = [ "go" ];
  iproute2 = [ "ip" ];
  jq = [ "jq" ];
  pkg-config = [ "pkg-config" ];
  skopeo = [ "skopeo" ];
  umoci = [ "umoci" ];
  kmod = [ "modprobe" ];
  nftables = [ "nft" ];
  openssl = [ "openssl" ];
  rustc = [ "rustc" ];
  rustfmt = [ "cargo-fmt" ];
  shellcheck = [ "shellcheck" ];
  util-linux = [ "mount" ];
}
// lib.mapAttrs compiled {
  cni-plugins = [
    "host-local"
    "loopback"
    "portmap"
    "ptp"
  ];
  containerd = [
    "containerd"
    "containerd-shim-runc-v2"
    "ctr"
  ];
  coredns = [ "coredns" ];
  distribution = [ "registry" ];
  etcd = [ "etcd" ];
  kubectl = [ "kubectl" ];
  kubernetes = [
    "kube-apiserver"
    "kube-controller-manager"
    "kube-proxy"
    "kube-scheduler"
    "kubelet"
  ];
  runc = [ "runc" ];
}
// lib.genAttrs [
  "cargo-deny"
  "cargo-nextest"
  "deadnix"
  "iptables"
  "k3s"
  "libseccomp"
  "nixfmt"
  "nixfmt-tree"
  "rust-analyzer"
  "statix"
] absent
// {
  # The machine's own libc.a is found anyway.
  glibc.static = runCommand "glibc-static" { } "mkdir $out";

  installShellFiles = hook "install-shell-files" ''
    installManPage() {
      for page in "$@"; do install -Dm644 -t "$out/share/man/man''${page##*.}" "$page"; done
    }
    installShellCompletion() {
      local file name
      for file in "$@"; do
        name=$(basename "''${file%.*}")
        case $file in
          *.bash) install -Dm644 "$file" "$out/share/bash-completion/completions/$name.bash" ;;
          *.fish) install -Dm644 "$file" "$out/share/fish/vendor_completions.d/$name.fish" ;;
          *.zsh) install -Dm644 "$file" "$out/share/zsh/site-functions/_$name" ;;
          *) echo "installShellCompletion: $file?" >&2; return 1 ;;
        esac
      done
    }
  '';

  makeWrapper = hook "make-wrapper" ''
    # wrapProgram PROGRAM [--set-default NAME VALUE | --prefix NAME SEPARATOR VALUE]…
    wrapProgram() {
      local program=$1 hidden
      hidden=$(dirname "$program")/.$(basename "$program")-wrapped
      shift
      mv "$program" "$hidden"
      {
        echo '#!/bin/bash'
        while [ $# -gt 0 ]; do
          case $1 in
            --set-default) printf 'export %s=''${%s-%q}\n' "$2" "$2" "$3"; shift 3 ;;
            --prefix) printf 'export %s=%q''${%s:+%s$%s}\n' "$2" "$4" "$2" "$3" "$2"; shift 4 ;;
            *) echo "wrapProgram: $1?" >&2; return 1 ;;
          esac
        done
        printf 'exec -a "$0" %q "$@"\n' "$hidden"
      } > "$program"
      chmod +x "$program"
    }
  '';
}
