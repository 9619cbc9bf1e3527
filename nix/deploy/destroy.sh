# shellcheck shell=bash
destroy_usage() {
  cat <<END
Deletes everything that deploy has brought into a cluster, and waits until it is gone. Namespaces,
images in registries and on nodes stay.

Usage: destroy [OPTION…] [OPTION OF kapply delete…]

  --context NAME, --kubeconfig FILE, --as USER   which cluster, as whom
  -n, --namespace NAME    where it was deployed to [default: the context's namespace]
  --dry-run               show what would be deleted

Example:
  nix run .#destroy -- --context staging -n hello
END
}

run_destroy() {
  [ -z "$dry_run" ] || rest+=(--dry-run)
  exec kapply delete --applyset "$SET" "${client[@]}" "${rest[@]}"
}
