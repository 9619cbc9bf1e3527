# What a NixOS configuration declares for Kubernetes is applied, and what leaves it is deleted.
{ self }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;

  cfg = config.services.kapply;
  inherit (config.services) k3s;

  guards = [
    "namespaces"
    "crds"
    "pvcs"
    "most"
    "all"
  ];

  # As Kubernetes wants the parts of a name.
  dnsLabel = types.strMatching "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

  # What k3s imports; by the name, since nothing has been built yet.
  archiveSuffixes = [
    ".tar"
    ".tar.gz"
    ".tgz"
    ".tar.bz2"
    ".tbz"
    ".tar.lz4"
    ".tar.zst"
    ".tzst"
  ];

  set = import ./kapply/set.nix { inherit lib dnsLabel guards; };

  manifest =
    name: index: given:
    if lib.isAttrs given && !lib.isDerivation given then
      pkgs.writeText "${name}-${toString index}.json" (builtins.toJSON given)
    else
      import ../lib/in-store.nix given;

  parent = name: "${cfg.owner}.${name}";

  arguments =
    name: set:
    [
      "apply"
      "--applyset=${parent name}"
      "--namespace=${set.namespace}"
    ]
    ++ lib.imap0 (index: given: "--filename=${manifest name index given}") set.manifests
    ++ lib.mapAttrsToList (image: ref: "--image=${image}=${ref}") set.setImages
    ++ map (manager: "--force-conflicts-with=${manager}") set.forceConflictsWith
    ++ lib.optional set.prune "--prune"
    ++ lib.optionals set.prune (map (guard: "--allow-prune=${guard}") set.allowPrune)
    ++ lib.optionals set.wait [
      "--wait"
      "--timeout=${set.timeout}"
    ];

  declared = lib.mapAttrsToList (name: set: {
    inherit name;
    inherit (set) namespace;
    parent = parent name;
    arguments = arguments name set;
  }) cfg.sets;

  reconcile = pkgs.writeShellApplication {
    name = "kapply-reconcile";
    runtimeInputs = [
      cfg.package
      pkgs.jq
    ];
    runtimeEnv = {
      KAPPLY_SETS = pkgs.writeText "kapply-sets.json" (builtins.toJSON declared);
      KAPPLY_OWNER = cfg.owner;
      KAPPLY_API_TIMEOUT = toString cfg.apiTimeout;
      KAPPLY_ALLOW_PRUNE = lib.concatStringsSep "," cfg.allowPruneUndeclared;
    };
    text = builtins.readFile ./kapply/reconcile.sh;
  };

  images = lib.unique (lib.concatMap (set: set.images) (lib.attrValues cfg.sets));
  misnamed = lib.filter (
    image: !lib.any (suffix: lib.hasSuffix suffix image.name) archiveSuffixes
  ) images;
  names = map (image: image.name) images;
  isReconciler = config.networking.hostName == cfg.server;
in
{
  options.services.kapply = {
    enable = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether {option}`services.kapply.sets` are applied to the k3s cluster of this machine. On
        {option}`services.kapply.server` a unit applies every set at boot and whenever the
        configuration changes, and deletes the sets that are not declared any more; on the other
        nodes only the images are imported.
      '';
    };

    package = mkOption {
      type = types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.kapply;
      defaultText = lib.literalMD "`packages.kapply` of this flake";
      description = "The package that provides {command}`kapply`.";
    };

    server = mkOption {
      type = types.str;
      example = "server";
      description = ''
        The host name of the k3s server that applies the sets. It is one, so that two configurations
        that are not equally new never take turns; it may be any server of the cluster.
      '';
    };

    owner = mkOption {
      type = dnsLabel;
      default = "nixos";
      description = ''
        Which sets of the cluster belong to this configuration: those whose parent is a Secret named
        `<owner>.<set>`. Of these, the ones that are not declared are deleted. Two NixOS
        configurations that share a cluster need two owners.
      '';
    };

    allowPruneUndeclared = mkOption {
      type = types.listOf (types.enum guards);
      default = [ ];
      example = [ "namespaces" ];
      description = ''
        What may be deleted, although a guard refuses it, of a set that is not declared any more;
        the words are those of {option}`services.kapply.sets.<name>.allowPrune`.
      '';
    };

    kubeconfig = mkOption {
      type = types.str;
      default = "/etc/rancher/k3s/k3s.yaml";
      description = ''
        The kubeconfig with which sets are applied. It is read by systemd and handed to the unit as
        a credential: the unit itself is no root and reads nothing else.
      '';
    };

    apiTimeout = mkOption {
      type = types.ints.between 1 86400;
      default = 300;
      description = "Seconds to wait for the API server to answer before the unit fails.";
    };

    sets = mkOption {
      type = types.attrsOf (types.submodule set);
      default = { };
      example = lib.literalExpression ''
        {
          web = {
            namespace = "hello";
            manifests = [ ./manifests ];
            images = [ self.packages.x86_64-linux.image ];
            setImages.hostname-server = self.packages.x86_64-linux.image.imageRef;
          };
        }
      '';
      description = ''
        What this configuration wants on the cluster, in sets that are applied and pruned apart.
        Each is an ApplySet: {command}`kapply sets -A` lists them.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = k3s.enable;
        message = ''
          services.kapply.enable needs services.k3s.enable on this machine: it applies sets from a k3s server and imports images on k3s nodes. To apply to another cluster, run kapply apply, or the flake's app `deploy`.
        '';
      }
      {
        assertion = isReconciler -> k3s.role == "server";
        message = ''
          services.kapply.server is ${cfg.server}, this machine, whose services.k3s.role is ${k3s.role}: only a server has the kubeconfig of an administrator. Name a machine with role "server".
        '';
      }
      {
        assertion = misnamed == [ ];
        message = ''
          services.kapply.sets.<name>.images: k3s imports only archives whose name says so, and ignores ${
            lib.concatMapStringsSep ", " (image: image.name) misnamed
          }. Give the package a name that ends in one of ${lib.concatStringsSep " " archiveSuffixes}.
        '';
      }
      {
        assertion = lib.allUnique names;
        message = ''
          services.kapply.sets.<name>.images: two different archives have the same name, and k3s would import one of them only: ${lib.concatStringsSep ", " names}. Give them different names.
        '';
      }
    ]
    ++ lib.mapAttrsToList (name: set: {
      assertion = set.manifests != [ ];
      message = ''
        services.kapply.sets.${name}.manifests is empty. To delete what the set has put on the cluster, remove services.kapply.sets.${name} altogether.
      '';
    }) cfg.sets
    ++ lib.mapAttrsToList (name: _: {
      assertion = builtins.match "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?" name != null;
      message = ''
        services.kapply.sets."${name}": the name becomes part of an object's name, so it consists of lower case letters, digits and dashes.
      '';
    }) cfg.sets
    ++ lib.mapAttrsToList (name: set: {
      assertion = set.allowPrune == [ ] || set.prune;
      message = ''
        services.kapply.sets.${name}.allowPrune has no meaning while services.kapply.sets.${name}.prune is false.
      '';
    }) cfg.sets;

    services.k3s.images = images;

    environment.systemPackages = lib.mkIf isReconciler [ cfg.package ];

    systemd.services.kapply = lib.mkIf isReconciler {
      description = "Applies what this configuration declares to the cluster";
      documentation = [ "man:kapply(1)" ];
      wants = [ "k3s.service" ];
      after = [ "k3s.service" ];
      wantedBy = [ "multi-user.target" ];
      # It has no ExecStop: a machine that shuts down deletes nothing.
      startLimitIntervalSec = 3600;
      startLimitBurst = 5;

      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = lib.getExe reconcile;
        LoadCredential = "kubeconfig:${cfg.kubeconfig}";
        CacheDirectory = "kapply";
        Restart = "on-failure";
        RestartSec = 15;
        # A conflict and a guard's refusal are for people to decide.
        RestartPreventExitStatus = "3 5";

        DynamicUser = true;
        CapabilityBoundingSet = [ "" ];
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateTmp = true;
        ProcSubset = "pid";
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectProc = "invisible";
        ProtectSystem = "strict";
        RemoveIPC = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SystemCallArchitectures = "native";
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
        ];
        UMask = "0077";
      };
    };
  };
}
