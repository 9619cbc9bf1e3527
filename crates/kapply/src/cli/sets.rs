//! `kapply sets`

use super::{Results, exit::Exit, output};
use crate::{
    connect::{ConnectOptions, connect},
    discover::discover,
    error::Error,
    report,
    set::inventory,
};

pub(super) const EXAMPLES: &str = "Examples:
  kapply sets -n shop
  kapply sets -A -o json

Shows the sets of every tool that follows the ApplySet specification (kubectl, too).
Members that a controller made are not counted.";

/// Flags of `kapply sets`.
#[derive(Debug, clap::Args)]
pub(super) struct SetsCommand {
    /// Sets of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// How to print the sets
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
}

impl SetsCommand {
    pub(super) async fn run(self, options: &ConnectOptions) -> Result<Exit, Error> {
        let cluster = connect(options).await?;
        let catalog = discover(&cluster).await?;
        let namespace = (!self.all_namespaces).then_some(cluster.namespace.as_str());
        let sets = inventory::sets(&cluster, &catalog, namespace).await?;
        if self.output == Results::Json {
            output::answer(&format!("{:#}", report::set::sets(&sets)));
        } else if sets.is_empty() {
            let place = namespace.map_or_else(String::new, |name| {
                format!(" in namespace {name} (-A looks into all)")
            });
            output::line(&format!("there is no set{place}"));
        } else {
            for line in report::set::table(&sets) {
                output::answer(&line);
            }
        }
        for listed in &sets {
            let faults = listed.faults.iter().chain(listed.members.as_ref().err());
            faults.for_each(|fault| output::warning(&format!("{}: {fault}", listed.parent)));
        }
        Ok(Exit::Done)
    }
}
