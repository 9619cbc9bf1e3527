# Commands that bring images and manifests into a cluster, prove them there, and take them out again.
{
  lib,
  writeShellApplication,

  containerd,
  coreutils,
  jq,
  kubectl,

  kapply,
  kdrill,
  klab,
  ocipack,
}:
{
  # The set that all objects belong to: what leaves the manifests leaves the cluster.
  name,
  # The folder with the manifests.
  manifests,
  # What mkImage made, by the name that the manifests give it in `image:`.
  images ? { },
}:
let
  # It becomes the name of an object of Kubernetes.
  set =
    if builtins.match "[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?" name == null then
      throw "mkDeploy: the set cannot be called \"${name}\": give a name of lower case letters, digits, - and ."
    else
      name;

  folder =
    if
      builtins.isPath manifests
      || manifests ? outPath
      || (builtins.isString manifests && lib.hasPrefix builtins.storeDir manifests)
    then
      import ./in-store.nix manifests
    else
      throw "mkDeploy: `manifests` of ${name} is neither a path, such as ./manifests, nor a package";

  line =
    placeholder: image:
    if !(image ? imageTag && image ? layout) then
      throw "mkDeploy: `images.${placeholder}` of ${name} is no image: make it with mkImage"
    else
      lib.concatStringsSep "\t" [
        placeholder
        image.imageName
        image.imageTag
        "${image}"
        "${image.layout}"
        "${image.digest}"
      ];

  command =
    program: description:
    writeShellApplication {
      name = program;
      runtimeInputs = [
        containerd
        coreutils
        jq
        kapply
        kdrill
        klab
        kubectl
        ocipack
      ];
      runtimeEnv = {
        COMMAND = program;
        SET = set;
        MANIFESTS = "${folder}";
        IMAGES = lib.concatStringsSep "\n" (lib.mapAttrsToList line images);
      };
      text = lib.concatMapStringsSep "\n" builtins.readFile [
        ../deploy/common.sh
        ../deploy/load.sh
        ../deploy/deploy.sh
        ../deploy/diff.sh
        ../deploy/plan.sh
        ../deploy/publish.sh
        ../deploy/destroy.sh
        ../deploy/drill.sh
        ../deploy/main.sh
      ];
      meta = {
        inherit description;
        mainProgram = program;
      };
    };
in
builtins.mapAttrs command {
  deploy = "Publish or load the images, apply the manifests, prune, wait";
  diff = "Show field by field what a deploy would change";
  plan = "Show what a deploy would do, and write it down";
  publish = "Push the images and print their digests";
  destroy = "Delete everything that deploy has brought";
  drill = "Prove under load what the deployment promises";
}
