# Another version of the image is rolled out under load and taken back: no request fails.
{ self, pkgs, ... }:
let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) image hostname-server;

  # The same server as another image.
  next = self.lib.mkImage {
    inherit pkgs;
    name = "localhost/hostname-server-next";
    program = hostname-server;
    settings = {
      port = "5000/tcp";
      label."org.opencontainers.image.version" = "next";
    };
  };
in
{
  imports = [ ./lib/cluster.nix ];
  name = "rollout";
  cluster.images = [
    image
    next
  ];
  script = ''
    up(NODES)
    deploy()
    drill("rollout", "--image-next=${next.imageRef}")
  '';
}
