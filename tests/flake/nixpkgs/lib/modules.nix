# Modules: options that are declared, definitions that are merged. Files, functions, imports, mkIf,
# mkMerge, priorities and order; a definition of what nobody declared is an error.
{
  attrs,
  lists,
  text,
}:
let
  inherit (builtins) attrNames concatMap mapAttrs;
  inherit (lists) elem filter optional;

  kind = value: if builtins.isAttrs value then value._type or "" else "";
  show = text.concatStringsSep ".";

  defaultPriority = 100;
  optionPriority = 1500;
  defaultOrder = 1000;

  # Brings what is around a set of definitions to each of its members.
  pushDown =
    definition:
    if kind definition == "merge" then
      concatMap pushDown definition.contents
    else if kind definition == "if" then
      map (mapAttrs (_: mkIf definition.condition)) (pushDown definition.content)
    else if kind definition == "override" then
      map (mapAttrs (_: mkOverride definition.priority)) (pushDown definition.content)
    else
      [ definition ];

  # The definitions of one option that count, in order.
  discharge =
    definitions:
    let
      flat =
        priority: order: definition:
        {
          merge = concatMap (flat priority order) definition.contents;
          "if" = if definition.condition then flat priority order definition.content else [ ];
          override = flat definition.priority order definition.content;
          order = flat priority definition.order definition.content;
        }
        .${kind definition} or [ { inherit priority order definition; } ];
      all = concatMap (flat defaultPriority defaultOrder) definitions;
      highest = builtins.foldl' (
        least: one: if one.priority < least then one.priority else least
      ) 9999 all;
      counting = filter (one: one.priority == highest) all;
    in
    map (one: one.definition) (builtins.sort (one: other: one.order < other.order) counting);

  # The value of a type from definitions that may be conditional.
  mergeAs =
    type: location: definitions:
    let
      values = discharge definitions;
      wrong = filter (value: !type.check value) values;
    in
    if wrong == [ ] then
      type.merge location values
    else
      throw "A definition for option `${show location}' is not of type `${type.description}'.";

  option =
    location: declared: definitions:
    let
      all = definitions ++ optional (declared ? default) (mkOverride optionPriority declared.default);
      value =
        if discharge all == [ ] then
          throw "The option `${show location}' was accessed but has no value defined."
        else
          mergeAs (declared.type or types.raw) location all;
    in
    (declared.apply or (x: x)) value;

  types = import ./types.nix {
    inherit
      attrs
      evalModules
      lists
      mergeAs
      text
      ;
  };

  mkOption = declaration: declaration // { _type = "option"; };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOrder = order: content: {
    _type = "order";
    inherit order content;
  };

  # What a module says, whatever form it has.
  normal =
    module:
    let
      isFull = module ? options || module ? config;
    in
    {
      options = module.options or { };
      freeformType = module.freeformType or null;
      config =
        if isFull then
          module.config or { }
        else
          builtins.removeAttrs module [
            "_class"
            "_file"
            "freeformType"
            "imports"
            "key"
          ];
    };

  evalModules =
    {
      modules,
      specialArgs ? { },
      location ? [ ],
    }:
    let
      given = specialArgs // {
        inherit config;
        lib = import ./.;
      };
      argument = name: _: given.${name} or config._module.args.${name};
      collect =
        module:
        let
          loaded = if builtins.isPath module || builtins.isString module then import module else module;
          called =
            if builtins.isFunction loaded then
              loaded (given // mapAttrs argument (builtins.functionArgs loaded))
            else
              loaded;
        in
        [ called ] ++ concatMap collect (called.imports or [ ]);
      collected = map normal (concatMap collect modules);
      freeform = filter (type: type != null) (map (module: module.freeformType) collected);

      arguments._module.args = mkOption {
        type = types.attrsOf types.raw;
        default = { };
      };
      level =
        path: declarations: definitions:
        let
          here = concatMap pushDown definitions;
          inside = name: sets: concatMap (set: optional (set ? ${name}) set.${name}) sets;
          declared = attrNames (builtins.foldl' (all: one: all // one) { } declarations);
          unknown = filter (name: !elem name declared) (
            attrNames (builtins.foldl' (all: one: all // one) { } here)
          );
          known = attrs.genAttrs declared (
            name:
            let
              options = inside name declarations;
            in
            if kind (builtins.head options) == "option" then
              option (path ++ [ name ]) (builtins.foldl' (all: one: all // one) { } options) (inside name here)
            else
              level (path ++ [ name ]) options (inside name here)
          );
          free = attrs.genAttrs unknown (
            name:
            (mergeAs (builtins.head freeform) path [
              { ${name} = mkMerge (inside name here); }
            ]).${name}
          );
          mkMerge = contents: {
            _type = "merge";
            inherit contents;
          };
        in
        if unknown == [ ] then
          known
        else if freeform != [ ] && path == location then
          known // free
        else
          throw "The option `${show (path ++ [ (builtins.head unknown) ])}' does not exist.";

      config = level location ([ arguments ] ++ map (module: module.options) collected) (
        map (module: module.config) collected
      );
    in
    {
      inherit config;
    };
in
{
  inherit
    evalModules
    mkIf
    mkOption
    mkOrder
    mkOverride
    types
    ;
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkForce = mkOverride 50;
  mkDefault = mkOverride 1000;
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;
  mkEnableOption =
    what:
    mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether to enable ${what}.";
    };
  mkPackageOption =
    packages: name: _:
    mkOption {
      type = types.package;
      default = packages.${name};
    };
  # Only documentation asks for these.
  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };
  literalMD = text: {
    _type = "literalMD";
    inherit text;
  };
  modules.importApply = file: arguments: import file arguments;
}
