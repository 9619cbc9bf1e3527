{
  description = "A service that stays up when a node goes down";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # Where you found this template.
    hostname-stack.url = "github:OWNER/hostname-stack";
    hostname-stack.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, hostname-stack, ... }:
    let
      perSystem = nixpkgs.lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ];
    in
    {
      packages = perSystem (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};

          greeter = pkgs.callPackage ./package.nix { };

          image = hostname-stack.lib.mkImage {
            inherit pkgs;
            name = "localhost/greeter";
            program = greeter;
            settings.port = "8080/tcp";
          };

          # deploy, diff, plan, publish, destroy, drill
          commands = hostname-stack.lib.mkDeploy {
            inherit pkgs;
            name = "greeter";
            manifests = ./manifests;
            images.greeter = image;
          };
        in
        commands
        // {
          inherit greeter image;
          default = commands.deploy;
        }
      );
    };
}
