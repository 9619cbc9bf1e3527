//! report.html: one file that needs nothing else, made of the document by a template.

use minijinja::{Environment, context, value::Serde};
use serde::Serialize;

use super::{
    axes,
    placement::{self, short},
    requests::{self, COLOURS},
};
use crate::{
    error::{Error, Result},
    timeline::document::{Document, LoadReport, Outcome},
};

/// The page's template; the name's ending turns escaping on.
const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("template.html");

/// A pod in the legend.
#[derive(Serialize)]
struct Key<'a> {
    name: &'a str,
    short: &'a str,
    colour: usize,
}

/// An event in the table, with its number in the charts if it has one.
#[derive(Serialize)]
struct Row<'a> {
    seconds: String,
    number: Option<usize>,
    text: &'a str,
}

/// Renders the page.
///
/// # Errors
/// [`Error::Render`] when the template and the document do not fit; a defect.
pub fn page(document: &Document) -> Result<String> {
    let mut environment = Environment::new();
    environment.add_filter("seconds", |ms: f64| format!("{:.1}", ms / 1000.0));
    environment.add_filter("ms", |value: f64| format!("{value:.1}"));
    environment.add_filter("number", |value: f64| {
        if value.fract() == 0.0 {
            format!("{value}")
        } else {
            format!("{value:.1}")
        }
    });
    let failed = |error: minijinja::Error| Error::Render(format!("{error:#}"));
    environment.add_template(NAME, TEMPLATE).map_err(failed)?;
    let load = document.load.as_ref();
    let chart = |draw: fn(&Document, &LoadReport) -> String| load.map(|load| draw(document, load));
    let values = context! {
        run => Serde(document),
        date => document.started_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        headline => headline(document),
        recovery => recovery(document),
        stacked => chart(requests::stacked),
        failures => chart(requests::failures),
        latencies => chart(requests::latencies),
        placement => placement::chart(document),
        pods => load.map(|load| Serde(keys(load))),
        rows => Serde(rows(document)),
    };
    environment
        .get_template(NAME)
        .and_then(|template| template.render(values))
        .map_err(failed)
}

fn headline(document: &Document) -> &'static str {
    match document.outcome {
        Outcome::Held => "Every promise held",
        Outcome::Broken => "A promise was broken",
        Outcome::Interrupted => "The run was interrupted",
        Outcome::Error => "A drill could not be carried out",
        Outcome::NotRun => "No drill ran",
    }
}

fn recovery(document: &Document) -> Option<f64> {
    document
        .drills
        .iter()
        .flat_map(|drill| &drill.measurements)
        .find(|measurement| measurement.name == "recovery")
        .map(|measurement| measurement.value)
}

fn keys(load: &LoadReport) -> Vec<Key<'_>> {
    load.pods
        .iter()
        .enumerate()
        .map(|(index, name)| Key {
            name,
            short: short(name),
            colour: index % COLOURS,
        })
        .collect()
}

fn rows(document: &Document) -> Vec<Row<'_>> {
    let notable = axes::notable(document);
    document
        .events
        .iter()
        .map(|event| Row {
            seconds: format!("{:.1}", event.at_ms as f64 / 1000.0),
            number: notable
                .iter()
                .position(|other| std::ptr::eq(*other, event))
                .map(|index| index + 1),
            text: &event.text,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> Document {
        serde_json::from_str(include_str!("../../tests/fixtures/timeline.json")).unwrap()
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let page = page(&fixture()).unwrap();
        for outside in ["src=", "href=", "url(", "@import", "<link", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        // The API server's address is text, not something to load.
        assert_eq!(page.matches("<svg").count(), 4);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }

    #[test]
    fn names_from_the_cluster_are_text() {
        let hostile = "<img onerror=alert(1)>";
        let mut document = fixture();
        document.environment.namespace = hostile.to_owned();
        document.events[0].text = hostile.to_owned();
        document.placement.nodes[0].name = hostile.to_owned();
        document.drills[0].checks[0].measured = hostile.to_owned();
        let load = document.load.as_mut().unwrap();
        load.pods[0] = hostile.to_owned();
        load.intervals[0].pods.insert(hostile.to_owned(), 3);
        let page = page(&document).unwrap();
        assert!(!page.contains("<img"), "a name became an element");
        assert!(page.contains("&lt;img onerror=alert(1)&gt;"));
    }

    #[test]
    fn a_run_without_load_or_drills_has_a_page_too() {
        let mut document = fixture();
        document.load = None;
        document.drills.clear();
        document.events.clear();
        document.placement = crate::timeline::document::Placement::default();
        document.outcome = Outcome::Interrupted;
        let page = page(&document).unwrap();
        assert!(page.contains("The run was interrupted"));
    }

    #[test]
    fn verdicts_and_recovery_are_told() {
        let page = page(&fixture()).unwrap();
        assert!(page.contains("Every promise held"));
        assert!(page.contains("node-loss"));
        let recovery = recovery(&fixture()).unwrap();
        assert!(page.contains(&format!("{recovery:.1}")));
    }
}
