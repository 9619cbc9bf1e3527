//! Commitments to hidden values: salted and slow to compute, so that a plan
//! file does not let anybody try out values.

use std::{num::NonZeroUsize, thread};

use argon2::Argon2;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PlanFileError;
use crate::diff::Change;

/// Bytes of a salt (RFC 9106, section 4, recommends 16) and of a commitment.
const SALT: usize = 16;
const COMMITMENT: usize = 32;

/// The random part of a file's commitments, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Salt(String);

impl Salt {
    pub(super) fn random() -> Result<Self, PlanFileError> {
        let mut bytes = [0; SALT];
        getrandom::fill(&mut bytes)
            .map_err(|error| PlanFileError::Commitment(error.to_string()))?;
        Ok(Self(STANDARD.encode(bytes)))
    }
}

/// A commitment for each of the changes, by their index; on all processors.
pub(super) fn commitments(
    salt: &Salt,
    changes: &[(usize, Vec<Change>)],
) -> Result<Vec<(usize, String)>, PlanFileError> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = changes.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = changes
            .chunks(share)
            .map(|changes| {
                scope.spawn(move || {
                    let commit = |(index, changes): &(usize, Vec<Change>)| {
                        commit(salt, changes).map(|commitment| (*index, commitment))
                    };
                    changes.iter().map(commit).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(changes.len());
        for worker in workers {
            let part = worker
                .join()
                .map_err(|_| PlanFileError::Commitment("a worker died".to_owned()))??;
            all.extend(part);
        }
        Ok(all)
    })
}

/// Argon2id with the crate's parameters (19 MiB, two passes).
fn commit(salt: &Salt, changes: &[Change]) -> Result<String, PlanFileError> {
    let mut value: Value = json!(changes);
    // The order of a map's keys means nothing.
    value.sort_all_objects();
    let mut commitment = [0; COMMITMENT];
    Argon2::default()
        .hash_password_into(
            value.to_string().as_bytes(),
            salt.0.as_bytes(),
            &mut commitment,
        )
        .map_err(|error| PlanFileError::Commitment(error.to_string()))?;
    Ok(STANDARD.encode(commitment))
}
