# The flake's own commands: deploy, see no difference, see drift, repair it, prune, destroy.
{ self, pkgs, ... }:
let
  inherit (pkgs.stdenv.hostPlatform) system;
  inherit (self.packages.${system}) image;
  app = name: self.apps.${system}.${name}.program;

  # The same set without its PodDisruptionBudget.
  fewer = self.lib.mkDeploy {
    inherit pkgs;
    name = "hostname-server";
    manifests = pkgs.runCommand "fewer-manifests" { } ''
      mkdir $out
      cp ${../../manifests}/{deployment,service}.yaml $out
    '';
    images.hostname-server = image;
  };
in
{
  imports = [
    ./lib/cluster.nix
    ./lib/registry.nix
  ];
  name = "deploy-prune";
  script = ''
    up(NODES)
    server.wait_for_unit("docker-registry")
    server.wait_for_open_port(5000)
    where = f"--namespace={NAMESPACE} --registry localhost:5000"
    replicas = f"kubectl get deployment web-deployment --namespace={NAMESPACE} -o jsonpath='{{.spec.replicas}}'"

    with subtest("deploy"):
        server.succeed(f"${app "deploy"} {where} --create-namespace")
        assert len(ready_pods()) == 3

    with subtest("then nothing differs"):
        server.succeed(f"${app "diff"} {where}")

    with subtest("what somebody changes by hand is shown, with the name of who did it"):
        server.succeed(f"kubectl scale deployment web-deployment --namespace={NAMESPACE} --replicas=2")
        code, shown = server.execute(f"${app "diff"} {where} 2>&1")
        assert code != 0, shown
        assert "spec.replicas" in shown and "kubectl" in shown, shown

    with subtest("and taken back by a deploy that says whose it takes"):
        server.succeed(f"${app "deploy"} {where} --force-conflicts-with=kubectl")
        assert server.succeed(replicas) == "3"
        assert len(ready_pods()) == 3

    with subtest("a manifest that is removed is pruned, the rest stays"):
        server.succeed(f"kubectl get poddisruptionbudget web-deployment --namespace={NAMESPACE}")
        server.succeed(f"${pkgs.lib.getExe fewer.deploy} {where}")
        server.fail(f"kubectl get poddisruptionbudget web-deployment --namespace={NAMESPACE}")
        server.succeed(f"kubectl get --namespace={NAMESPACE} deployment/web-deployment service/python-service")

    with subtest("destroy leaves nothing of it"):
        server.succeed(f"${app "destroy"} {where}")
        left = server.succeed(f"kubectl get deployment,service,poddisruptionbudget --namespace={NAMESPACE} -o name")
        assert left.strip() == "", left
  '';
}
