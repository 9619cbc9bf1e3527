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
    Unit,
    Suites,
}

/// The tests to run, known once nextest has listed what there is.
#[derive(Debug)]
pub(super) struct Selection {
    filters: Vec<String>,
    /// Test binaries that a filter names, by nextest's id: all their tests run.
    binaries: Vec<String>,
    counts: (usize, usize),
    /// The selected tests of each suite.
    suites: BTreeMap<String, usize>,
    left_out: Vec<String>,
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
                binaries: Vec::new(),
                counts: (0, 0),
                suites: BTreeMap::new(),
                left_out: Vec::new(),
            }),
        }
    }

    /// Looks the filters up in nextest's list, and refuses a selection of nothing.
    pub(super) fn resolve(&mut self, list: &str) -> anyhow::Result<()> {
        let list: List =
            serde_json::from_str(list).context("reading the list of tests from nextest")?;
        let names = |text: &str| self.filters.iter().any(|filter| text.contains(filter));
        let mut binaries = Vec::new();
        let mut counts = (0, 0);
        let mut suites = BTreeMap::new();
        for (id, suite) in &list.rust_suites {
            let whole = self.filters.is_empty() || names(id);
            let selected = |(name, test): &(&String, &Test)| {
                test.filter_match.status == "matches" && (whole || names(name))
            };
            let count = suite.tests.iter().filter(selected).count();
            if suite.package_name == SUITES {
                counts.1 += count;
                suites.insert(id.clone(), count);
            } else {
                counts.0 += count;
            }
            if names(id) {
                binaries.push(id.clone());
            }
        }
        if counts == (0, 0) {
            return Err(Refusal(format!(
                "no test's name contains {}; see them all with: cargo nextest list --workspace",
                self.filters.join(" or ")
            ))
            .into());
        }
        (self.binaries, self.counts, self.suites) = (binaries, counts, suites);
        Ok(())
    }

    /// In nextest's language (<https://nexte.st/docs/filtersets/reference/>).
    /// Binaries are named in full: a pattern that matches none is an error there.
    pub(super) fn expression(&self, part: Part) -> String {
        let scope = match part {
            Part::Unit => format!("not package({SUITES})"),
            Part::Suites => format!("package({SUITES})"),
        };
        let left_out = self
            .left_out
            .iter()
            .map(|id| format!(" & not binary_id(={id})"));
        let scope = scope + &left_out.collect::<String>();
        let tests = self.filters.iter().map(|filter| format!("test(~{filter})"));
        let binaries = self.binaries.iter().map(|id| format!("binary_id(={id})"));
        let any: Vec<String> = tests.chain(binaries).collect();
        if any.is_empty() {
            return scope;
        }
        format!("({scope}) & ({})", any.join(" | "))
    }

    /// How many unit tests, and how many tests in suites.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.counts
    }

    /// Whether any test of this suite is selected.
    pub(super) fn has_binary(&self, name: &str) -> bool {
        self.suites
            .get(&suite_id(name))
            .is_some_and(|count| *count > 0)
    }

    /// Selects no test of this suite.
    pub(super) fn leave_out(&mut self, name: &str) {
        let id = suite_id(name);
        self.counts.1 -= self.suites.remove(&id).unwrap_or_default();
        self.left_out.push(id);
    }

    /// Whether nobody asked for certain tests.
    pub(super) fn is_everything(&self) -> bool {
        self.filters.is_empty()
    }

    pub(super) fn has_suites(&self) -> bool {
        self.counts.1 > 0
    }
}

/// As nextest calls it.
fn suite_id(name: &str) -> String {
    format!("{SUITES}::{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"rust-suites": {
        "e2e::stack": {"package-name": "e2e", "testcases": {
            "a": {"filter-match": {"status": "matches"}},
            "b": {"filter-match": {"status": "mismatch", "reason": "ignored"}}}},
        "kapply": {"package-name": "kapply", "testcases": {
            "third": {"filter-match": {"status": "matches"}},
            "d": {"filter-match": {"status": "matches"}}}}}}"#;

    fn selection(filters: &[&str]) -> Selection {
        Selection::new(&filters.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn without_filters_everything_that_is_not_ignored_runs() {
        let mut all = selection(&[]);
        all.resolve(LIST).unwrap();
        assert_eq!(all.counts(), (2, 1));
        assert!(all.has_suites());
        assert_eq!(all.expression(Part::Unit), "not package(e2e)");
    }

    #[test]
    fn a_filter_is_a_part_of_a_tests_or_of_a_binarys_name() {
        let mut some = selection(&["stack", "third"]);
        some.resolve(LIST).unwrap();
        assert_eq!(some.counts(), (1, 1));
        assert_eq!(
            some.expression(Part::Suites),
            "(package(e2e)) & (test(~stack) | test(~third) | binary_id(=e2e::stack))"
        );
    }

    #[test]
    fn a_suite_can_be_left_out() {
        let mut all = selection(&[]);
        all.resolve(LIST).unwrap();
        assert!(all.has_binary("stack") && !all.has_binary("kapply"));
        all.leave_out("stack");
        assert!(!all.has_suites() && !all.has_binary("stack"));
        let expression = all.expression(Part::Suites);
        assert_eq!(expression, "package(e2e) & not binary_id(=e2e::stack)");
    }

    #[test]
    fn a_filter_that_selects_nothing_is_an_error() {
        let error = selection(&["frob"])
            .resolve(r#"{"rust-suites": {}}"#)
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
