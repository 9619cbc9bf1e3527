# Makes a k3s cluster notice a lost node in seconds instead of minutes.
{ ... }:
{ config, lib, ... }:
let
  inherit (lib) mkOption types;

  cfg = config.services.k3s-failover;
  inherit (config.services) k3s;

  seconds = n: "${toString n}s";
in
{
  options.services.k3s-failover = {
    enable = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether k3s notices a lost node in seconds. Enable it on every node of the cluster with the
        same values: the kubelets' come from each node's configuration, the control plane's from the
        servers'. With the defaults a node is NotReady about 16 seconds after it was lost, and its
        pods are replaced 5 seconds later; stock k3s takes about 50 seconds and 5 minutes.
      '';
    };

    leaseDuration = mkOption {
      type = types.ints.between 4 40;
      default = 8;
      example = 4;
      description = ''
        Seconds that a node's lease is good for; the kubelet renews it every quarter of it.

        Shorter: a lost node can be noticed sooner. Price: one write to the datastore for each node
        and quarter, which is felt from some hundred nodes on, or on slow disks. Kubernetes' own
        value is 40.
      '';
    };

    gracePeriod = mkOption {
      type = types.ints.between 4 600;
      default = 16;
      example = 40;
      description = ''
        Seconds without a renewal after which the control plane calls a node NotReady. At least
        {option}`services.k3s-failover.leaseDuration`, which allows for three renewals that are late.

        Shorter: traffic leaves a lost node sooner, because its endpoints are taken out then. Price:
        false alarms. A node that is only busy, or cut off for this long, loses its traffic, and its
        pods after the tolerations below. Kubernetes' own value is 50.
      '';
    };

    monitorPeriod = mkOption {
      type = types.ints.between 1 60;
      default = 1;
      description = ''
        Seconds between two looks of the control plane at all leases. It adds up to this much to the
        grace period. Kubernetes' own value is 5.
      '';
    };

    statusFrequency = mkOption {
      type = types.ints.between 1 60;
      default = 4;
      description = ''
        Seconds between two times that a kubelet computes its node's status. It decides how soon a
        node that has come back counts as Ready; a lost node is noticed by its lease. Kubernetes'
        own value is 10.
      '';
    };

    tolerationSeconds = mkOption {
      type = types.ints.between 0 3600;
      default = 5;
      example = 30;
      description = ''
        Seconds that pods stay bound to a node that is NotReady or unreachable, where they do not
        say so themselves. Then they are evicted, and replaced elsewhere.

        Shorter: fewer replicas are missing for less time. Price: a node that comes back by itself
        (a reboot, a cable) finds its pods moved. Kubernetes' own value is 300.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = k3s.enable;
        message = ''
          services.k3s-failover.enable needs services.k3s.enable on this machine: it sets flags of k3s, and without it does nothing.
        '';
      }
      {
        assertion = cfg.gracePeriod >= cfg.leaseDuration;
        message = ''
          services.k3s-failover.gracePeriod is ${seconds cfg.gracePeriod}, less than leaseDuration (${seconds cfg.leaseDuration}), of which leases are renewed every quarter: one that is late would make a healthy node look lost. Raise gracePeriod, or lower leaseDuration.
        '';
      }
      {
        assertion = cfg.monitorPeriod < cfg.gracePeriod;
        message = ''
          services.k3s-failover.monitorPeriod (${seconds cfg.monitorPeriod}) must be shorter than gracePeriod (${seconds cfg.gracePeriod}): the control plane would look too seldom to keep it.
        '';
      }
    ];

    services.k3s = lib.mkIf k3s.enable (
      lib.mkMerge [
        {
          extraKubeletConfig = {
            nodeLeaseDurationSeconds = cfg.leaseDuration;
            nodeStatusUpdateFrequency = seconds cfg.statusFrequency;
          };
        }
        (lib.mkIf (k3s.role == "server") {
          extraFlags = [
            "--kube-controller-manager-arg=node-monitor-grace-period=${seconds cfg.gracePeriod}"
            "--kube-controller-manager-arg=node-monitor-period=${seconds cfg.monitorPeriod}"
            "--kube-apiserver-arg=default-not-ready-toleration-seconds=${toString cfg.tolerationSeconds}"
            "--kube-apiserver-arg=default-unreachable-toleration-seconds=${toString cfg.tolerationSeconds}"
          ];
        })
      ]
    );
  };
}
