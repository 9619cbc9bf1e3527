# The server's image for these platforms.
{
  mkImage,

  # The server for each platform.
  servers,
}:
mkImage {
  # Nobody's registry: a node that lacks the image cannot pull a stranger's by this name.
  name = "localhost/hostname-server";
  programs = builtins.mapAttrs (_: server: "${server}/bin/hostname-server") servers;
  settings = {
    port = "5000/tcp";
    label = {
      "org.opencontainers.image.title" = "hostname-server";
      "org.opencontainers.image.version" = (builtins.head (builtins.attrValues servers)).version;
    };
    annotation."org.opencontainers.image.licenses" = "MIT OR Apache-2.0";
  };
}
// {
  inherit servers;
}
