//! Which tests run: all, or those whose names contain what was asked for.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use crate::repo::Refusal;

/// The package whose tests need a cluster.
const SUITES: &str = "e2e";

/// A part of the selected tests.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    All,
    Unit,
    Suites,
}

/// The tests to run, and how many there are once they are counted.
#[derive(Debug)]
pub(super) struct Selection {
    filters: Vec<String>,
    counts: (usize, usize),
}

/// The part of `cargo nextest list --message-format json` that is read here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct List {
    rust_suites: BTreeMap<String, Suite>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Suite {
    package_name: String,
    #[serde(rename = "testcases")]
    tests: BTreeMap<String, Test>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Test {
    filter_match: Match,
}

#[derive(Debug, Deserialize)]
struct Match {
    status: String,
}

impl Selection {
    /// Refuses what would be read as an operator of nextest's expressions.
    pub(super) fn new(filters: &[String]) -> Result<Self, Refusal> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-:".contains(c);
        match filters
            .iter()
            .find(|filter| filter.is_empty() || !filter.chars().all(plain))
        {
            Some(bad) => Err(Refusal(format!(
                "filter {bad:?}: use a part of a test's name, of letters, digits, '_', '-' and ':'"
            ))),
            None => Ok(Self {
                filters: filters.to_vec(),
                counts: (0, 0),
            }),
        }
    }

    /// In nextest's language (<https://nexte.st/docs/filtersets/reference/>).
    pub(super) fn expression(&self, part: Part) -> String {
        let scope = match part {
            Part::All => "all()".to_owned(),
            Part::Unit => format!("not package({SUITES})"),
            Part::Suites => format!("package({SUITES})"),
        };
        if self.filters.is_empty() {
            return scope;
        }
        let any: Vec<String> = self
            .filters
            .iter()
            .map(|filter| format!("test(~{filter}) | binary_id(~{filter})"))
            .collect();
        format!("({scope}) & ({})", any.join(" | "))
    }

    /// Counts from nextest's list, and refuses a selection of nothing.
    pub(super) fn count(&mut self, list: &str) -> anyhow::Result<()> {
        let list: List =
            serde_json::from_str(list).context("reading the list of tests from nextest")?;
        let of = |wanted: bool| {
            let suites = list
                .rust_suites
                .values()
                .filter(|suite| (suite.package_name == SUITES) == wanted);
            let tests = suites.flat_map(|suite| suite.tests.values());
            tests
                .filter(|test| test.filter_match.status == "matches")
                .count()
        };
        self.counts = (of(false), of(true));
        if self.counts == (0, 0) {
            return Err(Refusal(format!(
                "no test's name contains {}; see them all with: cargo nextest list --workspace",
                self.filters.join(" or ")
            ))
            .into());
        }
        Ok(())
    }

    /// How many unit tests, and how many tests in suites.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.counts
    }

    pub(super) fn has_suites(&self) -> bool {
        self.counts.1 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"rust-suites": {
        "e2e::stack": {"package-name": "e2e", "testcases": {
            "a": {"filter-match": {"status": "matches"}},
            "b": {"filter-match": {"status": "mismatch", "reason": "expression"}}}},
        "kapply": {"package-name": "kapply", "testcases": {
            "c": {"filter-match": {"status": "matches"}},
            "d": {"filter-match": {"status": "matches"}}}}}}"#;

    fn selection(filters: &[&str]) -> Selection {
        Selection::new(&filters.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_filter_looks_at_tests_and_at_suites() {
        assert_eq!(selection(&[]).expression(Part::Unit), "not package(e2e)");
        assert_eq!(
            selection(&["stack", "x"]).expression(Part::Suites),
            "(package(e2e)) & (test(~stack) | binary_id(~stack) | test(~x) | binary_id(~x))"
        );
    }

    #[test]
    fn matching_tests_are_counted_by_kind() {
        let mut all = selection(&[]);
        all.count(LIST).unwrap();
        assert_eq!(all.counts(), (2, 1));
        assert!(all.has_suites());
    }

    #[test]
    fn a_filter_that_selects_nothing_is_an_error() {
        let error = selection(&["frob"])
            .count(r#"{"rust-suites": {}}"#)
            .unwrap_err();
        assert!(error.is::<Refusal>());
        assert!(
            error
                .to_string()
                .starts_with("no test's name contains frob;"),
            "{error}"
        );
    }

    #[test]
    fn operators_are_refused() {
        for bad in ["", "a)|all(", "a b", "~x"] {
            assert!(Selection::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
