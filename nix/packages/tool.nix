# One of the tools, with its completions and manual page.
{
  lib,
  runCommand,
  installShellFiles,
  tools,

  name,
}:
let
  manifest = lib.importTOML (../../crates + "/${name}/Cargo.toml");
in
runCommand "${name}-${tools.version}"
  {
    pname = name;
    inherit (tools) version;
    nativeBuildInputs = [ installShellFiles ];
    meta = tools.meta // {
      inherit (manifest.package) description;
      mainProgram = name;
    };
  }
  ''
    install -Dm755 -t $out/bin ${tools}/bin/${name}
    for shell in bash fish zsh; do
      $out/bin/${name} completions $shell > ${name}.$shell
    done
    $out/bin/${name} man > ${name}.1
    installShellCompletion ${name}.bash ${name}.fish ${name}.zsh
    installManPage ${name}.1
  ''
