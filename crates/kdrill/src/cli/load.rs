//! `kdrill load`: the generator by itself.

use std::{net::IpAddr, time::Duration};

use clap::Args;

use crate::{
    limits::duration,
    load::{
        aim::NameService,
        generate::{self, Connections},
    },
};

/// `kdrill load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// http://HOST:PORT/PATH
    #[arg(long, value_name = "URL")]
    pub target: String,
    /// Ask this name server for HOST, for each fresh connection anew
    #[arg(long, value_name = "IP")]
    pub name_server: Option<IpAddr>,
    /// A domain in which HOST is asked for before it is asked for as it is (repeatable)
    #[arg(long, value_name = "DOMAIN", requires = "name_server")]
    pub search: Vec<String>,
    /// Requests due in each second
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=i64::from(generate::HIGHEST_RATE)))]
    pub rate: u32,
    /// Which connections requests use
    #[arg(long, value_enum, default_value_t)]
    pub connections: Connections,
    /// How long a request may take
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub timeout: Duration,
    /// Requests in flight at once; what falls due beyond fails as overload
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub max_in_flight: usize,
    /// End after this, even if standard input stays open
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub max_duration: Duration,
    /// Go on when standard input is closed, and end on SIGTERM
    #[arg(long)]
    pub until_terminated: bool,
}

impl LoadArgs {
    /// The generator's plan.
    #[must_use]
    pub fn plan(self) -> generate::Plan {
        generate::Plan {
            target: self.target,
            names: self.name_server.map(|server| NameService {
                server,
                search: self.search,
            }),
            rate: self.rate,
            connections: self.connections,
            timeout: self.timeout,
            max_in_flight: self.max_in_flight,
            max_duration: self.max_duration,
        }
    }
}
