# Where k3s pulls images from: mirrors, authorities, plain HTTP, and credentials that never enter the
# Nix store.
{ ... }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;

  cfg = config.services.k3s-registries;
  registries = cfg.registries;
  folder = "/run/k3s-registries";

  registry = {
    options = {
      endpoints = mkOption {
        type = types.listOf (types.strMatching "https?://.+");
        default = [ ];
        example = [ "http://10.0.0.10:5000" ];
        description = ''
          Where images of this registry are pulled from, in this order; the registry's own address
          is tried last. `http://` is plain HTTP.
        '';
      };

      caFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = lib.literalExpression "./registry-ca.pem";
        description = "Certificates of the authorities that the registry's certificate is checked against.";
      };

      skipVerify = mkOption {
        type = types.bool;
        default = false;
        description = "Whether the registry's certificate is not checked at all.";
      };

      credentialsFile = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/run/secrets/registry.json";
        description = ''
          A file on the machine with `{"username": "…", "password": "…"}`. It is read when k3s
          starts, and must not be in the Nix store.
        '';
      };
    };
  };

  # registries.yaml without credentials; JSON is YAML.
  settings = {
    mirrors = lib.mapAttrs (_: one: { endpoint = one.endpoints; }) (
      lib.filterAttrs (_: one: one.endpoints != [ ]) registries
    );
    configs = lib.mapAttrs (_: one: {
      tls =
        lib.optionalAttrs (one.caFile != null) { ca_file = "${one.caFile}"; }
        // lib.optionalAttrs one.skipVerify { insecure_skip_verify = true; };
    }) registries;
  };

  secrets = lib.filterAttrs (_: one: one.credentialsFile != null) registries;

  write = pkgs.writeShellApplication {
    name = "k3s-registries";
    runtimeInputs = [ pkgs.jq ];
    text = ''
      umask 077
      whole=$(cat ${pkgs.writeText "registries.json" (builtins.toJSON settings)})
      ${lib.concatStrings (
        lib.mapAttrsToList (name: one: ''
          whole=$(jq --arg name ${lib.escapeShellArg name} --slurpfile auth ${lib.escapeShellArg one.credentialsFile} \
            '.configs[$name].auth = ($auth[0] | {username, password})' <<<"$whole")
        '') secrets
      )}
      printf '%s\n' "$whole" > ${folder}/registries.yaml
    '';
  };
in
{
  options.services.k3s-registries = {
    registries = mkOption {
      type = types.attrsOf (types.submodule registry);
      default = { };
      example = lib.literalExpression ''
        {
          "registry.example.org" = {
            caFile = ./registry-ca.pem;
            credentialsFile = "/run/secrets/registry.json";
          };
          "10.0.0.10:5000".endpoints = [ "http://10.0.0.10:5000" ];
        }
      '';
      description = "Registries by the name that images have, with their port.";
    };
  };

  config = lib.mkIf (registries != { } && config.services.k3s.enable) {
    assertions = lib.mapAttrsToList (name: one: {
      assertion = one.credentialsFile == null || !lib.hasPrefix builtins.storeDir one.credentialsFile;
      message = ''
        services.k3s-registries.registries."${name}".credentialsFile is in the Nix store, where every user of the machine can read it. Name a file that is put there at run time, such as /run/secrets/registry.json.
      '';
    }) registries;

    services.k3s.extraFlags = [ "--private-registry=${folder}/registries.yaml" ];

    systemd.services.k3s-registries = {
      description = "Registries that k3s pulls from";
      before = [ "k3s.service" ];
      requiredBy = [ "k3s.service" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = lib.getExe write;
        RuntimeDirectory = "k3s-registries";
        RuntimeDirectoryMode = "0700";
        NoNewPrivileges = true;
        PrivateNetwork = true;
        ProtectHome = "read-only";
        ProtectSystem = "strict";
      };
    };
  };
}
