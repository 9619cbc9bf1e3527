# Packages, and functions that make them.
{ attrs, text }:
rec {
  callPackageWith =
    available: function: arguments:
    let
      f = if builtins.isFunction function then function else import function;
      wanted = builtins.functionArgs f;
      found = builtins.intersectAttrs wanted available // arguments;
      lacking = builtins.filter (name: !wanted.${name} && !(found ? ${name})) (attrs.attrNames wanted);
    in
    if lacking == [ ] then
      overridable (f found)
    else
      throw "the stand-in for nixpkgs has no ${text.concatStringsSep ", " lacking}";
  # As in nixpkgs, a set that was made this way has more in it than its maker put there.
  overridable =
    made:
    let
      absent = _: throw "the stand-in for nixpkgs overrides nothing";
    in
    if builtins.isAttrs made then
      made
      // {
        override = absent;
        overrideDerivation = absent;
      }
    else
      made;
  getExe =
    package:
    "${package}/bin/${package.meta.mainProgram or (throw "${package.name} has no mainProgram")}";
  getExe' = package: program: "${package}/bin/${program}";
  makeBinPath = text.concatMapStringsSep ":" (package: "${package}/bin");
  licenses = {
    mit.spdxId = "MIT";
    asl20.spdxId = "Apache-2.0";
  };
  platforms.linux = [
    "x86_64-linux"
    "aarch64-linux"
  ];
  sourceTypes.fromSource = { };
}
