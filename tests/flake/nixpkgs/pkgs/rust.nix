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

  common =
    package:
    builtins.removeAttrs package [
      "auditable"
      "cargoLock"
    ];
  # As the package says, and from nothing but its source and its crates.
  faithful =
    package:
    builders.stdenv.mkDerivation (
      common package
      // {
        cargoDeps = vendor package.cargoLock.lockFile;
        # The program lists its crates, as those of nixpkgs do.
        RUSTC_WRAPPER = host.auditable;
        CARGO_AUDITABLE_ORIG_ARGS = builtins.toJSON {
          offline = true;
          locked = true;
          frozen = true;
          config = [ ];
        };
        configurePhase = ''
          export CARGO_HOME=$NIX_BUILD_TOP/cargo-home cargoDepsCopy=$cargoDeps
          mkdir "$CARGO_HOME"
          cat > "$CARGO_HOME/config.toml" <<END
          [source.crates-io]
          replace-with = "vendored-sources"
          [source.vendored-sources]
          directory = "$cargoDeps"
          END
        '';
        buildPhase = ''
          runHook preBuild
          cargo build --quiet --frozen --release --target ${host.triple} \
            -j "''${NIX_BUILD_CORES:-1}" $cargoBuildFlags
        '';
        installPhase = ''
          mkdir -p $out/bin
          find target/${host.triple}/release -maxdepth 1 -type f -executable -exec cp -t $out/bin {} +
        '';
      }
    );

  # The source is this checkout's: cargo goes on where it has compiled already.
  continued =
    package:
    builders.stdenv.mkDerivation (
      common package
      // {
        programs = map (lib.removePrefix "--package=") (package.cargoBuildFlags or [ ]);
        CARGO_HOME = host.cargo;
        configurePhase = ''
          find . -type f -exec sha256sum {} + > ../files
          cd ${host.root}
          sha256sum --check --quiet "$NIX_BUILD_TOP/files"
        '';
        # Another selection would compile crates with other features, anew.
        buildPhase = "cargo build --quiet --frozen --workspace --bins --tests --target-dir ${host.target}";
        installPhase = ''
          mkdir -p $out/bin
          for program in $programs; do cp -t $out/bin ${host.target}/debug/$program; done
        '';
      }
    );

  isOfCheckout =
    package: builtins.readFile package.cargoLock.lockFile == builtins.readFile ../Cargo.lock;
in
{
  # What is deployed.
  faithful.buildRustPackage = faithful;

  # What runs on this machine.
  quick = {
    rustLibSrc = builders.absent "rust-lib-src";
    buildRustPackage = package: (if isOfCheckout package then continued else faithful) package;
  };
}
