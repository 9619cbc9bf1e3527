# Files of a folder: a set is a predicate over the path of a file.
{ text }:
let
  inherit (builtins) any isPath;
  within = path: file: file == toString path || text.hasPrefix "${toString path}/" file;
  predicate = set: if isPath set then within set else set;
in
{
  unions = sets: file: any (set: predicate set file) sets;

  fileFilter =
    keep: path: file:
    within path file && keep { name = baseNameOf file; };

  toSource =
    { root, fileset }:
    let
      holds = predicate fileset;
      # A folder is kept if anything in it is: Nix asks about folders before what is in them.
      keep =
        path: type:
        if type == "directory" then
          let
            entries = builtins.readDir path;
          in
          any (name: keep "${path}/${name}" entries.${name}) (builtins.attrNames entries)
        else
          holds path;
    in
    {
      outPath = builtins.path {
        name = "source";
        path = root;
        filter = keep;
      };
    };
}
