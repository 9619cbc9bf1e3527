# The cluster that all tests share: one k3s server and its agents, with the stack's image on every
# node and its tools on the server. A test says what is deployed and gives `script`.
#
# One server without clusterInit keeps its state in sqlite: nothing that a lost agent could take a
# quorum from. Memory: 1.5 GiB for the server and 1 GiB for each agent, 3.5 GiB in all; tests do not
# run side by side on a machine with less than twice that (nix's --max-jobs 1).
{
  config,
  lib,
  pkgs,
  self,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) image kapply kdrill;

  cfg = config.cluster;

  token = pkgs.writeText "k3s-token" "only-machines-of-one-test-can-hear-this";

  # The pods' own parent; k3s would pull it.
  pause = pkgs.dockerTools.buildImage {
    name = "test.local/pause";
    tag = "local";
    config.Entrypoint = [
      "${pkgs.tini}/bin/tini"
      "--"
      "${pkgs.coreutils}/bin/sleep"
      "infinity"
    ];
  };

  machine =
    { config, ... }:
    {
      imports = [ self.nixosModules.default ];

      services.k3s = {
        enable = true;
        tokenFile = token;
        # eth0 is the test driver's.
        nodeIP = config.networking.primaryIPAddress;
        extraFlags = [
          "--flannel-iface=eth1"
          "--pause-image=test.local/pause:local"
        ];
        images = [ pause ] ++ cfg.images;
      };
      services.k3s-failover.enable = true;

      # The API server, flannel, kubelets and NodePorts, between machines that know nobody else.
      networking.firewall.enable = false;
      virtualisation = {
        cores = 2;
        diskSize = 4096;
      };
    };

  server = {
    imports = [ machine ];
    services.k3s = {
      role = "server";
      disable = [
        "coredns"
        "local-storage"
        "metrics-server"
        "servicelb"
        "traefik"
      ];
    };
    environment.systemPackages = [
      kapply
      kdrill
      pkgs.jq
      pkgs.kubectl
    ];
    environment.sessionVariables.KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";
    virtualisation.memorySize = 1536;
  };

  agent =
    { nodes, ... }:
    {
      imports = [ machine ];
      services.k3s = {
        role = "agent";
        serverAddr = "https://${nodes.server.networking.primaryIPAddress}:6443";
      };
      virtualisation.memorySize = 1024;
    };

  agents = map (number: "agent${toString number}") (lib.range 1 cfg.agents);

  flags =
    map (path: "--filename=${import ../../lib/in-store.nix path}") cfg.manifests
    ++ lib.mapAttrsToList (name: ref: "--image=${name}=${ref}") cfg.setImages;

  indented = builtins.replaceStrings [ "\n" ] [ "\n    " ];
in
{
  options = {
    cluster = {
      agents = mkOption {
        type = types.ints.between 0 9;
        default = 2;
        description = "How many agents there are beside the server.";
      };
      namespace = mkOption {
        type = types.str;
        default = "hello";
        description = "Where the stack is deployed.";
      };
      deployment = mkOption {
        type = types.str;
        default = "web-deployment";
        description = "The Deployment that drills are about.";
      };
      service = mkOption {
        type = types.str;
        default = "python-service";
        description = "The Service in front of it.";
      };
      manifests = mkOption {
        type = types.listOf types.path;
        default = [ ../../../manifests ];
        defaultText = lib.literalExpression "[ ./manifests ]";
        description = "The stack's manifests.";
      };
      images = mkOption {
        type = types.listOf types.package;
        default = [ image ];
        defaultText = lib.literalExpression "[ packages.image ]";
        description = "The images that every node imports.";
      };
      setImages = mkOption {
        type = types.attrsOf types.str;
        default.hostname-server = image.imageRef;
        defaultText = lib.literalExpression "{ hostname-server = packages.image.imageRef; }";
        description = "Images to put in the place of the manifests' own, by name.";
      };
    };
    script = mkOption {
      type = types.lines;
      description = ''
        The test, in Python. Beside what the test driver offers it may call the functions of
        `cluster.py`. When it fails, the cluster's state is printed.
      '';
    };
  };

  config = {
    nodes = {
      inherit server;
    }
    // lib.genAttrs agents (_: agent);

    globalTimeout = lib.mkDefault 1200;

    testScript = ''
      NAMESPACE = "${cfg.namespace}"
      DEPLOYMENT = "${cfg.deployment}"
      SERVICE = "${cfg.service}"
      DEPLOY_FLAGS = "${lib.concatStringsSep " " flags}"
      NODES = [${lib.concatStringsSep ", " ([ "server" ] ++ agents)}]

      ${builtins.readFile ./cluster.py}
      try:
          ${indented config.script}
      except Exception:
          explain()
          raise
    '';
  };
}
