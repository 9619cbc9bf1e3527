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
  images,
}:
let
  line =
    placeholder: image:
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
        SET = name;
        MANIFESTS = "${manifests}";
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
