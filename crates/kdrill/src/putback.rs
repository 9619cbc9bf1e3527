//! What a drill changes is put back, whatever happens: each change is written to `put-back.json` in
//! the report's folder before it is made and struck out when it is undone. A run that was killed
//! leaves the file; the next run with the same folder begins by putting back what it lists.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    cluster::{
        controllers,
        field::{self, Field, SavedField},
        nodes, probes,
    },
    command::UserCommand,
    error::{Error, Result},
    files::write_file,
};

/// The journal's file name.
const FILE: &str = "put-back.json";

/// Something a drill changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A field of a Deployment.
    Field(SavedField),
    /// A node was cut.
    NodeDown(NodeRef),
    /// A node's network was cut.
    Partitioned(NodeRef),
    /// A node was made unschedulable.
    Cordoned(NodeRef),
    /// A set of objects was made in this namespace, for the prune drill.
    ProbeSet(String),
    /// A Deployment was made in this namespace, to see whether the controllers act.
    ControllerProbe(String),
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRef {
    /// Its name.
    pub node: String,
    /// Its UID: another node of the same name is not this one.
    pub uid: Option<String>,
}

impl Change {
    /// What putting it back does, in words.
    #[must_use]
    pub fn undoing(&self) -> String {
        match self {
            Self::Field(saved) => {
                let (namespace, deployment) = (&saved.namespace, &saved.deployment);
                match &saved.was {
                    Field::Replicas(count) => {
                        format!("scale deployment {namespace}/{deployment} back to {count}")
                    }
                    Field::Image { image, .. } => {
                        format!(
                            "set the image of deployment {namespace}/{deployment} back to {image}"
                        )
                    }
                }
            }
            Self::NodeDown(NodeRef { node, .. }) => format!("start node {node} again"),
            Self::Partitioned(NodeRef { node, .. }) => {
                format!("give node {node} its network back")
            }
            Self::Cordoned(NodeRef { node, .. }) => format!("make node {node} schedulable again"),
            Self::ProbeSet(namespace) => {
                format!("delete the prune drill's objects in namespace {namespace}")
            }
            Self::ControllerProbe(namespace) => {
                format!("delete the Deployment of no pods in namespace {namespace}")
            }
        }
    }
}

/// What putting back needs.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The API server.
    pub client: &'a kube::Client,
    /// Starts a node.
    pub node_up: Option<&'a UserCommand>,
    /// Gives a node its network back.
    pub heal: Option<&'a UserCommand>,
}

/// The changes that stand.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    changes: Mutex<Vec<Change>>,
}

impl Journal {
    /// Opens the journal of a report folder, with what a killed run left in it.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read or is no journal.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let changes = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(io::Error::from)
                .map_err(Error::file(&path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::file(&path)(error)),
        };
        Ok(Self {
            path,
            changes: Mutex::new(changes),
        })
    }

    /// Writes down a change that is about to be made.
    ///
    /// # Errors
    /// [`Error::File`]; then the change must not be made.
    pub fn add(&self, change: Change) -> Result<()> {
        self.lock().push(change);
        self.save()
    }

    /// What stands, oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.lock().clone()
    }

    /// Puts back one change and strikes it out.
    ///
    /// # Errors
    /// The first thing that failed; the change then stays in the journal.
    pub async fn put_back(&self, change: &Change, means: Means<'_>) -> Result<()> {
        let client = means.client;
        match change {
            Change::Field(saved) => field::restore(client, saved).await?,
            Change::NodeDown(node) => {
                let missing = || {
                    format!(
                        "node {} was cut and must be started again: give --node-up",
                        node.node
                    )
                };
                command_for(client, node, means.node_up, missing).await?;
            }
            Change::Partitioned(node) => {
                let missing = || {
                    format!(
                        "node {} was cut from the network and must be healed: give --heal",
                        node.node
                    )
                };
                command_for(client, node, means.heal, missing).await?;
            }
            Change::Cordoned(node) => nodes::uncordon(client, node).await?,
            Change::ProbeSet(namespace) => probes::delete_probes(client, namespace).await?,
            Change::ControllerProbe(namespace) => {
                controllers::delete_probe(client, namespace).await?;
            }
        }
        self.lock().retain(|standing| standing != change);
        self.save()
    }

    fn save(&self) -> Result<()> {
        let changes = self.changes();
        if changes.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::file(&self.path)(error))
                }
                _ => Ok(()),
            };
        }
        let text = serde_json::to_vec_pretty(&changes)
            .map_err(io::Error::from)
            .map_err(Error::file(&self.path))?;
        write_file(&self.path, &text)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the command for a node, unless that node is gone.
async fn command_for(
    client: &kube::Client,
    node: &NodeRef,
    command: Option<&UserCommand>,
    missing: impl Fn() -> String,
) -> Result<()> {
    if !nodes::exists(client, node).await? {
        return Ok(());
    }
    let command = command.ok_or_else(|| Error::Usage(missing()))?;
    command.run(&[&node.node]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_outlive_the_run_that_made_them_until_struck_out() {
        let folder = tempfile::tempdir().unwrap();
        let change = Change::NodeDown(NodeRef {
            node: "n1".to_owned(),
            uid: Some("u".to_owned()),
        });
        Journal::open(folder.path())
            .unwrap()
            .add(change.clone())
            .unwrap();

        let next = Journal::open(folder.path()).unwrap();
        assert_eq!(next.changes(), [change]);
        next.lock().clear();
        next.save().unwrap();
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_file_that_is_no_journal_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = Journal::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("put-back.json: "), "{error}");
    }
}
