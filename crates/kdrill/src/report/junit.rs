//! junit.xml, as CI systems read it: a test case per promise, in the suite of its drill.

use std::fmt::Write as _;

use super::svg::escape;
use crate::timeline::document::{Document, DrillReport, Outcome};

/// The document as XML for CI systems.
#[must_use]
pub fn xml(document: &Document) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        r#"<testsuites name="kdrill" time="{:.3}">"#,
        document.duration_ms as f64 / 1000.0
    );
    for drill in &document.drills {
        suite(&mut text, drill);
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite(text: &mut String, drill: &DrillReport) {
    let seconds = drill.ended_ms.saturating_sub(drill.started_ms) as f64 / 1000.0;
    let broken = drill.checks.iter().filter(|check| !check.held).count();
    let (errors, skipped) = match drill.outcome {
        Outcome::Error | Outcome::Interrupted => (1, 0),
        Outcome::NotRun => (0, 1),
        // A drill that judged nothing proved nothing.
        Outcome::Broken if drill.checks.is_empty() => (1, 0),
        Outcome::Held | Outcome::Broken => (0, 0),
    };
    let _ = writeln!(
        text,
        r#"  <testsuite name="{}" tests="{}" failures="{broken}" errors="{errors}" skipped="{skipped}" time="{seconds:.3}">"#,
        escape(&drill.name),
        drill.checks.len() + errors + skipped,
    );
    for check in &drill.checks {
        let _ = write!(
            text,
            r#"    <testcase classname="{}" name="{}""#,
            escape(&drill.name),
            escape(&check.promise)
        );
        let found = format!("{} (allowed: {})", check.measured, check.limit);
        if check.held {
            text.push_str("/>\n");
        } else {
            let _ = writeln!(
                text,
                r#"><failure message="{}"/></testcase>"#,
                escape(&found)
            );
        }
    }
    if errors + skipped > 0 {
        let element = if errors > 0 { "error" } else { "skipped" };
        let _ = writeln!(
            text,
            r#"    <testcase classname="{}" name="{}"><{element} message="{}"/></testcase>"#,
            escape(&drill.name),
            escape(&drill.promise),
            escape(drill.error.as_deref().unwrap_or(drill.outcome.word())),
        );
    }
    text.push_str("  </testsuite>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::document::Check;

    fn fixture() -> Document {
        serde_json::from_str(include_str!("../../tests/fixtures/timeline.json")).unwrap()
    }

    #[test]
    fn every_promise_is_a_case_and_a_broken_one_says_what_was_found() {
        let mut document = fixture();
        let checks: usize = document.drills.iter().map(|drill| drill.checks.len()).sum();
        assert_eq!(xml(&document).matches("<testcase ").count(), checks);
        assert!(!xml(&document).contains("<failure"));

        document.drills[0].checks[0] = Check {
            promise: "a < b & \"c\"".to_owned(),
            measured: "3 of 4".to_owned(),
            limit: "all".to_owned(),
            held: false,
        };
        let text = xml(&document);
        assert!(
            text.contains(
                "name=\"a &lt; b &amp; &quot;c&quot;\"><failure message=\"3 of 4 (allowed: all)\"/>"
            ),
            "{text}"
        );
        assert!(text.contains("failures=\"1\""));
    }

    #[test]
    fn a_drill_that_did_not_run_is_skipped_and_one_that_could_not_is_an_error() {
        let mut document = fixture();
        document.drills[0].checks.clear();
        document.drills[0].outcome = Outcome::NotRun;
        document.drills[1].outcome = Outcome::Error;
        document.drills[1].error = Some("it \u{2039}broke\u{203a}".to_owned());
        let text = xml(&document);
        assert!(text.contains("<skipped message=\"not run\"/>"), "{text}");
        assert!(text.contains("<error message=\"it ‹broke›\"/>"), "{text}");
    }
}
