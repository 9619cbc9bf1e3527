#!/usr/bin/env bash
# install-nix.sh DIRECTORY: Nix from Debian's archive into a directory of its own, for machines that
# have none. Nothing of the machine is changed: no package is installed, no daemon, no user.
# Needs mmdebstrap and patchelf.
set -euo pipefail

directory=$1
# Debian 12's own is too old for flakes as they are now.
suite=trixie

# The mirror that apt uses here.
# shellcheck disable=SC2016 # The words are for apt.
mirror=$(apt-get indextargets --format '$(LABEL) $(SITE)' 'Created-By: Packages' |
  awk '$1 == "Debian" { print $2; exit }')
if [ -z "$mirror" ]; then
  echo "install-nix: apt knows no archive of Debian; install Nix from https://nixos.org/download" >&2
  exit 1
fi

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
root=$work/root

# Unpacked, not installed. Machines with a clock of their own refuse dated lists.
mmdebstrap --quiet --variant=extract --components=main --include=nix-bin \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
  "$suite" "$root" "$mirror"

# The program, and the libraries that it names.
loader=$(find "$root/usr/lib" "$root/usr/lib64" -name 'ld-linux-*.so.*' | head -n 1)
libraries=$(find "$root/usr/lib" -maxdepth 1 -name '*-linux-gnu')
mkdir -p "$work/nix/bin" "$work/nix/lib"
"$loader" --library-path "$libraries" --list "$root/usr/bin/nix" |
  awk '$2 == "=>" { print $3 }' | xargs cp --dereference --target-directory "$work/nix/lib"
cp --dereference "$loader" "$work/nix/lib/loader"
cp "$root/usr/bin/nix" "$work/nix/bin/nix"
if [ -d "$root/usr/libexec/nix" ]; then cp -r "$root/usr/libexec" "$work/nix/libexec"; fi

# Whole, or not at all.
mkdir -p "$(dirname "$directory")"
rm -rf "$directory.partial"
mv "$work/nix" "$directory.partial"
patchelf --set-interpreter "$directory/lib/loader" --force-rpath --set-rpath "$directory/lib" \
  "$directory.partial/bin/nix"
mv "$directory.partial" "$directory"
"$directory/bin/nix" --version
