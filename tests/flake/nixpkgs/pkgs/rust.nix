# buildRustPackage.
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

  configure = ''
    export CARGO_HOME=$NIX_BUILD_TOP/cargo-home cargoDepsCopy=$cargoDeps
    mkdir "$CARGO_HOME"
    cat > "$CARGO_HOME/config.toml" <<END
    [source.crates-io]
    replace-with = "vendored-sources"
    [source.vendored-sources]
    directory = "$cargoDeps"
    END
  '';
  build = ''
    runHook preBuild
    cargo build --quiet --offline --frozen --release --target ${host.triple} \
      -j "''${NIX_BUILD_CORES:-1}" --target-dir "''${targetFolder:=target}" $cargoBuildFlags
  '';
  install = ''
    mkdir -p $out/bin
    release=$targetFolder/${host.triple}/release
    for program in ''${programs:-$(find $release -maxdepth 1 -type f -executable -printf '%f ')}; do
      cp -t $out/bin $release/$program
    done
  '';
in
{
  # With more that cargo and the builder are told.
  platform = more: {
    rustLibSrc = builders.absent "rust-lib-src";

    buildRustPackage =
      package:
      builders.stdenv.mkDerivation (
        builtins.removeAttrs package [
          "auditable"
          "cargoLock"
        ]
        // {
          cargoDeps = vendor package.cargoLock.lockFile;
          configurePhase = configure;
          buildPhase = build;
          installPhase = install;
        }
        // more package
      );
  };
}
