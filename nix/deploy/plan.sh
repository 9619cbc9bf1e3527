# shellcheck shell=bash
plan_usage() {
  cat <<END
Shows what a deploy would do, and writes it down. Exit code: 0 nothing, 1 something, 2 error.

Usage: plan [OPTION…] [OPTION OF kapply plan…]

  --context NAME, --kubeconfig FILE, --as USER   which cluster, as whom
  -n, --namespace NAME    where objects go that name no namespace [default: the context's]
  --registry PREFIX       as it will be given to deploy; nothing is pushed

Example:
  nix run .#plan -- -n hello --registry ghcr.io/me --out plan.json --html plan.html
  nix run .#deploy -- -n hello --registry ghcr.io/me --plan plan.json
END
}

run_plan() {
  pin_images
  exec kapply plan -f "$MANIFESTS" "${image_flags[@]}" "${client[@]}" --applyset "$SET" --prune "${rest[@]}"
}
