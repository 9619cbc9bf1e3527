# The options of one set of services.kapply.
{
  lib,
  dnsLabel,
  guards,
}:
let
  inherit (lib) mkOption types;
in
{
  options = {
    manifests = mkOption {
      type = types.listOf (types.either types.path (types.attrsOf types.anything));
      example = lib.literalExpression ''
        [
          ./manifests # a folder or a file
          {
            apiVersion = "v1";
            kind = "Namespace";
            metadata.name = "hello";
          }
        ]
      '';
      description = ''
        The objects: files and folders of manifests, and objects written in Nix. They end up in
        the world-readable Nix store, so a Secret with a value does not belong here.
      '';
    };

    namespace = mkOption {
      type = dnsLabel;
      default = "default";
      example = "hello";
      description = ''
        The namespace of objects that name none, and of the set itself. It must be there, or
        among the manifests.
      '';
    };

    prune = mkOption {
      type = types.bool;
      default = true;
      description = "Whether what is not among the manifests any more is deleted.";
    };

    allowPrune = mkOption {
      type = types.listOf (types.enum guards);
      default = [ ];
      example = [ "pvcs" ];
      description = ''
        What may be pruned although a guard refuses it: `namespaces` with everything in them,
        `crds` with all their objects, `pvcs` with their data, `most` (more than half of the
        set), or `all` of it. Without this the unit fails, names what it would delete, and
        changes nothing.
      '';
    };

    wait = mkOption {
      type = types.bool;
      default = true;
      description = "Whether the unit waits until everything is ready, and fails if it is not.";
    };

    timeout = mkOption {
      type = types.strMatching "([0-9]+(ms|s|m|h))+";
      default = "5m";
      example = "90s";
      description = "How long it may take until everything is ready.";
    };

    images = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = lib.literalExpression "[ self.packages.x86_64-linux.image ]";
      description = ''
        Archives of images that the manifests use. Every k3s node of this configuration imports
        them (through {option}`services.k3s.images`), so no registry is needed: use the same
        `services.kapply.sets` on all nodes.
      '';
    };

    setImages = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = lib.literalExpression ''
        { hostname-server = self.packages.x86_64-linux.image.imageRef; }
      '';
      description = "Images to put in the place of the manifests' own, by name.";
    };

    forceConflictsWith = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "kubectl-client-side-apply" ];
      description = "Field managers from which fields are taken over where both want another value.";
    };
  };
}
