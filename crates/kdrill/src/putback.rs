//! What a drill changes is put back, whatever happens: each change is written to `put-back.json` in
//! the report's folder before it is made and struck out when it is undone. A run that was killed
//! leaves the file; the next run with the same folder begins by putting back what it lists.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use serde::{Deserialize, Serialize};

use crate::{
    cluster::scale::{self, SavedScale},
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
    /// A Deployment's replica count.
    Replicas(SavedScale),
    /// A node was cut.
    NodeDown {
        /// Its name.
        node: String,
        /// Its UID: another node of the same name is not this one.
        uid: Option<String>,
    },
}

impl Change {
    /// What putting it back does, in words.
    #[must_use]
    pub fn undoing(&self) -> String {
        match self {
            Self::Replicas(saved) => format!(
                "scale deployment {}/{} back to {}",
                saved.namespace, saved.deployment, saved.replicas
            ),
            Self::NodeDown { node, .. } => format!("start node {node} again"),
        }
    }
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
    pub async fn put_back(
        &self,
        change: &Change,
        client: &Client,
        node_up: Option<&UserCommand>,
    ) -> Result<()> {
        match change {
            Change::Replicas(saved) => scale::restore(client, saved).await?,
            Change::NodeDown { node, uid } => {
                start_node(client, node, uid.as_ref(), node_up).await?;
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

async fn start_node(
    client: &Client,
    node: &str,
    uid: Option<&String>,
    node_up: Option<&UserCommand>,
) -> Result<()> {
    let found = Api::<Node>::all(client.clone())
        .get_opt(node)
        .await
        .map_err(|error| Error::api(format!("get node {node}"), &error))?;
    if found.is_none_or(|found| found.metadata.uid.as_ref() != uid) {
        return Ok(());
    }
    let command = node_up.ok_or_else(|| {
        Error::Usage(format!(
            "node {node} was cut and must be started again: give --node-up"
        ))
    })?;
    command.run(&[node]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_outlive_the_run_that_made_them_until_struck_out() {
        let folder = tempfile::tempdir().unwrap();
        let change = Change::NodeDown {
            node: "n1".to_owned(),
            uid: Some("u".to_owned()),
        };
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
