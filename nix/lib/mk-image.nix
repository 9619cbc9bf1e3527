# An OCI image of static programs, packed by ocipack: the same programs, the same digest.
{
  lib,
  runCommand,
  stdenv,

  ocipack,
}:
let
  platform =
    {
      x86_64-linux = "linux/amd64";
      aarch64-linux = "linux/arm64";
    }
    .${stdenv.hostPlatform.system};
in
{
  # The repository, such as ghcr.io/me/web. Tags are given to it, see `imageTag`.
  name,
  # The package whose main program it is, for this platform; it must be static.
  program ? null,
  # Or the program for each platform, such as { "linux/arm64" = "${package}/bin/web"; }.
  programs ? {
    ${platform} =
      if program == null then
        throw "mkImage: ${name} has no program: give a package as `program`, or `programs` by platform"
      else
        lib.getExe program;
  },
  # Whatever else `ocipack build --help` lists, by its flag's name: a value, a list of values, or
  # pairs such as label = { "org.opencontainers.image.title" = "web"; }.
  settings ? { },
}:
let
  flag =
    option: value:
    if builtins.isAttrs value then
      lib.mapAttrsToList (key: one: "--${option}=${key}=${toString one}") value
    else
      map (one: "--${option}=${toString one}") (lib.toList value);

  flags = lib.escapeShellArgs (
    lib.concatLists (lib.mapAttrsToList flag (settings // { binary = programs; }))
  );

  # As a registry takes it. The tag is the content's.
  baseName =
    if
      builtins.match "[a-z0-9.:_-]+(/[a-z0-9._-]+)*" name == null || lib.hasInfix ":" (baseNameOf name)
    then
      throw "mkImage: \"${name}\" is no name of a repository, such as ghcr.io/me/web: it has lower case letters, digits and . _ - /, and no tag"
    else
      baseNameOf name;

  # Time stamps are the same whenever it was committed; stdenv would say 1980.
  pack = arguments: ''
    SOURCE_DATE_EPOCH=0 ocipack build ${flags} ${arguments}
  '';

  layout = runCommand "${baseName}-layout" { nativeBuildInputs = [ ocipack ]; } (
    pack "--output=$out"
  );

  # Known when this is evaluated, and another one as soon as anything in the image is.
  imageTag = builtins.head (
    builtins.split "-" (baseNameOf (builtins.unsafeDiscardStringContext layout.outPath))
  );
in
# k3s takes files whose names end in .tar, and takes the name that is written inside.
runCommand "${baseName}.tar"
  {
    nativeBuildInputs = [ ocipack ];
    outputs = [
      "out"
      "digest"
    ];
    passthru = {
      inherit imageTag layout;
      imageName = name;
      imageRef = "${name}:${imageTag}";
    };
    meta.description = "The OCI image ${name}";
  }
  ''
    ${pack "--name=${name}:${imageTag} --output=image.tar"}
    ocipack digest image.tar > $digest
    # The name is no part of what the digest covers.
    [ "$(ocipack digest ${layout})" = "$(cat $digest)" ]
    ocipack verify image.tar
    mv image.tar $out
  ''
