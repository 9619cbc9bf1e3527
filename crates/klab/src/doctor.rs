//! `klab doctor`: what of the machine klab needs, tried rather than guessed,
//! and what to do about each thing that is missing.

mod kernel;
mod limits;
mod programs;

use std::fmt::Write as _;

use serde::Serialize;

use crate::state::Folder;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Something will not work, or not for many nodes.
    Warning,
    /// No cluster can start.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// What to do, unless it is as it should be.
    pub fix: Option<String>,
}

impl Finding {
    /// Whether no cluster can start.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.verdict == Verdict::Failed
    }

    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            detail: detail.into(),
            fix: None,
        }
    }

    fn warning(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            fix: Some(fix.into()),
            ..Self::ok(check, detail)
        }
    }

    fn failed(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failed,
            ..Self::warning(check, detail, fix)
        }
    }
}

/// Looks at everything. Needs root, and changes nothing.
#[must_use]
pub fn examine(folder: &Folder) -> Vec<Finding> {
    let mut findings = kernel::examine();
    findings.extend(programs::examine());
    findings.extend(limits::examine(folder));
    findings
}

/// For people.
#[must_use]
pub fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "FAILED",
        };
        let _ = writeln!(
            text,
            "{verdict:<8} {:<16} {}",
            finding.check, finding.detail
        );
        if let Some(fix) = &finding.fix {
            let _ = writeln!(text, "{:<8} {:<16} do: {fix}", "", "");
        }
    }
    text
}
