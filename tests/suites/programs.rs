//! Other people's programs are built before the suites that compare with them: it takes minutes
//! on a machine that never did it, which no test should have to answer for.

use std::process::Command;

use e2e::{cosign, registry_program, registry_programs, run};

#[test]
fn crane_and_the_registries_are_built() {
    let folder = registry_programs();
    run(Command::new(folder.join("crane")).arg("version"), "").exits(0);
    for registry in [folder.join("referrers"), registry_program()] {
        assert!(registry.is_file(), "{}", registry.display());
    }
}

#[test]
fn cosign_is_built() {
    run(Command::new(cosign()).arg("version"), "").exits(0);
}
