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
  allUnique = list: unique list == list;
  imap0 = f: list: builtins.genList (n: f n (builtins.elemAt list n)) (length list);
  imap1 = f: list: builtins.genList (n: f (n + 1) (builtins.elemAt list n)) (length list);
  range = first: last: builtins.genList (n: first + n) (last - first + 1);
  last = list: builtins.elemAt list (length list - 1);
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  toList = value: if isList value then value else [ value ];
  unique = builtins.foldl' (seen: one: if elem one seen then seen else seen ++ [ one ]) [ ];
}
