//! The document of a run, put together from what was recorded.

use std::collections::BTreeMap;

use crate::{
    drills::Stage,
    run::Server,
    timeline::{
        document::{Document, DrillReport, Environment, Outcome, SCHEMA, millis},
        placement, series,
    },
};

/// Makes the document.
#[must_use]
pub fn document(stage: &Stage, server: &Server, drills: Vec<DrillReport>) -> Document {
    let end = stage.timeline.now();
    let history = stage.timeline.history();
    let mut nodes = BTreeMap::new();
    for snapshot in &history {
        nodes.extend(
            snapshot
                .view
                .nodes
                .iter()
                .map(|(name, node)| (name.clone(), node.info.clone())),
        );
    }
    let load = stage.load.as_ref();
    Document {
        schema: SCHEMA.to_owned(),
        outcome: drills
            .iter()
            .map(|drill| drill.outcome)
            .max()
            .unwrap_or(Outcome::NotRun),
        started_at: stage.timeline.started_at(),
        duration_ms: millis(end),
        environment: Environment {
            kdrill: env!("CARGO_PKG_VERSION").to_owned(),
            kubernetes: server.version.clone(),
            server: server.url.clone(),
            namespace: stage.target.namespace.clone(),
            deployment: stage.target.deployment.clone(),
            service: stage.target.service.clone(),
            images: stage
                .target
                .containers
                .iter()
                .map(|(_, image)| image.clone())
                .collect(),
            nodes,
        },
        drills,
        events: stage.timeline.events(),
        load: load.map(|load| series::report(load.options(), &load.samples(), load.unaccounted())),
        placement: placement::rows(&history, end),
    }
}
