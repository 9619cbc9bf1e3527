# The image once more, its server compiled in another folder by another number of jobs: the same
# bytes.
{
  runCommand,

  hostname-server,
  image,
  mkImage,
}:
let
  again = import ../packages/image.nix {
    inherit mkImage;
    servers = builtins.mapAttrs (
      _: server:
      server.overrideAttrs (old: {
        preBuild = ''
          cp -r . "$NIX_BUILD_TOP/elsewhere"
          cd "$NIX_BUILD_TOP/elsewhere"
          export NIX_BUILD_CORES=1
        ''
        + old.preBuild;
      })
    ) image.servers;
  };
in
runCommand "image-reproducible" { } ''
  cmp ${image.digest} ${again.digest}
  cmp ${hostname-server}/bin/hostname-server ${(builtins.head (builtins.attrValues again.servers))}/bin/hostname-server
  # Their tags differ, being made of how they were built.
  diff --recursive --exclude index.json ${image.layout} ${again.layout}
  cp ${image.digest} $out
''
