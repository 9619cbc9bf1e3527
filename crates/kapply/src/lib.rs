//! Server-side apply for Kubernetes.
//!
//! Data passes through stages, one module each:
//!
//! 1. [`source`]: `-f` paths become texts.
//! 2. [`decode`]: texts become [`object::Object`]s that know their file and line.
//! 3. [`connect`] and [`discover`]: which cluster, and which kinds it serves.
//! 4. [`resolve`]: objects become [`resolve::Target`]s: images, resource, namespace.
//!    [`lint`] looks for what cannot work in any cluster.
//! 5. [`schema`] and [`plan`]: what would change, proved or asked of the server.
//! 6. [`apply`]: what was planned is sent in waves. With a [`set`], its parent is
//!    written before that, and afterwards [`delete`] prunes what left the input.
//! 7. [`wait`]: what was applied is watched until it is ready.
//! 8. [`report`]: what happened, for people and for programs; [`status`]: how things are.
//!
//! A program that applies manifests walks the same way:
//!
//! ```no_run
//! # async fn example() -> Result<(), kapply::error::Error> {
//! use std::time::Duration;
//!
//! use kapply::{apply, connect, decode, discover, interrupt::Interrupt, plan, resolve, schema, source, wait};
//!
//! let cluster = connect::connect(&connect::ConnectOptions::default()).await?;
//! let inputs = source::Inputs { paths: vec!["manifests".into()], ..Default::default() };
//! let mut objects = decode::decode(&source::read(&inputs).await?)?;
//! resolve::prepare(&mut objects, &[], &cluster.namespace)?;
//! let catalog = discover::discover(&cluster).await?;
//! let targets = resolve::resolve(objects, &catalog, &resolve::Namespacing::of(&cluster))?;
//! let interrupt = Interrupt::default();
//! let schemas = schema::of_targets(&cluster, &targets).await;
//! let plan = plan::plan(&cluster, &targets, &schemas, &plan::PlanOptions::default(), &interrupt).await;
//! let results = apply::apply(&cluster, &targets, &plan, &apply::ApplyOptions::default(), &interrupt, |_, _| {}).await;
//! assert!(results.iter().all(|applied| applied.outcome.is_applied()));
//! let options = wait::WaitOptions::within(Duration::from_secs(60));
//! let report = wait::wait(&cluster, &targets, &options, &interrupt, |_, _| {}).await;
//! assert_eq!(report.end, wait::End::Ready);
//! # Ok(())
//! # }
//! ```

pub mod apply;
pub mod cli;
pub mod connect;
pub mod decode;
pub mod delete;
pub mod diff;
pub mod discover;
pub mod error;
pub mod fields;
pub mod interrupt;
pub mod lint;
mod live;
pub mod mask;
pub mod migrate;
pub mod object;
pub mod plan;
pub mod preflight;
pub mod problem;
pub mod report;
pub mod resolve;
pub mod schema;
pub mod set;
pub mod source;
mod ssa;
pub mod status;
pub mod wait;
