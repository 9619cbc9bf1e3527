# services.kapply brings the cluster to what the configuration says: at boot, when it changes, and
# when something leaves it.
{
  self,
  pkgs,
  lib,
  ...
}:
let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) image;

  web = {
    namespace = "hello";
    manifests = [
      {
        apiVersion = "v1";
        kind = "Namespace";
        metadata.name = "hello";
      }
      ../../manifests
    ];
    images = [ image ];
    setImages.hostname-server = image.imageRef;
  };

  note = name: {
    apiVersion = "v1";
    kind = "ConfigMap";
    metadata.name = name;
    data.text = "from the configuration";
  };
  notes = names: { manifests = map note names; };
in
{
  imports = [ ./lib/cluster.nix ];
  name = "module";
  cluster = {
    agents = 1;
    # The module's own option brings the image to every node.
    images = [ ];
  };

  defaults.services.kapply = {
    enable = true;
    server = "server";
    sets.web = web;
  };

  nodes.server = {
    services.kapply.sets.notes = lib.mkDefault (notes [
      "one"
      "two"
      "three"
    ]);
    specialisation = {
      fewer.configuration.services.kapply.sets.notes = notes [
        "one"
        "two"
      ];
      other.configuration.services.kapply.sets.notes = notes [ "other" ];
      gone.configuration.services.kapply.sets = lib.mkForce { inherit web; };
    };
  };

  script = ''
    up(NODES)
    booted = server.succeed("readlink -f /run/current-system").strip()


    def switch(specialisation: str) -> tuple[int, str]:
        return server.execute(f"{booted}/specialisation/{specialisation}/bin/switch-to-configuration test 2>&1")


    def noted() -> list[str]:
        names = server.succeed("kubectl get configmaps -o name").split()
        return sorted(name.split("/")[1] for name in names if name != "configmap/kube-root-ca.crt")


    with subtest("at boot the cluster becomes what the configuration says"):
        server.wait_for_unit("kapply")
        assert len(ready_pods()) == 3
        assert noted() == ["one", "three", "two"], noted()

    with subtest("an object that left the configuration is deleted"):
        code, output = switch("fewer")
        assert code == 0, output
        assert noted() == ["one", "two"], noted()

    with subtest("a guard keeps it from deleting most of a set, and the unit names the option"):
        code, output = switch("other")
        assert code != 0, output
        assert "services.kapply.sets.notes.allowPrune" in server.succeed("journalctl --no-pager --unit=kapply")
        assert noted() == ["one", "two"], noted()

    with subtest("a set that left the configuration is deleted, and no other"):
        code, output = switch("gone")
        assert code == 0, output
        assert noted() == [], noted()
        assert len(ready_pods()) == 3

    with subtest("stopping the unit deletes nothing"):
        server.succeed("systemctl stop kapply")
        assert len(ready_pods()) == 3
  '';
}
