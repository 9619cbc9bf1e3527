# Strings.
rec {
  inherit (builtins) concatStringsSep stringLength;
  concatStrings = concatStringsSep "";
  concatLines = lines: concatStrings (map (line: "${line}\n") lines);
  concatMapStrings = f: list: concatStrings (map f list);
  concatMapStringsSep =
    separator: f: list:
    concatStringsSep separator (map f list);
  optionalString = condition: text: if condition then text else "";
  hasInfix = infix: text: builtins.replaceStrings [ infix ] [ "" ] text != text;
  hasPrefix = prefix: text: builtins.substring 0 (stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      start = stringLength text - stringLength suffix;
    in
    start >= 0 && builtins.substring start (-1) text == suffix;
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then builtins.substring (stringLength prefix) (-1) text else text;
  removeSuffix =
    suffix: text:
    if hasSuffix suffix text then
      builtins.substring 0 (stringLength text - stringLength suffix) text
    else
      text;
  escapeShellArg = value: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
}
