# What a builder does: hooks of its inputs, then either its one command or its phases.
export HOME=/homeless-shelter TZ=UTC LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=315532800
export PATH=$hostPath
: "${outputs:=out}"

for input in $nativeBuildInputs $buildInputs; do
  if [ -d "$input/bin" ]; then PATH=$input/bin:$PATH; fi
  if [ -f "$input/nix-support/setup-hook" ]; then source "$input/nix-support/setup-hook"; fi
done

runHook() {
  if declare -F "$1" >/dev/null; then "$1"; else eval "${!1:-}"; fi
}

phase() {
  echo "phase: $1"
  if [ -n "${!1+set}" ]; then eval "${!1}"; else "$1"; fi
}

unpackPhase() {
  cp -r --no-preserve=ownership "$src" source
  chmod -R u+w source
  cd source
}

set -o pipefail
cd "$NIX_BUILD_TOP"
if [ -n "${buildCommandPath:-}" ]; then
  source "$buildCommandPath"
elif [ -n "${buildCommand:-}" ]; then
  eval "$buildCommand"
else
  phase unpackPhase
  phase configurePhase
  phase buildPhase
  if [ -n "${doCheck:-}" ]; then phase checkPhase; fi
  phase installPhase
fi
