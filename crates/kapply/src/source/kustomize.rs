//! `-k DIR`: what `kustomize build` makes of a directory. kustomize has no
//! library outside Go, so the program itself is asked, or kubectl, which holds it.

use std::{
    io,
    path::Path,
    process::{Output, Stdio},
};

use tokio::process::Command;

use super::{
    file::{MAX_BYTES, too_large},
    problem,
    url::is_url,
};
use crate::problem::{File, Problem};

/// Programs that build kustomizations, the first that is there is taken.
const BUILDERS: [(&str, &str); 2] = [("kustomize", "build"), ("kubectl", "kustomize")];
/// How much of a builder's complaint is passed on, in characters from its end.
const MAX_COMPLAINT: usize = 4000;

/// The objects of a kustomization as one text.
pub(super) async fn build(directory: &Path) -> Result<File, Problem> {
    let shown = directory.to_string_lossy();
    let name = format!("{shown} (kustomize)");
    if is_url(&shown) {
        return Err(problem(
            &name,
            "-k takes a directory of this machine; clone what the URL names, and give its directory",
        ));
    }
    if !directory.is_dir() {
        return Err(problem(&name, "-k takes a directory, and this is none"));
    }
    for (program, verb) in BUILDERS {
        let output = Command::new(program)
            .arg(verb)
            .arg(directory)
            .stdin(Stdio::null())
            // An interrupted run leaves no builder behind.
            .kill_on_drop(true)
            .output()
            .await;
        match output {
            Ok(output) => return built(&name, &format!("{program} {verb}"), output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(problem(&name, format!("cannot run {program}: {error}")));
            }
        }
    }
    Err(problem(
        &name,
        "neither kustomize nor kubectl is on the PATH; install one of them, or build elsewhere and pipe the result into -f -",
    ))
}

fn built(name: &str, command: &str, output: Output) -> Result<File, Problem> {
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.trim();
    if !output.status.success() {
        let skipped = complaint.chars().count().saturating_sub(MAX_COMPLAINT);
        let complaint: String = complaint.chars().skip(skipped).collect();
        return Err(problem(
            name,
            format!("`{command}` failed ({}): {complaint}", output.status),
        ));
    }
    if !complaint.is_empty() {
        tracing::info!("{command}: {complaint}");
    }
    if output.stdout.len() as u64 > MAX_BYTES {
        return Err(problem(name, too_large(MAX_BYTES)));
    }
    Ok(File::read(name, output.stdout))
}
