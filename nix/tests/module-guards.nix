# services.kapply where it must not go on: a guard refuses until an option allows it, for a set that
# changes and for one that left, and an API server that does not answer is waited for, not for ever.
{ pkgs, lib, ... }:
let
  note = namespace: name: {
    apiVersion = "v1";
    kind = "ConfigMap";
    metadata = { inherit name namespace; };
    data.text = "from the configuration";
  };
  notes = names: { manifests = map (note "default") names; };

  # The namespace is the set's own: it goes with the set, and everything in it with it.
  room = {
    manifests = [
      {
        apiVersion = "v1";
        kind = "Namespace";
        metadata.name = "room";
      }
      (note "room" "inside")
    ];
  };

  # What the set `notes` is, and whatever else is said; the set `room` is not declared any more.
  without = names: more: {
    configuration = lib.mkMerge [
      { services.kapply.sets = lib.mkForce { notes = notes names; }; }
      more
    ];
  };
in
{
  imports = [ ./lib/cluster.nix ];
  name = "module-guards";
  cluster = {
    agents = 0;
    images = [ ];
  };

  nodes.server = {
    environment.systemPackages = [ pkgs.nftables ];
    services.kapply = {
      enable = true;
      server = "server";
      sets = {
        notes = lib.mkDefault (notes [
          "one"
          "two"
        ]);
        inherit room;
      };
    };
    specialisation = {
      replaced.configuration.services.kapply.sets.notes = notes [ "other" ];
      allowed.configuration.services.kapply.sets.notes = notes [ "other" ] // {
        allowPrune = [ "most" ];
      };
      left = without [ "other" "more" ] { };
      left-allowed = without [ "other" "more" ] {
        services.kapply.allowPruneUndeclared = [ "namespaces" ];
      };
      impatient = without [ "other" "more" "late" ] {
        services.kapply.apiTimeout = 1;
        systemd.services.kapply = {
          startLimitBurst = lib.mkForce 2;
          serviceConfig.RestartSec = lib.mkForce 2;
        };
      };
      patient = without [ "other" "more" "late" ] { services.kapply.apiTimeout = 60; };
    };
  };

  script = ''
    up(NODES)
    booted = server.succeed("readlink -f /run/current-system").strip()


    def switch(specialisation: str) -> tuple[int, str]:
        return server.execute(f"{booted}/specialisation/{specialisation}/bin/switch-to-configuration test 2>&1")


    def said(words: str) -> int:
        """How often the unit has said it."""
        return server.succeed("journalctl --no-pager --unit=kapply").count(words)


    def noted() -> list[str]:
        names = server.succeed("kubectl get configmaps -o name").split()
        return sorted(name.split("/")[1] for name in names if name != "configmap/kube-root-ca.crt")


    server.wait_for_unit("kapply")
    assert noted() == ["one", "two"], noted()

    with subtest("more than half of a set is deleted once allowPrune says so, and not before"):
        code, output = switch("replaced")
        assert code != 0, output
        assert said("services.kapply.sets.notes.allowPrune") == 1
        assert noted() == ["one", "two"], noted()
        code, output = switch("allowed")
        assert code == 0, output
        assert noted() == ["other"], noted()

    with subtest("a set that left keeps its namespace, and the unit names the option; the others are applied"):
        code, output = switch("left")
        assert code != 0, output
        assert said("services.kapply.allowPruneUndeclared") == 1
        assert noted() == ["more", "other"], noted()
        server.succeed("kubectl get configmap inside --namespace=room", "kapply sets -A | grep nixos.room")

    with subtest("and goes with it once allowPruneUndeclared says so"):
        code, output = switch("left-allowed")
        assert code == 0, output
        server.fail("kubectl get namespace room")
        server.fail("kapply sets -A | grep nixos.room")

    # Nobody but root reaches the API server any more; the unit is not root.
    cut = "table inet cut { chain out { type filter hook output priority 0; meta skuid != 0 tcp dport 6443 reject; }; }"

    with subtest("an API server that does not answer fails the unit, which is tried again, and then no more"):
        server.succeed(f"nft '{cut}'")
        code, output = switch("impatient")
        assert code != 0, output
        server.wait_until_succeeds(
            "test $(journalctl --no-pager --unit=kapply | grep --count services.kapply.apiTimeout) = 2"
            " && systemctl show kapply --property=ActiveState | grep failed",
            timeout=60,
        )
        assert noted() == ["more", "other"], noted()

    with subtest("one that answers late is waited for"):
        server.succeed("systemd-run --collect --unit=mend --setenv=PATH=$PATH sh -c 'sleep 2; nft delete table inet cut'")
        code, output = switch("patient")
        assert code == 0, output
        server.fail("nft list table inet cut")
        assert said("services.kapply.apiTimeout") == 2
        assert noted() == ["late", "more", "other"], noted()
  '';
}
