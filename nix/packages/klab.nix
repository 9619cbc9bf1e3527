# klab with nixpkgs' Kubernetes: nothing is compiled at run time.
{
  lib,
  runCommand,
  makeWrapper,
  symlinkJoin,

  cni-plugins,
  containerd,
  coredns,
  distribution,
  etcd,
  go,
  kubectl,
  kubernetes,
  nftables,
  runc,
  util-linux,

  # The bare program.
  klab,
}:
let
  # A pod's sandbox runs in an image of its own, so it has to be static, which nixpkgs' is not.
  pause =
    runCommand "pause"
      {
        nativeBuildInputs = [ go ];
        env.CGO_ENABLED = "0";
      }
      ''
        export GOCACHE=$TMPDIR/go
        go build -trimpath -ldflags '-s -w' -o $out/bin/pause ${../../crates/klab/runtime/pause/main.go}
      '';

  # It goes into an image of its own, without any library.
  static =
    package:
    package.overrideAttrs (old: {
      env = (old.env or { }) // {
        CGO_ENABLED = "0";
      };
    });

  # The folder that KLAB_RUNTIME names: every program that klab starts.
  runtime = runCommand "klab-runtime" { } ''
    mkdir -p $out/bin
    ln -s -t $out/bin \
      ${kubernetes}/bin/{kube-apiserver,kube-controller-manager,kube-proxy,kube-scheduler,kubelet} \
      ${kubectl}/bin/kubectl \
      ${containerd}/bin/{containerd,containerd-shim-runc-v2,ctr} \
      ${etcd}/bin/etcd \
      ${runc}/bin/runc \
      ${cni-plugins}/bin/{host-local,loopback,portmap,ptp} \
      ${pause}/bin/pause \
      ${static coredns}/bin/coredns \
      ${distribution}/bin/registry
  '';
in
symlinkJoin {
  inherit (klab) name meta;
  paths = [ klab ];
  nativeBuildInputs = [ makeWrapper ];
  postBuild = ''
    wrapProgram $out/bin/klab \
      --set-default KLAB_RUNTIME ${runtime}/bin \
      --prefix PATH : ${
        lib.makeBinPath [
          nftables
          util-linux
        ]
      }
  '';
  passthru = { inherit runtime; };
}
