//! The image configuration: how the program is run, checked before anything is packed.

use oci_spec::image::{Config, Digest, HistoryBuilder, ImageConfiguration, Os, RootFs};
use serde_json::{Map, Value};

use super::spec::ImageSpec;
use crate::platform::Platform;

/// The distroless images' non-root user.
const DEFAULT_USER: &str = "65532:65532";
/// What Docker adds to the specification
/// (<https://github.com/moby/docker-image-spec/blob/main/spec.md>). `OnBuild` is for the one who
/// builds upon the image, and no image hands it on.
const DOCKERS: [&str; 2] = ["Healthcheck", "Shell"];

/// The run parameters that a spec gives, checked.
pub(crate) fn run_parameters(spec: &ImageSpec) -> Result<Config, String> {
    let mut config = Config::default();
    config.set_user(spec.user.as_deref().map(check_user).transpose()?);
    config.set_entrypoint(spec.entrypoint.clone());
    config.set_cmd(some_if_any(spec.cmd.clone()));
    let ports: Vec<String> = spec
        .port
        .iter()
        .map(|port| check_port(port))
        .collect::<Result<_, _>>()?;
    config.set_exposed_ports(some_if_any(ports));
    for name in spec.env.keys() {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!(
                "environment variable name {name:?} is empty or has `=` in it"
            ));
        }
    }
    config.set_env(some_if_any(
        spec.env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
    ));
    for key in spec.label.keys().chain(spec.annotation.keys()) {
        if key.is_empty() {
            return Err("a label or annotation has an empty key".into());
        }
    }
    if !spec.label.is_empty() {
        config.set_labels(Some(spec.label.clone().into_iter().collect()));
    }
    if let Some(workdir) = &spec.workdir
        && !workdir.starts_with('/')
    {
        return Err(format!(
            "working directory {workdir:?} is not an absolute path"
        ));
    }
    config.set_working_dir(spec.workdir.clone());
    config.set_stop_signal(spec.stop_signal.as_deref().map(check_signal).transpose()?);
    if spec
        .entrypoint
        .as_ref()
        .is_some_and(|words| words.first().is_none_or(String::is_empty))
    {
        return Err("the entrypoint is empty; leave it out to run the binary".into());
    }
    Ok(config)
}

/// The configuration of one platform's image: the base's, if there is one, with a layer more.
pub(crate) fn image(
    platform: &Platform,
    run: Config,
    base: Option<ImageConfiguration>,
    diff_id: &Digest,
    created: &str,
) -> Result<ImageConfiguration, oci_spec::OciSpecError> {
    let history = HistoryBuilder::default()
        .created(created)
        .created_by("ocipack build")
        .build()?;
    let mut config = base.unwrap_or_else(|| {
        let mut config = ImageConfiguration::default();
        config.set_rootfs(RootFs::default());
        config.set_history(Some(Vec::new()));
        config
    });
    let mut rootfs = config.rootfs().clone();
    rootfs.diff_ids_mut().push(diff_id.to_string());
    // A base without a history stays without: one entry for several layers would be wrong.
    let known = config.history().is_some();
    let entries = config.history_mut().take().into_iter().flatten();
    let history = entries.chain([history]).collect();
    config.set_history(known.then_some(history));
    config.set_created(Some(created.to_owned()));
    config.set_os(Os::Linux);
    config.set_architecture(platform.architecture().into());
    config.set_variant(platform.variant().map(str::to_owned));
    config.set_config(Some(run));
    config.set_rootfs(rootfs);
    Ok(config)
}

/// A configuration with what only Docker knows of its base's.
pub(crate) fn with_dockers(
    config: &ImageConfiguration,
    dockers: Map<String, Value>,
) -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(config)?;
    for (key, value) in dockers {
        document["config"][key] = value;
    }
    Ok(document)
}

/// The fields of a configuration that only Docker knows and that an image hands on.
pub(crate) fn dockers(config: &Value) -> Map<String, Value> {
    let field = |key: &str| Some((key.to_owned(), config["config"].get(key)?.clone()));
    let fields = DOCKERS.into_iter().filter_map(field);
    fields.filter(|(_, value)| !value.is_null()).collect()
}

/// The run parameters of a spec over those of its base; without an entrypoint, the binary's path.
pub(crate) fn over(spec: &Config, base: Option<&Config>, binary: String) -> Config {
    let mut run = base.cloned().unwrap_or_default();
    // The base's arguments are for the base's program.
    run.set_cmd(spec.cmd().clone());
    let entrypoint = spec.entrypoint().clone();
    run.set_entrypoint(Some(entrypoint.unwrap_or_else(|| vec![binary])));
    let user = spec.user().clone().or_else(|| run.user().clone());
    let user = user.filter(|user| !user.is_empty());
    run.set_user(Some(user.unwrap_or_else(|| DEFAULT_USER.to_owned())));
    if let Some(workdir) = spec.working_dir() {
        run.set_working_dir(Some(workdir.clone()));
    }
    if let Some(signal) = spec.stop_signal() {
        run.set_stop_signal(Some(signal.clone()));
    }
    let name = |variable: &str| variable.split('=').next().map(str::to_owned);
    let mut env = run.env().clone().unwrap_or_default();
    for variable in spec.env().iter().flatten() {
        match env.iter_mut().find(|other| name(other) == name(variable)) {
            Some(other) => other.clone_from(variable),
            None => env.push(variable.clone()),
        }
    }
    run.set_env(some_if_any(env));
    let ports = run.exposed_ports().iter().chain(spec.exposed_ports());
    let mut ports: Vec<String> = ports.flatten().cloned().collect();
    ports.sort();
    ports.dedup();
    run.set_exposed_ports(some_if_any(ports));
    let mut labels = run.labels().clone().unwrap_or_default();
    labels.extend(spec.labels().clone().unwrap_or_default());
    run.set_labels((!labels.is_empty()).then_some(labels));
    run
}

fn some_if_any(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

/// Numbers only: Kubernetes' runAsNonRoot cannot judge a user by its name.
fn check_user(user: &str) -> Result<String, String> {
    let numeric =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u32>().is_ok();
    let (uid, gid) = user
        .split_once(':')
        .map_or((user, None), |(uid, gid)| (uid, Some(gid)));
    if numeric(uid) && gid.is_none_or(numeric) {
        return Ok(user.to_owned());
    }
    Err(format!(
        "user {user:?} is not UID or UID:GID in numbers (runAsNonRoot cannot check names)"
    ))
}

/// `PORT[/PROTOCOL]`, with tcp filled in (image-spec, config.md, `ExposedPorts`).
fn check_port(port: &str) -> Result<String, String> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    match number.parse::<u16>() {
        Ok(number) if number > 0 && matches!(protocol, "tcp" | "udp" | "sctp") => {
            Ok(format!("{number}/{protocol}"))
        }
        _ => Err(format!(
            "port {port:?} is not 1 to 65535 with /tcp, /udp, /sctp or nothing after it"
        )),
    }
}

fn check_signal(signal: &str) -> Result<String, String> {
    let name = signal.strip_prefix("SIG").is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| {
                byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"+-".contains(&byte)
            })
    });
    let number = signal
        .parse::<u8>()
        .is_ok_and(|number| (1..=64).contains(&number));
    if name || number {
        return Ok(signal.to_owned());
    }
    Err(format!(
        "stop signal {signal:?} is not a name such as SIGTERM or a number from 1 to 64"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_parameters_are_checked() {
        for user in ["0", "65532", "65532:65532"] {
            assert_eq!(check_user(user).as_deref(), Ok(user));
        }
        for bad in ["", "nobody", "1:", ":1", "-1", "+1", "1:2:3", "4294967296"] {
            assert!(check_user(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(check_port("5000").as_deref(), Ok("5000/tcp"));
        assert_eq!(check_port("53/udp").as_deref(), Ok("53/udp"));
        for bad in ["", "0", "65536", "80/http", "80/", "/tcp"] {
            assert!(check_port(bad).is_err(), "{bad:?} was taken");
        }
        for signal in ["SIGTERM", "SIGRTMIN+3", "15"] {
            assert!(check_signal(signal).is_ok(), "{signal:?} was refused");
        }
        for bad in ["", "TERM", "SIG", "sigterm", "0", "65"] {
            assert!(check_signal(bad).is_err(), "{bad:?} was taken");
        }
    }
}
