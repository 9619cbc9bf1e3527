# Lists.
rec {
  inherit (builtins)
    all
    any
    concatLists
    concatMap
    elem
    filter
    head
    isList
    length
    ;
  flatten = value: if isList value then concatMap flatten value else [ value ];
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  toList = value: if isList value then value else [ value ];
  unique = builtins.foldl' (seen: one: if elem one seen then seen else seen ++ [ one ]) [ ];
}
