//! How pieces of studies ended: what is there of them, or why not. Whoever lists or submits a study looks here, without
//! the model that names trainings, and whatever kind of machine computed them.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Store, put};
use crate::error::{IoContext, StoreError};
use crate::record::Provenance;
use crate::record::seal::{opened_as, sealed};

const PIECES: &str = "pieces";

/// What `pieces/<key>.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndedPiece {
    /// Its name in its study.
    pub name: String,
    /// How it ended.
    pub end: PieceEnd,
}

/// How a piece ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceEnd {
    /// It is in the store.
    Done {
        /// The folder of its result, from the store's on; none of a search, whose trials are never removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        /// [`ARITHMETIC`](super::ARITHMETIC).
        arithmetic: u32,
        /// What it was computed from.
        provenance: Box<Provenance>,
    },
    /// It came to nothing.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

impl Store {
    /// How a piece ended when it was last computed; `None` where it was not, or its result is no more.
    ///
    /// # Errors
    /// The file was cut off or edited.
    pub fn ended_piece(&self, key: &str) -> Result<Option<EndedPiece>, StoreError> {
        let path = self.piece_path(key);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.at("read", &path)?,
        };
        let ended: EndedPiece = opened_as(&bytes).map_err(|found| StoreError::Malformed {
            path,
            wanted: "how a cell ended; without the file it is computed anew".to_owned(),
            found,
        })?;
        let is_there = match &ended.end {
            PieceEnd::Done {
                result: Some(result),
                ..
            } => self.root.join(result).exists(),
            _ => true,
        };
        Ok(is_there.then_some(ended))
    }

    /// Keeps how a piece ended, in place of how it did before.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep_piece(&self, key: &str, ended: &EndedPiece) -> Result<(), StoreError> {
        put(
            &self.root.join(PIECES),
            &self.piece_path(key),
            &sealed(ended),
        )
    }

    /// Forgets that a piece failed: it is computed again, or what it lacked is there.
    ///
    /// # Errors
    /// The file can't be read or removed.
    pub fn forget_failure(&self, key: &str) -> Result<(), StoreError> {
        let ended = self.ended_piece(key)?.map(|ended| ended.end);
        match ended {
            Some(PieceEnd::Failed { .. }) => {
                let path = self.piece_path(key);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    removed => removed.at("remove", &path),
                }
            }
            _ => Ok(()),
        }
    }

    fn piece_path(&self, key: &str) -> PathBuf {
        self.root.join(PIECES).join(format!("{key}.json"))
    }
}
