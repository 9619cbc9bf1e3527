{
  description = "A service that stays up when a node goes down";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # Where you found this template.
    hostname-stack.url = "github:OWNER/hostname-stack";
    hostname-stack.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      self,
      nixpkgs,
      hostname-stack,
    }:
    let
      perSystem = nixpkgs.lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ];
      pkgsFor = system: nixpkgs.legacyPackages.${system};
      stack = hostname-stack.lib;
    in
    {
      packages = perSystem (
        system:
        let
          pkgs = pkgsFor system;
          greeter = pkgs.callPackage ./package.nix { };
          image = stack.mkImage {
            inherit pkgs;
            name = "localhost/greeter";
            program = greeter;
            settings.port = "8080/tcp";
          };
        in
        # deploy, diff, plan, publish, destroy, drill
        stack.mkDeploy {
          inherit pkgs;
          name = "greeter";
          manifests = ./manifests;
          images.greeter = image;
        }
        // {
          inherit greeter image;
          default = image;
        }
      );

      # Three machines with k3s; it needs KVM.
      checks = perSystem (
        system:
        let
          inherit (self.packages.${system}) image;
        in
        {
          cluster = stack.mkClusterTest {
            pkgs = pkgsFor system;
            name = "greeter";
            cluster = {
              manifests = [ ./manifests ];
              images = [ image ];
              setImages.greeter = image.imageRef;
            };
            script = ''
              up(NODES)
              deploy()
              address = server.succeed(
                  f"kubectl get service greeter --namespace={NAMESPACE} -o jsonpath='{{.spec.clusterIP}}'"
              )
              assert "Hello!" in server.succeed(f"curl --fail --silent http://{address}/")
            '';
          };
        }
      );
    };
}
