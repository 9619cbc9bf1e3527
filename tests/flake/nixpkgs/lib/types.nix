# Types of options: what they take, and how several definitions become one value.
{
  attrs,
  evalModules,
  lists,
  mergeAs,
  text,
}:
let
  inherit (builtins)
    all
    attrNames
    concatLists
    elem
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    ;

  show = text.concatStringsSep ".";

  one =
    location: values:
    if length values == 1 || all (value: value == head values) values then
      head values
    else
      throw "The option `${show location}' has conflicting definition values.";

  simple = description: check: {
    inherit description check;
    merge = one;
    getSubOptions = _: { };
  };

  # What a type that holds others says of them.
  phrase = type: if type.isPhrase or false then "(${type.description})" else type.description;

  joined =
    separator:
    simple "strings that are joined" isString
    // {
      merge = _: text.concatStringsSep separator;
    };

  isPackage = value: isAttrs value && value.type or "" == "derivation";
  isPathLike = value: isPath value || isPackage value || isString value && text.hasPrefix "/" value;
  union = sets: attrNames (builtins.foldl' (all: set: all // set) { } sets);

  attrsOf = element: {
    description = "attribute set of ${phrase element}";
    getSubOptions = path: element.getSubOptions (path ++ [ "<name>" ]);
    check = isAttrs;
    merge =
      location: sets:
      let
        definitions = name: lists.concatMap (set: lists.optional (set ? ${name}) set.${name}) sets;
        merged = attrs.genAttrs (union sets) (
          name: mergeAs element (location ++ [ name ]) (definitions name)
        );
        # A definition under mkIf false is none.
        some =
          name:
          mergeAs {
            check = _: true;
            merge = _: values: values != [ ];
          } location (definitions name);
      in
      attrs.filterAttrs (name: _: some name) merged;
  };

  either = first: second: {
    description = "${phrase first} or ${phrase second}";
    isPhrase = true;
    getSubOptions = _: { };
    check = value: first.check value || second.check value;
    merge =
      location: values:
      if all first.check values then first.merge location values else second.merge location values;
  };

  submoduleWith =
    {
      modules,
      specialArgs ? { },
      ...
    }:
    {
      description = "submodule";
      isPhrase = true;
      getSubOptions =
        path:
        builtins.foldl' (
          all: module:
          all // (if isFunction module then module { name = lists.last path; } else module).options
        ) { } modules;
      check = value: isAttrs value || isFunction value || isPath value;
      merge =
        location: values:
        builtins.removeAttrs
          (evalModules {
            inherit location;
            modules = modules ++ values;
            specialArgs = specialArgs // {
              name = lists.last location;
            };
          }).config
          [ "_module" ];
    };

  between =
    least: most:
    simple "integer between ${toString least} and ${toString most} (both inclusive)" (
      value: isInt value && value >= least && value <= most
    );
in
rec {
  inherit attrsOf either submoduleWith;
  lazyAttrsOf = attrsOf;
  raw = simple "anything" (_: true) // {
    merge = _: head;
  };
  unspecified = raw;
  bool = simple "boolean" isBool;
  int = simple "integer" isInt;
  float = simple "number" builtins.isFloat;
  str = simple "string" isString;
  nonEmptyStr = simple "string that is not empty" (value: isString value && value != "");
  singleLineStr = str;
  strMatching =
    pattern:
    simple "string matching the pattern ${pattern}" (
      value: isString value && builtins.match pattern value != null
    );
  lines = joined "\n";
  commas = joined ",";
  package = simple "package" isPackage;
  path = simple "absolute path" isPathLike;
  port = between 0 65535 // {
    description = "16 bit unsigned integer; between 0 and 65535 (both inclusive)";
  };
  ints = {
    inherit between;
    positive = simple "positive integer" (value: isInt value && value > 0);
    unsigned = simple "integer that is not negative" (value: isInt value && value >= 0);
  };
  enum =
    values:
    simple "one of ${text.concatMapStringsSep ", " builtins.toJSON values}" (value: elem value values)
    // {
      isPhrase = true;
    };
  nullOr = element: {
    description = "null or ${phrase element}";
    isPhrase = true;
    getSubOptions = _: { };
    check = value: value == null || element.check value;
    merge =
      location: values: if all (value: value == null) values then null else element.merge location values;
  };
  listOf = element: {
    description = "list of ${phrase element}";
    getSubOptions = path: element.getSubOptions (path ++ [ "*" ]);
    check = isList;
    merge =
      location: values: map (value: mergeAs element (location ++ [ "*" ]) [ value ]) (concatLists values);
  };
  nonEmptyListOf = element: listOf element // { check = value: isList value && length value > 0; };
  oneOf = types: builtins.foldl' either (head types) (builtins.tail types);
  submodule = module: submoduleWith { modules = if isList module then module else [ module ]; };
  deferredModule = {
    description = "module";
    getSubOptions = _: { };
    check = _: true;
    merge = _: values: { imports = values; };
  };
  functionTo = _: simple "function" isFunction;
  anything = {
    description = "anything";
    getSubOptions = _: { };
    check = _: true;
    merge =
      location: values:
      if all (value: isAttrs value && !isPackage value) values then
        (attrsOf anything).merge location values
      else if all isList values then
        concatLists values
      else
        one location values;
  };
}
