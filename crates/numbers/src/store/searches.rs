//! The trials of searches, stored one by one, so that an interrupted search resumes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::training::{Environment, Subject, of_any_environment};
use super::{SEARCHES, Store, entries, is_same, put};
use crate::error::StoreError;
use crate::record::seal::{read_sealed, sealed};
use crate::record::search::Trial;

/// The content of `searches/<name>.json`: the trials so far, and what they depend on.
#[derive(Debug, Serialize, Deserialize)]
struct Trials {
    subject: Subject,
    environment: Environment,
    trials: Vec<Trial>,
}

impl Store {
    /// The stored trials of a search whose first trial is this training.
    ///
    /// # Errors
    /// The file was truncated or edited.
    pub fn trials(
        &self,
        subject: &Subject,
        environment: &Environment,
    ) -> Result<Vec<Trial>, StoreError> {
        let found = read(self.search_path(subject, environment))?;
        let is_it =
            |found: &Trials| is_same(&found.subject, subject) && found.environment == *environment;
        Ok(found.filter(is_it).map_or(Vec::new(), |found| found.trials))
    }

    /// The stored trials of the environment that has the most.
    ///
    /// # Errors
    /// A file was truncated or edited.
    pub fn trials_of_any(&self, subject: &Subject) -> Result<Vec<Trial>, StoreError> {
        let mut most = Vec::new();
        for (name, path) in entries(&self.root.join(SEARCHES))? {
            let name = name.trim_end_matches(".json");
            if of_any_environment(name) == subject.name()
                && let Some(found) = read(path)?
                && is_same(&found.subject, subject)
                && found.trials.len() > most.len()
            {
                most = found.trials;
            }
        }
        Ok(most)
    }

    /// Stores the trials so far.
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

fn read(path: PathBuf) -> Result<Option<Trials>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let wanted = "the trials that promptshift writes there; without the file they are run again";
    read_sealed(&path, wanted).map(Some)
}
