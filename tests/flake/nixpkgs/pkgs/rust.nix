# buildRustPackage. Dependencies are a derivation of their own, so that a change in the workspace
# compiles only the workspace.
{
  lib,
  host,
  builders,
}:
let
  # The crates as cargo has downloaded them; the lock file holds their checksums.
  vendor =
    lockFile:
    let
      locked = builtins.filter (package: package ? source) (lib.importTOML lockFile).package;
    in
    builders.runCommand "cargo-vendor-dir"
      {
        checksums = lib.concatMapStrings (
          package: "${package.checksum}  ${package.name}-${package.version}.crate\n"
        ) locked;
        passAsFile = [ "checksums" ];
      }
      ''
        mkdir $out
        cd ${host.crates}
        if [ -s "$checksumsPath" ]; then sha256sum --check --quiet "$checksumsPath"; fi
        while read -r checksum archive; do
          tar --extract --gzip --no-same-owner --file "$archive" --directory $out
          printf '{"files":{},"package":"%s"}' "$checksum" > "$out/''${archive%.crate}/.cargo-checksum.json"
        done < "$checksumsPath"
      '';

  # Manifests without sources.
  manifests =
    src:
    let
      keep =
        path: type:
        if type == "directory" then
          let
            entries = builtins.readDir path;
          in
          lib.any (name: keep "${path}/${name}" entries.${name}) (lib.attrNames entries)
        else
          lib.elem (baseNameOf path) [
            "Cargo.toml"
            "Cargo.lock"
          ];
    in
    builtins.path {
      name = "manifests";
      path = src.outPath;
      filter = keep;
    };

  configure = ''
    export CARGO_HOME=$NIX_BUILD_TOP/cargo-home cargoDepsCopy=$cargoDeps
    mkdir "$CARGO_HOME"
    cat > "$CARGO_HOME/config.toml" <<END
    [source.crates-io]
    replace-with = "vendored-sources"
    [source.vendored-sources]
    directory = "$cargoDeps"
    END
    if [ -n "''${dependencies:-}" ]; then
      cp -a --no-preserve=ownership "$dependencies" target
      chmod -R u+w target
    fi
  '';
  build = ''
    runHook preBuild
    cargo build --quiet --offline --frozen --release --target ${host.triple} \
      -j "''${NIX_BUILD_CORES:-1}" $cargoBuildFlags
  '';
  install = ''
    mkdir -p $out/bin
    find target/${host.triple}/release -maxdepth 1 -type f -executable -exec cp -t $out/bin {} +
  '';

  dependencies =
    environment: package: vendored:
    builders.stdenv.mkDerivation (
      environment
      // package.env or { }
      // {
        name = "${package.pname}-dependencies";
        src = manifests package.src;
        cargoDeps = vendored;
        cargoBuildFlags = package.cargoBuildFlags or [ ];
        # Members are empty here and compiled anew later: nothing of them may stay.
        configurePhase = ''
          ${configure}
          members=$(find . -mindepth 2 -name Cargo.toml -printf '%h\n')
          for member in $members; do
            mkdir -p $member/src
            echo > $member/src/lib.rs
            echo 'fn main() {}' > $member/src/main.rs
          done
        '';
        buildPhase = build;
        installPhase = ''
          for member in $members; do
            name=$(sed -n 's/^name = "\(.*\)"/\1/p;T;q' $member/Cargo.toml)
            find target -maxdepth 4 \( -name "$name-*" -o -name "''${name//-/_}-*" \
              -o -name "lib''${name//-/_}-*" -o -name "$name" -o -name "$name.d" \) \
              -prune -exec rm -rf {} +
          done
          cp -r target $out
        '';
      }
    );
in
{
  # With what the compiler is told by the environment.
  platform = environment: {
    rustLibSrc = builders.absent "rust-lib-src";

    buildRustPackage =
      package:
      let
        vendored = vendor package.cargoLock.lockFile;
      in
      builders.stdenv.mkDerivation (
        environment
        // builtins.removeAttrs package [
          "auditable"
          "cargoLock"
        ]
        // {
          cargoDeps = vendored;
          # Flags that come later, as in a preBuild, would not fit what is compiled already.
          dependencies = if package ? preBuild then null else dependencies environment package vendored;
          configurePhase = configure;
          buildPhase = build;
          installPhase = install;
        }
      );
  };
}
