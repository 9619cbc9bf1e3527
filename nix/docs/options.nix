# docs/nixos-options.md, from the options that the modules declare.
{
  lib,
  pkgs,
  self,
}:
let
  folder = ../modules;
  files = lib.filter (lib.hasSuffix ".nix") (lib.attrNames (builtins.readDir folder));

  # Only what is declared: no configuration is asked for.
  declared =
    file:
    (import (folder + "/${file}") { inherit self; } {
      inherit lib pkgs;
      config = throw "a declaration of nix/modules/${file} depends on the configuration";
    }).options;

  isOption = tree: tree._type or "" == "option";

  # [{ name, option }] of a tree of options, and of what is inside of them.
  walk =
    path: tree:
    if isOption tree then
      [
        {
          name = lib.concatStringsSep "." path;
          option = tree;
        }
      ]
      ++ walk path (removeAttrs (tree.type.getSubOptions path) [ "_module" ])
    else
      lib.concatMap (name: walk (path ++ [ name ]) tree.${name}) (lib.attrNames tree);

  show =
    value:
    if value ? text && value ? _type then
      value.text
    else if builtins.isList value then
      if value == [ ] then "[ ]" else "[ ${lib.concatMapStringsSep " " show value} ]"
    else if builtins.isAttrs value then
      if value == { } then
        "{ }"
      else
        "{ ${lib.concatStrings (lib.mapAttrsToList (name: one: "${name} = ${show one}; ") value)}}"
    else
      builtins.toJSON value;

  # Documentation of options has roles, which Markdown has not.
  plain = builtins.replaceStrings [ "{option}`" "{command}`" "{file}`" ] [ "`" "`" "`" ];

  # On the line, or below it if there are several.
  code =
    label: text:
    let
      trimmed = lib.removeSuffix "\n" text;
    in
    if lib.hasInfix "\n" trimmed then
      "${label}:\n\n```nix\n${trimmed}\n```\n"
    else
      "${label}: `${trimmed}`\n";

  given =
    option:
    if option ? defaultText then
      # Prose, or an expression.
      "Default: ${plain (lib.removeSuffix "\n" (show option.defaultText))}\n"
    else if option ? default then
      code "Default" (show option.default)
    else
      "Has to be given.\n";

  section = { name, option }: ''
    ### `${name}`

    ${lib.removeSuffix "\n" (plain option.description)}

    Type: ${option.type.description}

    ${given option}${lib.optionalString (option ? example) "\n${code "Example" (show option.example)}"}
  '';

  sections =
    file:
    "## ${lib.removeSuffix ".nix" file}\n\n"
    + lib.concatMapStringsSep "\n" section (walk [ ] (declared file));
in
''
  # Options of the NixOS modules

  What they are for stands in [nixos.md](nixos.md). This file is generated from `nix/modules`:
  `nix build .#checks.x86_64-linux.nixos-options` says whether it still fits, and how to renew it.

  ${lib.concatMapStringsSep "\n" sections files}''
