//! Registries, where what they hold or where they are is out of the ordinary.

use super::fixture::{Fixture, stdout};
use super::shelf::Shelf;

#[test]
fn there_is_no_proxy_on_the_way_to_the_loopback() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    let image = shelf.image("1", "amd64");
    let reference = format!("{}/web:1", shelf.open());
    let mut command = fixture.command();
    command.args(["digest", &reference, "--retries", "0"]);
    for variable in ["http_proxy", "https_proxy", "all_proxy"] {
        // Nobody is there.
        command.env(variable, "http://127.0.0.1:9");
        command.env(variable.to_uppercase(), "http://127.0.0.1:9");
    }
    let run = command.assert().success();
    assert_eq!(stdout(&run).trim(), image["digest"]);
}
