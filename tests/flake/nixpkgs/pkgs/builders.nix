# Derivations and nixpkgs' simple builders, made of bash and this machine's tools.
{
  lib,
  host,
  system,
}:
let
  inherit (builtins) filter removeAttrs;

  # nixpkgs joins what is under `env` with the rest, and passes neither of these on.
  unknownToBuilders = [
    "env"
    "meta"
    "passthru"
    "__structuredAttrs"
    "strictDeps"
  ];

  mkDerivation =
    attributes:
    let
      name = attributes.name or "${attributes.pname}-${attributes.version}";
      inputs = kind: filter (one: one != null) (lib.flatten (attributes.${kind} or [ ]));
      drv = derivation (
        removeAttrs attributes unknownToBuilders
        // attributes.env or { }
        // {
          inherit name system;
          builder = "/bin/bash";
          args = [
            "-e"
            ./setup.sh
          ];
          hostPath = lib.concatStringsSep ":" host.path;
          # Another tool makes another derivation.
          hostVersions = builtins.toJSON host.versions;
          nativeBuildInputs = inputs "nativeBuildInputs" ++ inputs "nativeCheckInputs";
          buildInputs = inputs "buildInputs";
        }
      );
      # Each output is the package, too, with what packages have beside their derivation.
      outputs = lib.genAttrs (attributes.outputs or [ "out" ]) (
        output: drv.${output} // extra // { outputSpecified = true; }
      );
      extra = {
        inherit stdenv;
        meta = attributes.meta or { };
        overrideAttrs =
          change:
          mkDerivation (attributes // (if builtins.isFunction change then change attributes else change));
      }
      // attributes.passthru or { }
      // builtins.intersectAttrs {
        pname = null;
        version = null;
        src = null;
      } attributes;
    in
    drv // outputs // extra;

  stdenv = {
    inherit mkDerivation;
    hostPlatform = platform;
    buildPlatform = platform;
    shell = "/bin/bash";
  };
  platform = {
    inherit system;
    isLinux = true;
    parsed.cpu.name = lib.removeSuffix "-linux" system;
    canExecute = other: other.system == system;
  };

  runCommand =
    name: attributes: buildCommand:
    mkDerivation (attributes // { inherit name buildCommand; });

  writeTextFile =
    {
      name,
      text,
      executable ? false,
      destination ? "",
      checkPhase ? "",
      meta ? { },
      passthru ? { },
    }:
    runCommand name
      {
        inherit text meta passthru;
        passAsFile = [ "text" ];
      }
      ''
        target=$out${destination}
        mkdir -p "$(dirname "$target")"
        cp "$textPath" "$target"
        ${lib.optionalString executable ''chmod +x "$target"''}
        ${checkPhase}
      '';
in
{
  inherit stdenv runCommand writeTextFile;
  stdenvNoCC = stdenv;
  runCommandLocal = runCommand;
  runCommandCC = runCommand;

  writeText = name: text: writeTextFile { inherit name text; };

  writeShellApplication =
    {
      name,
      text,
      runtimeInputs ? [ ],
      runtimeEnv ? { },
      meta ? { },
      passthru ? { },
    }:
    writeTextFile {
      inherit name passthru;
      meta = {
        mainProgram = name;
      }
      // meta;
      executable = true;
      destination = "/bin/${name}";
      text = ''
        #!/bin/bash
        set -o errexit
        set -o nounset
        set -o pipefail
        ${lib.concatStrings (
          lib.mapAttrsToList (key: value: "export ${key}=${lib.escapeShellArg value}\n") runtimeEnv
        )}
        export PATH="${lib.makeBinPath runtimeInputs}:$PATH"

        ${text}
      '';
      checkPhase = ''shellcheck "$target"'';
    };

  symlinkJoin =
    {
      name,
      paths,
      postBuild ? "",
      nativeBuildInputs ? [ ],
      meta ? { },
      passthru ? { },
    }:
    runCommand name
      {
        inherit
          paths
          nativeBuildInputs
          meta
          passthru
          ;
      }
      ''
        mkdir -p $out
        for path in $paths; do cp -rs --no-preserve=mode "$path"/. $out; done
        ${postBuild}
      '';

  linkFarm =
    name: entries:
    runCommand name { } (
      "mkdir -p $out\n"
      + lib.concatStrings (
        lib.mapAttrsToList (entry: path: ''
          mkdir -p "$out/$(dirname ${lib.escapeShellArg entry})"
          ln -s ${path} $out/${lib.escapeShellArg entry}
        '') entries
      )
    );

  mkShell =
    {
      packages ? [ ],
      inputsFrom ? [ ],
      shellHook ? "",
      env ? { },
    }:
    mkDerivation {
      name = "nix-shell";
      nativeBuildInputs = packages ++ builtins.concatMap (one: one.nativeBuildInputs or [ ]) inputsFrom;
      inherit env shellHook;
      buildCommand = "export > $out";
    };

  # A package that evaluates and cannot be built here.
  absent =
    name:
    runCommand name { passthru.isAbsent = true; } ''
      echo "${name} is in nixpkgs and not in its stand-in: it cannot be built here" >&2
      exit 1
    '';
}
