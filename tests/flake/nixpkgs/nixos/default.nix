# NixOS systems and tests, evaluated and not built: their options are merged, their assertions hold
# or are told, and that is all.
{ lib, pkgs }:
let
  system =
    {
      modules,
      specialArgs ? { },
    }:
    let
      inherit
        (lib.evalModules {
          inherit specialArgs;
          modules = [
            ./options.nix
            { _module.args = { inherit pkgs; }; }
            { services.k3s.package = lib.mkDefault pkgs.k3s; }
          ]
          ++ modules;
        })
        config
        ;
      failed = builtins.filter (one: !one.assertion) config.assertions;
      specialised = builtins.mapAttrs (
        _: one:
        (system {
          inherit specialArgs;
          modules = modules ++ [
            one.configuration
            { specialisation = lib.mkForce { }; }
          ];
        }).toplevel
      ) config.specialisation;
    in
    rec {
      inherit config;
      # What would be installed, for whoever wants to look at it or run parts of it.
      description =
        if failed == [ ] then
          {
            inherit (config)
              environment
              networking
              systemd
              virtualisation
              warnings
              ;
            k3s = builtins.removeAttrs config.services.k3s [ "package" ] // {
              images = builtins.filter (image: !(image.isAbsent or false)) config.services.k3s.images;
            };
            registry = config.services.dockerRegistry;
          }
        else
          throw "Failed assertions:\n${lib.concatMapStringsSep "\n" (one: "- ${one.message}") failed}";
      # The system as a folder; its program asks the machine that runs it to become this system.
      toplevel =
        pkgs.runCommand "nixos-system-${config.networking.hostName}"
          {
            description = builtins.toJSON description;
            passAsFile = [ "description" ];
          }
          ''
            mkdir -p $out/bin $out/specialisation
            cp $descriptionPath $out/system.json
            printf '#!/bin/sh\nexec switch-system %s "$@"\n' $out > $out/bin/switch-to-configuration
            chmod +x $out/bin/switch-to-configuration
            ${lib.concatLines (
              lib.mapAttrsToList (name: path: "ln -s ${path} $out/specialisation/${name}") specialised
            )}
          '';
    };

  testOptions = {
    options =
      let
        inherit (lib) mkOption types;
        module = mkOption {
          type = types.deferredModule;
          default = { };
        };
      in
      {
        name = mkOption { type = types.str; };
        meta = mkOption {
          type = types.attrsOf types.anything;
          default = { };
        };
        nodes = mkOption {
          type = types.attrsOf types.deferredModule;
          default = { };
        };
        defaults = module;
        extraBaseModules = module;
        interactive = module;
        node.specialArgs = mkOption {
          type = types.attrsOf types.raw;
          default = { };
        };
        globalTimeout = mkOption { type = types.int; };
        skipTypeCheck = mkOption {
          type = types.bool;
          default = false;
        };
        testScript = mkOption { type = types.either types.str (types.functionTo types.str); };
      };
  };

  # The address plan of the test driver: nodes are numbered by their names.
  addresses =
    names:
    builtins.listToAttrs (lib.imap1 (n: name: lib.nameValuePair name "192.168.1.${toString n}") names);

  runNixOSTest =
    test:
    let
      inherit
        (lib.evalModules {
          modules = [
            testOptions
            { _module.args = { inherit pkgs; }; }
            test
          ];
        })
        config
        ;
      address = addresses (builtins.attrNames config.nodes);
      systems = builtins.mapAttrs (
        name: node:
        system {
          specialArgs = config.node.specialArgs // {
            inherit name nodes;
          };
          modules = [
            config.defaults
            config.extraBaseModules
            node
            {
              networking.hostName = lib.mkDefault name;
              networking.primaryIPAddress = address.${name};
            }
          ];
        }
      ) config.nodes;
      nodes = builtins.mapAttrs (
        _: one:
        one.config
        // {
          system = one.config.system // {
            build.toplevel = one.toplevel;
          };
        }
      ) systems;
      script =
        if builtins.isFunction config.testScript then
          config.testScript { inherit nodes; }
        else
          config.testScript;
    in
    pkgs.writeText "vm-test-${config.name}.json" (
      builtins.toJSON {
        inherit (config) name globalTimeout;
        testScript = script;
        nodes = builtins.mapAttrs (_: one: one.toplevel) systems;
      }
    )
    // {
      inherit config nodes;
      driverInteractive = pkgs.absent "interactive-driver-of-${config.name}";
    };
in
{
  inherit system runNixOSTest;
}
