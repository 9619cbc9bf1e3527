//! Server-side apply for Kubernetes.
//!
//! Data passes through stages, one module each:
//!
//! 1. [`source`]: `-f` paths become texts.
//! 2. [`decode`]: texts become [`object::Object`]s that know their file and line.
//! 3. [`connect`] and [`discover`]: which cluster, and which kinds it serves.
//! 4. [`resolve`]: objects become [`resolve::Target`]s: images, resource, namespace.
//!    [`lint`] looks for what fits no cluster.
//! 5. [`apply`]: everything is dry-run, then sent in waves.
//! 6. [`wait`]: what was applied is watched until it is ready.
//! 7. [`report`]: what happened, for people and for programs.
//!
//! A program that applies manifests walks the same way:
//!
//! ```no_run
//! # async fn example() -> Result<(), kapply::error::Error> {
//! use std::time::Duration;
//!
//! use kapply::{apply, connect, decode, discover, interrupt::Interrupt, resolve, source, wait};
//!
//! let cluster = connect::connect(&connect::ConnectOptions::default()).await?;
//! let inputs = source::Inputs { paths: vec!["manifests".into()], ..Default::default() };
//! let mut objects = decode::decode(&source::read(&inputs).await?)?;
//! resolve::prepare(&mut objects, &[], &cluster.namespace)?;
//! let catalog = discover::discover(&cluster).await?;
//! let targets = resolve::resolve(objects, &catalog, &resolve::Namespacing::of(&cluster))?;
//! let interrupt = Interrupt::default();
//! let results = apply::apply(&cluster, &targets, &apply::ApplyOptions::default(), &interrupt, |_, _| {}).await;
//! assert!(results.iter().all(|applied| applied.outcome.is_applied()));
//! let report = wait::wait(&cluster, &targets, Duration::from_secs(60), &interrupt, |_, _| {}).await;
//! assert_eq!(report.end, wait::End::Ready);
//! # Ok(())
//! # }
//! ```

pub mod apply;
pub mod cli;
pub mod connect;
pub mod decode;
pub mod discover;
pub mod error;
pub mod interrupt;
pub mod lint;
pub mod object;
pub mod plan;
pub mod problem;
pub mod report;
pub mod resolve;
pub mod source;
pub mod wait;
