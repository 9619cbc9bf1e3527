# shellcheck shell=bash
if [ $# -gt 0 ]; then
  cat <<END
From the image to replicas that survive losing a node, on a cluster of its own that is gone in the
end. Needs root, since its nodes are namespaces.

Usage: sudo nix run .#demo

KLAB_NAME gives the cluster another name than "demo"; the report goes to ./drill-report.
END
  case $1 in --help | -h) exit 0 ;; *) exit 2 ;; esac
fi
if [ "$(id -u)" != 0 ]; then
  echo "demo: makes namespaces, cgroups and mounts, so it needs root; run: sudo nix run .#demo" >&2
  exit 2
fi

export KLAB_NAME=${KLAB_NAME:-demo}
if [ -e "${KLAB_STATE:-/var/lib/klab}/$KLAB_NAME" ]; then
  echo "demo: there is a cluster $KLAB_NAME already; nothing was started; choose another KLAB_NAME" >&2
  exit 2
fi

trap 'klab down' EXIT
klab up --nodes 2
KUBECONFIG=$(klab kubeconfig --path)
export KUBECONFIG
deploy --namespace hello --create-namespace
drill --namespace hello replicas balance node-add scale node-loss
