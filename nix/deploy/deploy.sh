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
  local name apply
  pin_images

  if [ -n "$create_namespace" ]; then
    name=$(given --namespace -n)
    [ -n "$name" ] || wrong "--create-namespace needs -n NAME"
  fi

  apply=(kapply apply -f "$MANIFESTS" "${image_flags[@]}" "${client[@]}" --applyset "$SET" --prune)

  if [ -n "$dry_run" ]; then
    [ -n "$registry" ] || find_loader
    exec "${apply[@]}" --dry-run "${rest[@]}"
  fi

  if [ -n "$registry" ]; then
    say "pushing to $registry"
    push_images >&2
  else
    find_loader
    say "loading images into the nodes ($loader)"
    load_images
  fi

  if [ -n "$create_namespace" ]; then
    printf '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "%s"}}' "$name" |
      kapply apply -f - "${client[@]}"
  fi
  "${apply[@]}" --wait "${rest[@]}"

  say "images: $(printf '%s ' "${image_flags[@]}" | sed 's/--image //g')"
  # Its exit code tells differences, which are no failure of this.
  kapply status --applyset "$SET" "${client[@]}" || [ $? -eq 1 ]
}
