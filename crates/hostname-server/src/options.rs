//! Flags and environment. A bad value ends the process before any socket is opened.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Longer than any sensible terminationGracePeriodSeconds.
const MAX_GRACE_SECONDS: f64 = 3600.0;

/// Answers every GET / with "Hello World! My Host name is NAME".
#[derive(Parser)]
#[command(
    name = "hostname-server",
    version,
    after_help = "Paths: / (the host name), /healthz (always 200), /readyz (503 once draining).\n\
        On SIGTERM or SIGINT readiness goes off, serving goes on for the grace, requests in flight\n\
        are finished, exit 0. A second signal ends the grace at once.\n\
        A listening socket that the service manager passes (systemd's LISTEN_FDS) is used instead\n\
        of an address.\n\n\
        Examples:\n  hostname-server\n  hostname-server --listen 127.0.0.1:8080 --grace 0.5\n  \
        PORT=8080 GRACE_SECONDS=10 hostname-server"
)]
struct Flags {
    /// Address and port to listen on; port 0 takes a free one [default: 0.0.0.0:5000, or 0.0.0.0:$PORT]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,

    /// Seconds to keep serving after SIGTERM, so that every proxy has dropped this endpoint; fractions allowed
    #[arg(long, value_name = "SECONDS", env = "GRACE_SECONDS", default_value = "5", value_parser = parse_grace)]
    grace: Duration,
}

/// What the server needs to know.
pub(crate) struct Options {
    /// None: a socket that was passed, or the default address.
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) grace: Duration,
}

/// Reads the command line and the environment; `Err` holds the exit code of a run that is over.
pub(crate) fn from_process() -> Result<Options, ExitCode> {
    let flags = Flags::try_parse().map_err(|error| {
        if error.use_stderr() {
            return crate::fail(&one_line(&error.render().to_string()));
        }
        // --help and --version; a closed stdout is no reason to fail.
        let _ = error.print();
        ExitCode::SUCCESS
    })?;
    let listen = match flags.listen {
        Some(address) => Some(address),
        None => listen_from_port(std::env::var_os("PORT")).map_err(|error| crate::fail(&error))?,
    };
    Ok(Options {
        listen,
        grace: flags.grace,
    })
}

fn listen_from_port(value: Option<std::ffi::OsString>) -> Result<Option<SocketAddr>, String> {
    let Some(text) = value else { return Ok(None) };
    let port = text
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            format!(
                "PORT={} is not a port number (0 to 65535); fix or unset it, or use --listen",
                text.display()
            )
        })?;
    Ok(Some(SocketAddr::new(
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port,
    )))
}

fn parse_grace(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.0..=MAX_GRACE_SECONDS).contains(&seconds) {
        return Err(format!("not between 0 and {MAX_GRACE_SECONDS} seconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// The first paragraph of clap's message, which says what is wrong, as one line.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = paragraph
        .trim_start_matches("error: ")
        .split_whitespace()
        .collect();
    format!("{}; see --help", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_takes_fractions_and_refuses_what_is_no_duration() {
        assert_eq!(parse_grace("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_grace("0"), Ok(Duration::ZERO));
        for bad in ["-1", "NaN", "inf", "1e9", "5s", ""] {
            assert!(parse_grace(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn port_sets_the_port_only() {
        assert_eq!(listen_from_port(None).unwrap(), None);
        assert_eq!(
            listen_from_port(Some("8080".into())).unwrap(),
            Some("0.0.0.0:8080".parse().unwrap())
        );
        for bad in ["", "http", "65536", "-1", "tcp://10.0.0.1:80"] {
            let error = listen_from_port(Some(bad.into())).unwrap_err();
            assert!(error.contains(&format!("PORT={bad} ")), "{error}");
        }
    }
}
