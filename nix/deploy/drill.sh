# shellcheck shell=bash
drill_usage() {
  cat <<END
Runs drills against what deploy has brought, and writes a report.

Usage: drill [OPTION…] [DRILL…] [OPTION OF kdrill run…]

  --context NAME, --kubeconfig FILE   which cluster
  -n, --namespace NAME    where it was deployed to [default: the context's namespace]
  --report DIR            where timeline.json and report.html go [default: drill-report]

The Deployment and the Service are those of the manifests, where there is one of each. Drills with
load take only answers like hostname-server's, which name the replica; \`replicas\` sends none.

On a klab cluster nodes are added, cut and started, and the load comes from inside the cluster.
Elsewhere kdrill is told how with --load-via, --node-down and --node-up; see kdrill run --help.

Examples:
  nix run .#drill -- -n hello
  nix run .#drill -- -n hello replicas balance --report out
END
}

# What the manifests have one of is what drills are about.
the_only() {
  kapply render -f "$MANIFESTS" -o json |
    jq -r --arg kind "$1" '[.items[] | select(.kind == $kind) | .metadata.name] | select(length == 1)[0]'
}

run_drill() {
  local drills=(replicas) flags=() klab
  if find_klab; then
    klab="klab$(printf ' %q' "${klab_flags[@]}")"
    drills=(replicas balance scale node-loss)
    flags=(
      --load-via "$klab exec server --"
      --node-down "$klab node stop" --node-up "$klab node start" --node-add "$klab node add"
    )
  fi
  case ${rest[0]:--} in -*) rest=("${drills[@]}" "${rest[@]}") ;; esac
  case " ${rest[*]} " in *' --report'[=\ ]*) ;; *) flags+=(--report drill-report) ;; esac
  local kind name
  for kind in Deployment Service; do
    case " ${rest[*]} " in *" --${kind,,}"[=\ ]*) continue ;; esac
    name=$(the_only $kind)
    [ -z "$name" ] || flags+=("--${kind,,}" "$name")
  done
  exec kdrill run "${rest[@]}" "${client[@]}" "${flags[@]}"
}
