//! The trials of a search, kept one by one, so that an interrupted search goes on where it was.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{IoContext, StoreError};
use super::{PARTIAL, Store, sync, write_synced};
use crate::recipe::Recipe;
use crate::record::seal::{opened_as, sealed};
use crate::record::search::Trial;
use crate::record::{Cell, Provenance, difference};
use promptshift_text::process::token;

/// What `search-<method>.json` holds: the trials so far, and what they were of.
#[derive(Debug, Serialize, Deserialize)]
struct Trials {
    subject: Value,
    trials: Vec<Trial>,
}

/// What trials depend on besides the learning rate.
fn subject(cell: &Cell, recipe: &Recipe, provenance: &Provenance) -> Value {
    json!({
        "seed": cell.seed,
        "recipe": recipe,
        "model_sha256": provenance.model_sha256,
        "tokenizer_sha256": provenance.tokenizer_sha256,
        "data_sha256": provenance.data_sha256,
    })
}

fn name(cell: &Cell) -> String {
    format!("search-{}.json", cell.method.name())
}

fn begun_name(cell: &Cell) -> String {
    format!("search-{}-begun", cell.method.name())
}

impl Store {
    /// The folder for what a trial's training goes on from if it is broken off; gone when the trial is kept.
    ///
    /// # Errors
    /// What an earlier process left of it can't be taken over.
    pub fn trial_begun(&self, cell: &Cell) -> Result<PathBuf, StoreError> {
        self.adopted(&begun_name(cell))
    }

    /// The trials that were kept for a search from `recipe` on.
    ///
    /// # Errors
    /// The file is of another recipe, model or data, or was cut off.
    pub fn trials(
        &self,
        cell: &Cell,
        recipe: &Recipe,
        provenance: &Provenance,
    ) -> Result<Vec<Trial>, StoreError> {
        let path = self.out.join(name(cell));
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = fs::read(&path).at("read", &path)?;
        let found: Trials = opened_as(&bytes).map_err(|found| StoreError::Malformed {
            path: path.clone(),
            wanted: "the trials that promptshift writes there; without the file they are made anew"
                .to_owned(),
            found,
        })?;
        match difference::first(&found.subject, &subject(cell, recipe, provenance)) {
            None => Ok(found.trials),
            Some(difference) => Err(StoreError::OtherCell {
                path,
                field: difference.field,
                wanted: difference.second,
                found: difference.first,
            }),
        }
    }

    /// Keeps the trials so far.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep_trials(
        &self,
        cell: &Cell,
        recipe: &Recipe,
        provenance: &Provenance,
        trials: &[Trial],
    ) -> Result<(), StoreError> {
        let all = Trials {
            subject: subject(cell, recipe, provenance),
            trials: trials.to_vec(),
        };
        let json = sealed(&all);
        let partial = (self.out).join(format!("{PARTIAL}{}-{}", token(), name(cell)));
        let path = self.out.join(name(cell));
        write_synced(&partial, &json).at("write", &partial)?;
        self.claim.check()?;
        fs::rename(&partial, &path).at("write", &path)?;
        self.clear(&begun_name(cell))?;
        sync(&self.out)
    }
}
