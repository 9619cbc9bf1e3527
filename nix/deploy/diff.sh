# shellcheck shell=bash
diff_usage() {
  cat <<END
Shows field by field what a deploy would change. Exit code: 0 nothing, 1 something, 2 error.

Usage: diff [OPTION…] [OPTION OF kapply diff…]

  --context NAME, --kubeconfig FILE, --as USER   which cluster, as whom
  -n, --namespace NAME    where objects go that name no namespace [default: the context's]
  --registry PREFIX       as it will be given to deploy; nothing is pushed

Example:
  nix run .#diff -- --context staging -n hello --registry ghcr.io/me
END
}

run_diff() {
  pin_images
  exec kapply diff -f "$MANIFESTS" "${image_flags[@]}" "${client[@]}" --applyset "$SET" --prune "${rest[@]}"
}
