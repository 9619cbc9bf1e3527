# klab with nixpkgs' Kubernetes: nothing is compiled at run time.
{
  lib,
  callPackage,
  runCommand,
  makeWrapper,
  symlinkJoin,

  cni-plugins,
  containerd,
  etcd,
  iproute2,
  iptables,
  kmod,
  kubectl,
  kubernetes,
  nftables,
  runc,
  util-linux,
}:
let
  klab = callPackage ./tool.nix { name = "klab"; };

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
      ${kubernetes.pause}/bin/pause
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
          iproute2
          iptables
          kmod
          nftables
          util-linux
        ]
      }
  '';
  passthru = { inherit runtime; };
}
