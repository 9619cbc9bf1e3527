# shellcheck shell=bash
# What all of these commands share: which cluster, which namespace, which images. Their environment:
#   SET        the name of the set that all objects belong to
#   MANIFESTS  the folder with the manifests
#   IMAGES     a line for each image: placeholder, repository, tag, archive, layout, file of the digest

say() {
  printf '%s: %s\n' "$COMMAND" "$*" >&2
}

# Wrong usage.
wrong() {
  say "error: $*; see --help"
  exit 2
}

# A guard refuses.
refuse() {
  say "refused: $*; nothing was changed"
  exit 5
}

# Which cluster, as kapply and kubectl take it.
client=()
# PREFIX of --registry.
registry=
tags=()
registry_flags=()
create_namespace=
dry_run=
# Whatever is not known here.
rest=()

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
    --context | --kubeconfig | --namespace | -n | --as)
      [ $# -gt 1 ] || wrong "$1 needs a value"
      client+=("$1" "$2")
      shift
      ;;
    -n?*) client+=(--namespace "${1#-n}") ;;
    --context=* | --kubeconfig=* | --namespace=* | --as=*) client+=("$1") ;;
    --registry)
      [ $# -gt 1 ] || wrong "$1 needs a value, such as ghcr.io/me"
      registry=$2
      shift
      ;;
    --registry=*) registry=${1#*=} ;;
    --tag)
      [ $# -gt 1 ] || wrong "$1 needs a value"
      tags+=("$2")
      shift
      ;;
    --tag=*) tags+=("${1#*=}") ;;
    --plain-http) registry_flags+=("$1") ;;
    --create-namespace) create_namespace=1 ;;
    --dry-run) dry_run=1 ;;
    --help | -h)
      usage
      exit 0
      ;;
    --)
      shift
      rest+=("$@")
      return
      ;;
    *) rest+=("$1") ;;
    esac
    shift
  done
  case $registry in
  -* | *://* | *@* | *' '*) wrong "--registry $registry: give a registry and a folder in it, such as ghcr.io/me" ;;
  esac
  registry=${registry%/}
}

# A set is known by its namespace, too: without -n it is the one that the context names.
take_namespace() {
  local namespace
  [ -z "$(given --namespace -n)" ] || return 0
  namespace=$(kubectl "${client[@]}" config view --minify -o jsonpath='{.contexts[0].context.namespace}' 2>/dev/null) || return 0
  [ -z "$namespace" ] || client+=(--namespace "$namespace")
}

# The value of one of `client`'s flags, by its names.
given() {
  local previous="" word name
  for word in "${client[@]}"; do
    for name in "$@"; do
      [ "$previous" != "$name" ] || printf '%s' "$word"
      [ "${word#"$name"=}" = "$word" ] || printf '%s' "${word#*=}"
    done
    previous=$word
  done
}

# The images as kapply is told about them: in a registry by digest, on the nodes by a tag that is
# another one as soon as the image is.
image_flags=()
pin_images() {
  local placeholder repository tag archive layout digest
  [ -n "$IMAGES" ] || return 0
  while IFS=$'\t' read -r placeholder repository tag archive layout digest; do
    if [ -n "$registry" ]; then
      image_flags+=(--image "$placeholder=$registry/${repository##*/}@$(cat "$digest")")
    else
      image_flags+=(--image "$placeholder=$repository:$tag")
    fi
  done <<<"$IMAGES"
}

# Pushes every image, the tags last, attaches what it is made of and how, and prints
# REPOSITORY@DIGEST of each.
push_images() {
  local placeholder repository tag archive layout digest pushed target references one
  [ -n "$IMAGES" ] || return 0
  while IFS=$'\t' read -r placeholder repository tag archive layout digest; do
    target=$registry/${repository##*/}
    references=()
    for one in "${tags[@]:-$tag}"; do
      references+=("$target:$one")
    done
    pushed=$(ocipack push "$layout" "${references[@]}" "${registry_flags[@]}" </dev/null)
    if [ "$pushed" != "$(cat "$digest")" ]; then
      say "error: $target has $pushed, but $(cat "$digest") was built; push it again"
      exit 2
    fi
    attach "$layout" "$target@$pushed" >&2
    printf '%s@%s\n' "$target" "$pushed"
  done <<<"$IMAGES"
}

# An SBOM and a statement of provenance. A program that does not list its crates has no SBOM.
attach() {
  local layout=$1 reference=$2 documents
  documents=$(mktemp -d)
  if ocipack sbom "$layout" >"$documents/sbom.json" </dev/null; then
    ocipack attach "$reference" "$documents/sbom.json" "${registry_flags[@]}" </dev/null
  else
    say "$reference goes without an SBOM"
  fi
  ocipack provenance "$layout" --builder https://nixos.org/nix --build-type urn:nix:derivation \
    --parameter "output=$layout" >"$documents/provenance.json" </dev/null
  ocipack attach "$reference" "$documents/provenance.json" "${registry_flags[@]}" </dev/null
  rm -r "$documents"
}
