//! The pages that the tools write are looked at in a browser; this shows that the look sees.

use e2e::look;

#[test]
fn a_look_finds_requests_and_errors() {
    for page in [
        "<img src=http://example.invalid/x.png>",
        "<link rel=stylesheet href=http://192.0.2.1/x.css>",
        "<script>nonsense()</script>",
    ] {
        assert!(!look(page, &[]).wrong.is_empty(), "{page}");
    }
    assert!(look("<p>nothing wrong", &[]).wrong.is_empty());
}
