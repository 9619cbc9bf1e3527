# Attribute sets.
rec {
  inherit (builtins)
    attrNames
    attrValues
    isAttrs
    mapAttrs
    ;
  isDerivation = value: isAttrs value && value.type or "" == "derivation";
  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: builtins.listToAttrs (map (name: nameValuePair name (f name)) names);
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  mapAttrs' = f: set: builtins.listToAttrs (mapAttrsToList f set);
  filterAttrs =
    keep: set:
    builtins.removeAttrs set (builtins.filter (name: !keep name set.${name}) (attrNames set));
  optionalAttrs = condition: set: if condition then set else { };
}
