# What a path is in the store, also when it is called something that no store path can be: "my
# manifests". Packages are there already.
given:
if builtins.isPath given then
  builtins.path {
    name = builtins.replaceStrings [ " " ] [ "-" ] (baseNameOf given);
    path = given;
  }
else
  given
