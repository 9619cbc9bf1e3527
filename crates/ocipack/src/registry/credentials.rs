//! The login of a registry, where Docker or Podman keep it. It is never printed.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential};

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

/// Looks a registry up in Docker's configuration and its helpers, then in Podman's.
pub(crate) fn find(registry: &str) -> Result<Credentials, RegistryError> {
    let key = if registry == "docker.io" {
        DOCKER_HUB
    } else {
        registry
    };
    let docker = docker_credential::get_credential(key);
    if let (Err(CredentialRetrievalError::ConfigReadError), Some(file)) = (&docker, docker_file()) {
        return Err(RegistryError::Credentials {
            registry: registry.to_owned(),
            problem: format!("{} cannot be read; mend or remove it", file.display()),
        });
    }
    let found = match judge(docker) {
        Ok(None) => podman(key),
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

/// A login of `podman login`, `skopeo login` or `buildah login`, in the first file that has one.
fn podman(key: &str) -> Result<Option<Credentials>, String> {
    for path in podman_files() {
        // What is not there or not ours to read has no login for us.
        let Ok(file) = File::open(path) else { continue };
        let found = docker_credential::get_credential_from_reader(BufReader::new(file), key);
        match judge(found) {
            Ok(None) => {}
            found => return found,
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
        // Of a file that is not there the library says that it cannot be read.
        Err(Error::NoCredentialConfigured | Error::ConfigNotFound | Error::ConfigReadError) => {
            Ok(None)
        }
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
