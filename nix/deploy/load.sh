# shellcheck shell=bash
# Brings the images to the nodes themselves. That is only done where every node that may run pods
# can be reached from here: a klab cluster, or k3s on this machine alone.

# How images are loaded, once `find_loader` has looked.
loader=

load_images() {
  local placeholder repository tag archive layout digest
  while IFS=$'\t' read -r placeholder repository tag archive layout digest; do
    case $loader in
    klab) klab "${klab_flags[@]}" load "$archive" </dev/null >&2 ;;
    k3s) ocipack load "$archive" --containerd "$k3s_socket" </dev/null >&2 ;;
    esac
  done <<<"$IMAGES"
}

# Finds out how, or refuses and says why.
find_loader() {
  local nodes
  nodes=$(kubectl "${client[@]}" get nodes -o json)
  local names=()
  mapfile -t names < <(jq -r '.items[] | select(.spec.unschedulable != true) | .metadata.name' <<<"$nodes")
  [ ${#names[@]} -gt 0 ] || refuse "no node of this cluster takes pods (kubectl get nodes)"
  if find_klab; then
    local missing
    missing=$(klab "${klab_flags[@]}" status -o json | jq -r --args \
      '[.nodes[].name] as $known | $ARGS.positional - $known | join(", ")' "${names[@]}")
    [ -z "$missing" ] || refuse "klab cannot load images into these nodes of the cluster: $missing; use --registry"
    loader=klab
  elif is_local_k3s "$nodes"; then
    loader=k3s
  else
    refuse "images cannot be loaded into ${names[*]} from here: that works for a klab cluster of this" \
      "machine (as root) and for k3s with this machine as its one node; give a registry that the" \
      "nodes can pull from with --registry"
  fi
}

# The klab cluster that the kubeconfig's context leads to. Both have the same authority.
klab_flags=()
find_klab() {
  local authority file folder files
  authority=$(authority "${client[@]}")
  [ -n "$authority" ] || return 1
  IFS=: read -ra files <<<"$(given --kubeconfig):${KUBECONFIG:-}"
  for file in "${files[@]}" "${KLAB_STATE:-/var/lib/klab}"/*/kubeconfig; do
    [ -r "$file" ] || continue
    [ "$(authority --kubeconfig "$file")" = "$authority" ] || continue
    folder=$(dirname "$(realpath "$file")")
    klab_flags=(--state "$(dirname "$folder")" --name "$(basename "$folder")")
    klab "${klab_flags[@]}" status -o json >/dev/null 2>&1 && return 0
  done
  return 1
}

authority() {
  kubectl "$@" config view --raw --minify --flatten \
    -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' 2>/dev/null || true
}

# k3s with one node, which is this machine: the same machine ID and the same boot.
k3s_socket=/run/k3s/containerd/containerd.sock
is_local_k3s() {
  [ -S "$k3s_socket" ] &&
    jq -e --arg machine "$(cat /etc/machine-id)" --arg boot "$(cat /proc/sys/kernel/random/boot_id)" '
      (.items | length) == 1 and (.items[0].status.nodeInfo
        | (.kubeletVersion | contains("+k3s")) and .machineID == $machine and .bootID == $boot)
    ' <<<"$1" >/dev/null
}
