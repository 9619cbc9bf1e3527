# What the unit runs: applies every declared set, then deletes the sets of this owner that are not
# declared any more. Goes on after a failure, so that one set does not hold up the others, and
# fails with the first code that was not 0.
#
# Environment: KAPPLY_SETS, a file [{name, namespace, parent, arguments}]; KAPPLY_OWNER; KAPPLY_API_TIMEOUT in
# seconds; KAPPLY_ALLOW_PRUNE, what `--allow-prune` may lift for sets that left; CREDENTIALS_DIRECTORY with the
# file kubeconfig.

export KUBECONFIG=$CREDENTIALS_DIRECTORY/kubeconfig
export XDG_CACHE_HOME=${CACHE_DIRECTORY:-}
failed=0

# Says why on standard error and remembers the first failure.
fail() {
  local code=$1
  shift
  echo "kapply: $*" >&2
  ((failed)) || failed=$code
}

wait_for_api() {
  local deadline=$((SECONDS + KAPPLY_API_TIMEOUT)) answer
  until answer=$(kapply sets --all-namespaces --output json 2>&1); do
    if ((SECONDS >= deadline)); then
      echo "$answer" >&2
      echo "kapply: the API server did not answer within $KAPPLY_API_TIMEOUT s (services.kapply.apiTimeout); is k3s running? journalctl -u k3s" >&2
      exit 2
    fi
    sleep 2
  done
}

apply_set() {
  local index=$1 name code=0
  local -a arguments
  name=$(jq -r ".[$index].name" "$KAPPLY_SETS")
  mapfile -d '' -t arguments < <(jq -j ".[$index].arguments[] + \"\\u0000\"" "$KAPPLY_SETS")
  echo "set $name" >&2
  kapply "${arguments[@]}" || code=$?
  case $code in
    0) ;;
    5) fail 5 "set $name: a guard refused it, and nothing was changed; if this is meant, see services.kapply.sets.$name.allowPrune" ;;
    *) fail "$code" "set $name failed with code $code" ;;
  esac
}

delete_set() {
  local namespace=$1 parent=$2 code=0
  local -a allow=()
  [[ -z $KAPPLY_ALLOW_PRUNE ]] || allow=(--allow-prune "$KAPPLY_ALLOW_PRUNE")
  echo "set ${parent#"$KAPPLY_OWNER".} in namespace $namespace is not declared any more" >&2
  kapply delete --applyset "$parent" --namespace "$namespace" "${allow[@]}" || code=$?
  case $code in
    0) ;;
    5) fail 5 "set $parent: a guard refused to delete it; if this is meant, see services.kapply.allowPruneUndeclared" ;;
    *) fail "$code" "deleting set $parent failed with code $code" ;;
  esac
}

# NAMESPACE PARENT, a line for each set of this owner that is on the cluster and not declared.
undeclared() {
  kapply sets --all-namespaces --output json |
    jq -r --slurpfile declared "$KAPPLY_SETS" --arg prefix "$KAPPLY_OWNER." '
      ($declared[0] | map("\(.namespace) \(.parent)")) as $declared
      | .sets[].parent
      | select(.kind == "Secret" and (.name | startswith($prefix)))
      | "\(.namespace) \(.name)"
      | select(IN($declared[]) | not)'
}

wait_for_api
count=$(jq length "$KAPPLY_SETS")
for ((index = 0; index < count; index++)); do
  apply_set "$index"
done
if gone=$(undeclared); then
  while read -r namespace parent; do
    [[ -z $parent ]] || delete_set "$namespace" "$parent"
  done <<<"$gone"
else
  fail 2 "the sets on the cluster could not be listed"
fi
exit "$failed"
