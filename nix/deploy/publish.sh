# shellcheck shell=bash
publish_usage() {
  cat <<END
Pushes the images, by digest first and then their tags, attaches an SBOM and a statement of
provenance to each, and prints its REPOSITORY@DIGEST.

Usage: publish --registry PREFIX [OPTION…]

  --registry PREFIX   where: an image goes to PREFIX/NAME
  --tag TAG           another tag than the one made of the image's content (repeatable)
  --plain-http        the registry has no TLS and is not on the loopback

Logins are those of Docker or Podman.

Example:
  nix run .#publish -- --registry ghcr.io/me --tag 1.2.3 --tag latest
END
}

run_publish() {
  [ -n "$registry" ] || wrong "--registry is missing, such as --registry ghcr.io/me"
  [ ${#rest[@]} -eq 0 ] || wrong "unknown argument ${rest[0]}"
  push_images
}
