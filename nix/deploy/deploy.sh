# shellcheck shell=bash
deploy_usage() {
  cat <<END
Brings the stack into a cluster: images, then objects, then waits until they are ready.

Usage: deploy [OPTION…] [OPTION OF kapply apply…]

  --context NAME, --kubeconfig FILE, --as USER   which cluster, as whom
  -n, --namespace NAME    where objects go that name no namespace [default: the context's]
  --create-namespace      make that namespace if it is not there; it stays when the stack goes
  --registry PREFIX       push the images to PREFIX/NAME and let pods run them by digest
  --tag TAG               another tag than the one made of the image's content (repeatable)
  --plain-http            the registry has no TLS and is not on the loopback
  --dry-run               show what would change; push, load and change nothing

Without --registry the images are loaded into the cluster's nodes, if all of them can be reached
from here: those of a klab cluster, or this machine as the one node of k3s.

Objects that are not in the manifests any more are deleted. Exit codes are kapply's.

Examples:
  nix run .#deploy -- --context staging -n hello --registry ghcr.io/me
  nix run .#deploy -- --kubeconfig /var/lib/klab/demo/kubeconfig -n hello --create-namespace
END
}

run_deploy() {
  local target=() namespace="" apply said code=0 reference
  pin_images
  target=("${image_flags[@]}" "${client[@]}" --applyset "$SET" --prune)
  if [ -n "$create_namespace" ]; then
    namespace=$(given --namespace -n)
    [ -n "$namespace" ] || wrong "--create-namespace needs -n NAME, or a context that names one"
    apply=(kapply apply -f - -f "$MANIFESTS" "${target[@]}")
  else
    apply=(kapply apply -f "$MANIFESTS" "${target[@]}")
  fi

  # All of it is asked first: what is refused now has not moved an image.
  said=$(namespace_object "$namespace" | "${apply[@]}" --dry-run "${rest[@]}" 2>&1) || code=$?
  if [ $code -ne 0 ]; then
    printf '%s\n' "$said" >&2
    if [ -z "$create_namespace" ] && [[ $said = *'(`kubectl create namespace '* ]]; then
      say "--create-namespace makes the namespace"
    fi
    say "nothing was pushed, loaded or changed"
    exit $code
  fi
  [ -z "$IMAGES" ] || [ -n "$registry" ] || find_loader
  if [ -n "$dry_run" ]; then
    printf '%s\n' "$said"
    exit 0
  fi

  if [ -z "$IMAGES" ]; then
    say "there are no images to bring"
  elif [ -n "$registry" ]; then
    say "pushing to $registry"
    push_images >&2
  else
    say "loading images into the nodes ($loader)"
    load_images
  fi

  # The namespace is not the set's: other things may live there when the set goes.
  [ -z "$namespace" ] || namespace_object "$namespace" | kapply apply -f - "${client[@]}"
  kapply apply -f "$MANIFESTS" "${target[@]}" --wait "${rest[@]}"

  for reference in "${image_flags[@]}"; do
    [ "$reference" = --image ] || say "image $reference"
  done
  # Its exit code tells differences, which are no failure of this.
  kapply status --applyset "$SET" "${client[@]}" || [ $? -eq 1 ]
}

namespace_object() {
  printf '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "%s"}}' "$1"
}
