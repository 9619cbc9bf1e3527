# The server as a plain unit of one machine, without Kubernetes.
{ self }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;

  cfg = config.services.hostname-server;

  isIPv6 = lib.hasInfix ":" cfg.address;
  listen = "${if isIPv6 then "[${cfg.address}]" else cfg.address}:${toString cfg.port}";
in
{
  options.services.hostname-server = {
    enable = lib.mkEnableOption "hostname-server, which answers every request with the name of its host";

    package = mkOption {
      type = types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.hostname-server;
      defaultText = lib.literalMD "`packages.hostname-server` of this flake";
      description = "The package that provides {command}`hostname-server`.";
    };

    address = mkOption {
      type = types.strMatching "[0-9.]+|[0-9a-fA-F:.]+";
      default = "0.0.0.0";
      example = "::1";
      description = "The address to listen on; `::` is every address of IPv4 and IPv6.";
    };

    port = mkOption {
      type = types.port;
      default = 5000;
      description = "The TCP port to listen on.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open {option}`services.hostname-server.port` in the firewall.";
    };

    socketActivation = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether systemd listens and hands the socket to the server. Then the server starts with the
        first request, and a restart refuses nobody: clients wait in the socket's queue while one
        process ends and the next one starts.
      '';
    };

    grace = mkOption {
      type = types.ints.between 0 3600;
      default = 5;
      description = ''
        Seconds that the server goes on serving after it was told to stop, with its readiness off,
        so that whatever balances load drops it first. Behind no balancer it can be 0.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall [ cfg.port ];

    systemd.sockets.hostname-server = lib.mkIf cfg.socketActivation {
      description = "Socket of hostname-server";
      wantedBy = [ "sockets.target" ];
      socketConfig.ListenStream = listen;
    };

    systemd.services.hostname-server = {
      description = "Answers every request with the name of this host";
      documentation = [ "man:hostname-server(1)" ];
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      # With a socket, the first request starts it.
      wantedBy = lib.mkIf (!cfg.socketActivation) [ "multi-user.target" ];
      requires = lib.mkIf cfg.socketActivation [ "hostname-server.socket" ];

      serviceConfig = {
        ExecStart =
          "${lib.getExe' cfg.package "hostname-server"} --grace ${toString cfg.grace}"
          + lib.optionalString (!cfg.socketActivation) " --listen ${listen}";
        Restart = "on-failure";
        # What is in flight when the grace is over may take 5 seconds more.
        TimeoutStopSec = cfg.grace + 10;

        DynamicUser = true;
        # It opens no file and no connection: the socket is all it needs.
        AmbientCapabilities = lib.mkIf (!cfg.socketActivation && cfg.port < 1024) [
          "CAP_NET_BIND_SERVICE"
        ];
        CapabilityBoundingSet =
          if !cfg.socketActivation && cfg.port < 1024 then [ "CAP_NET_BIND_SERVICE" ] else [ "" ];
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        MemoryMax = "64M";
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
