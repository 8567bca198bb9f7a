//! The trials of a search, kept one by one, so that an interrupted search resumes where it was.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::training::{Environment, Subject};
use super::{SEARCHES, Store, is_same, put};
use crate::error::{IoContext, StoreError};
use crate::record::seal::{opened_as, sealed};
use crate::record::search::Trial;

/// What `searches/<name>.json` holds: the trials so far, and what they were of.
#[derive(Debug, Serialize, Deserialize)]
struct Trials {
    subject: Subject,
    environment: Environment,
    trials: Vec<Trial>,
}

impl Store {
    /// The trials that were kept for a search that begins with this training.
    ///
    /// # Errors
    /// The file was cut off or edited.
    pub fn trials(
        &self,
        subject: &Subject,
        environment: &Environment,
    ) -> Result<Vec<Trial>, StoreError> {
        let path = self.search_path(subject, environment);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = fs::read(&path).at("read", &path)?;
        let found: Trials = opened_as(&bytes).map_err(|found| StoreError::Malformed {
            path,
            wanted: "the trials that promptshift writes there; without the file they are made anew"
                .to_owned(),
            found,
        })?;
        match is_same(&found.subject, subject) && found.environment == *environment {
            true => Ok(found.trials),
            false => Ok(Vec::new()),
        }
    }

    /// Keeps the trials so far.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep_trials(
        &self,
        subject: &Subject,
        environment: &Environment,
        trials: &[Trial],
    ) -> Result<(), StoreError> {
        let all = Trials {
            subject: subject.clone(),
            environment: environment.clone(),
            trials: trials.to_vec(),
        };
        let path = self.search_path(subject, environment);
        put(&self.root.join(SEARCHES), &path, &sealed(&all))
    }

    fn search_path(&self, subject: &Subject, environment: &Environment) -> PathBuf {
        let name = format!("{}.json", environment.name(subject));
        self.root.join(SEARCHES).join(name)
    }
}
