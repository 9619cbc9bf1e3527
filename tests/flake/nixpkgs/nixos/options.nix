# The options of NixOS that this repository's modules and tests set, as far as they are read here.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  set = mkOption {
    type = types.attrsOf types.anything;
    default = { };
  };
  list =
    type:
    mkOption {
      type = types.listOf type;
      default = [ ];
    };
  text = mkOption {
    type = types.lines;
    default = "";
  };
  option =
    type: default:
    mkOption {
      inherit type default;
    };

  unit = types.submodule {
    freeformType = types.attrsOf types.anything;
    options = {
      after = list types.str;
      requires = list types.str;
      wantedBy = list types.str;
      wants = list types.str;
    };
  };
  service = types.submodule {
    freeformType = types.attrsOf types.anything;
    options = {
      after = list types.str;
      environment = set;
      path = list types.package;
      requires = list types.str;
      script = text;
      serviceConfig = set;
      wantedBy = list types.str;
      wants = list types.str;
    };
  };
in
{
  options = {
    assertions = list types.raw;
    warnings = list types.str;

    boot = set;
    users = set;
    virtualisation = set;

    environment = {
      etc = option (types.attrsOf (types.submodule { freeformType = types.attrsOf types.anything; })) { };
      sessionVariables = set;
      systemPackages = list types.package;
      variables = set;
    };

    networking = {
      hostName = option types.str "";
      primaryIPAddress = option types.str "";
      firewall = {
        enable = option types.bool true;
        allowedTCPPorts = list types.port;
        allowedUDPPorts = list types.port;
        trustedInterfaces = list types.str;
      };
      extraHosts = text;
      useDHCP = option types.bool true;
    };

    security.pki.certificateFiles = list types.path;

    systemd = {
      services = option (types.attrsOf service) { };
      sockets = option (types.attrsOf unit) { };
      targets = option (types.attrsOf unit) { };
      timers = option (types.attrsOf unit) { };
      tmpfiles.rules = list types.str;
      tmpfiles.settings = set;
    };

    services.dockerRegistry = {
      enable = option types.bool false;
      enableDelete = option types.bool false;
      listenAddress = option types.str "127.0.0.1";
      port = option types.port 5000;
    };

    services.k3s = {
      enable = option types.bool false;
      package = mkOption { type = types.package; };
      role = option (types.enum [
        "server"
        "agent"
      ]) "server";
      clusterInit = option types.bool false;
      configPath = option (types.nullOr types.path) null;
      disable = list types.str;
      disableAgent = option types.bool false;
      environmentFile = option (types.nullOr types.path) null;
      extraFlags = option (types.either (types.listOf types.str) types.str) [ ];
      extraKubeletConfig = set;
      gracefulNodeShutdown = set;
      images = list types.package;
      manifests = set;
      nodeIP = option (types.nullOr types.str) null;
      nodeLabel = list types.str;
      nodeName = option (types.nullOr types.str) null;
      nodeTaint = list types.str;
      serverAddr = option types.str "";
      token = option types.str "";
      tokenFile = option (types.nullOr types.path) null;
    };

    # Each is a configuration of its own: this one, and what it says.
    specialisation = option (types.attrsOf (
      types.submodule {
        options.configuration = option types.deferredModule { };
      }
    )) { };

    system.build = set;
    system.stateVersion = option types.str "26.05";
  };
}
