//! The login of a registry, where Docker or Podman keep it. It is never printed.

use std::env;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RegistryError;

/// Docker Hub's name in Docker's configuration.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// What helpers say of a registry that they do not know
/// (<https://github.com/docker/docker-credential-helpers>).
const UNKNOWN: &str = "credentials not found";

/// A registry's login.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Anonymous,
    Password {
        user: String,
        password: String,
    },
    /// A token that is exchanged for others.
    Identity(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Password { .. } => "Password { .. }",
            Self::Identity(_) => "Identity(..)",
        })
    }
}

/// Looks a repository up in Docker's configuration and its helpers, then in Podman's.
pub(crate) fn find(registry: &str, repository: &str) -> Result<Credentials, RegistryError> {
    let keys = keys(registry, repository);
    let found = match docker(&keys) {
        Ok(None) => podman(&keys),
        found => found,
    };
    match found {
        Ok(found) => Ok(found.unwrap_or(Credentials::Anonymous)),
        Err(problem) => Err(RegistryError::Credentials {
            registry: registry.to_owned(),
            problem,
        }),
    }
}

/// What a login can be for: the repository, each namespace that it is in, and the registry
/// (containers-auth.json(5)). The registry's own key is last, and always looked up.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut keys = vec![format!("{registry}/{repository}")];
    while let Some((outer, _)) = keys.last().and_then(|key| key.rsplit_once('/')) {
        keys.push(outer.to_owned());
    }
    if registry == "docker.io" {
        keys.push(DOCKER_HUB.to_owned());
    }
    keys
}

/// A login of `docker login`.
fn docker(keys: &[String]) -> Result<Option<Credentials>, String> {
    let Some(path) = docker_file() else {
        return Ok(None);
    };
    let found = fs::read(&path).map_err(|_| Problem::File);
    let found = found.and_then(|file| look_up(&file, keys));
    found.map_err(|problem| match problem {
        Problem::File => format!("{} cannot be read; mend or remove it", path.display()),
        Problem::Login(problem) => problem,
    })
}

/// A login of `podman login`, `skopeo login` or `buildah login`, in the first file that has one.
fn podman(keys: &[String]) -> Result<Option<Credentials>, String> {
    for path in podman_files() {
        // What is not there or not ours to read has no login for us.
        let Ok(file) = fs::read(path) else { continue };
        match look_up(&file, keys) {
            Ok(None) | Err(Problem::File) => {}
            Ok(found) => return Ok(found),
            Err(Problem::Login(problem)) => return Err(problem),
        }
    }
    Ok(None)
}

/// What a file has logins for, by its keys.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Names {
    auths: Option<Map<String, Value>>,
    cred_helpers: Option<Map<String, Value>>,
}

/// Why there is no answer.
#[derive(Debug)]
enum Problem {
    /// The file is damaged.
    File,
    /// The login is.
    Login(String),
}

/// The first login that a file has for one of the keys: of those that it names and of the last,
/// with which its helper for all others is asked.
fn look_up(file: &[u8], keys: &[String]) -> Result<Option<Credentials>, Problem> {
    let names: Names = serde_json::from_slice(file).map_err(|_| Problem::File)?;
    let is_named = |key: &String| {
        let mut lists = [&names.auths, &names.cred_helpers].into_iter().flatten();
        lists.any(|list| list.contains_key(key))
    };
    for key in keys {
        if !is_named(key) && Some(key) != keys.last() {
            continue;
        }
        let found = docker_credential::get_credential_from_reader(file, key);
        if found == Err(CredentialRetrievalError::ConfigReadError) {
            return Err(Problem::File);
        }
        match judge(found).map_err(Problem::Login)? {
            None => {}
            found => return Ok(found),
        }
    }
    Ok(None)
}

/// Where they keep logins (containers-auth.json(5)): without `XDG_RUNTIME_DIR`, which root has not on
/// many machines, beneath /run/containers.
fn podman_files() -> Vec<PathBuf> {
    let folder = |variable| env::var_os(variable).filter(|value| !value.is_empty());
    if let Some(file) = folder("REGISTRY_AUTH_FILE") {
        return vec![file.into()];
    }
    let user = rustix::process::geteuid().as_raw().to_string();
    let runtime = folder("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.map_or_else(
        || PathBuf::from("/run/containers").join(user),
        |folder| folder.join("containers"),
    );
    let home = || Some(PathBuf::from(folder("HOME")?).join(".config"));
    let own = folder("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let own = own.map(|folder| folder.join("containers"));
    let folders = [runtime].into_iter().chain(own);
    folders.map(|folder| folder.join("auth.json")).collect()
}

/// Docker's configuration, if there is one.
fn docker_file() -> Option<PathBuf> {
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".docker"));
    let file = folder.or_else(home)?.join("config.json");
    file.exists().then_some(file)
}

fn judge(
    found: Result<DockerCredential, CredentialRetrievalError>,
) -> Result<Option<Credentials>, String> {
    use CredentialRetrievalError as Error;
    match found {
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credentials::Identity(token))),
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Some(Credentials::Password { user, password }))
        }
        Err(Error::NoCredentialConfigured) => Ok(None),
        Err(Error::HelperFailure { stdout, stderr, .. })
            if stdout.contains(UNKNOWN) || stderr.contains(UNKNOWN) =>
        {
            Ok(None)
        }
        // Its output could be anything.
        Err(Error::HelperFailure { helper, .. }) => Err(format!(
            "the helper {helper} failed; run it by hand to see why"
        )),
        Err(error @ (Error::HelperCommunicationError | Error::MalformedHelperResponse)) => {
            Err(format!("{error}; is it installed and in PATH?"))
        }
        Err(error) => Err(format!("{error}; log in again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_login_counts() {
        let keys = keys("a.example", "group/team/web");
        let find = |file: &str| match look_up(file.as_bytes(), &keys).unwrap() {
            Some(Credentials::Password { user, .. }) => user,
            _ => String::new(),
        };
        // "one:x", "two:x" and "three:x"
        let (one, two, three) = ("b25lOng=", "dHdvOng=", "dGhyZWU6eA==");
        for (names, user) in [
            (
                &["a.example", "a.example/group", "a.example/group/team/web"][..],
                "three",
            ),
            (
                &["a.example", "a.example/group", "a.example/group/te"],
                "two",
            ),
            (
                &["a.example", "a.example/group/team/web/1", "b.example/group"],
                "one",
            ),
            (&["b.example", "a.example/group"], "two"),
            (&["b.example"], ""),
        ] {
            let logins = names.iter().zip([one, two, three]);
            let logins = logins.map(|(name, auth)| (*name, serde_json::json!({"auth": auth})));
            let logins: serde_json::Map<_, _> =
                logins.map(|(name, auth)| (name.to_owned(), auth)).collect();
            let file = serde_json::json!({ "auths": logins }).to_string();
            assert_eq!(find(&file), user, "{names:?}");
        }
    }

    #[test]
    fn docker_hubs_login_is_podmans_too() {
        let keys = keys("docker.io", "library/web");
        for key in ["docker.io", "https://index.docker.io/v1/"] {
            let file = format!(r#"{{"auths":{{"{key}":{{"auth":"b25lOng="}}}}}}"#);
            assert!(look_up(file.as_bytes(), &keys).unwrap().is_some(), "{key}");
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let password = Credentials::Password {
            user: "planted-user".into(),
            password: "planted-password".into(),
        };
        let shown = format!("{password:?} {:?}", Credentials::Identity("planted".into()));
        assert!(!shown.contains("planted"), "{shown}");
        let failure = judge(Err(CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".into(),
            stdout: "planted".into(),
            stderr: "planted".into(),
        }));
        let problem = failure.unwrap_err();
        assert!(problem.contains("docker-credential-x") && !problem.contains("planted"));
    }
}
