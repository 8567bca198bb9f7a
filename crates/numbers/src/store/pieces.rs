//! How pieces of studies ended: where the result is, or why there is none. Commands that list or submit studies read
//! this instead of loading the model that names of trainings depend on, whatever machine computed the piece.

use std::io::ErrorKind;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Store, put};
use crate::error::StoreError;
use crate::record::Provenance;
use crate::record::folder::remove;
use crate::record::seal::{read_sealed, sealed};

const PIECES: &str = "pieces";

/// The content of `pieces/<key>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndedPiece {
    /// Its name in its study.
    pub name: String,
    pub end: PieceEnd,
}

/// How a piece ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceEnd {
    /// Its result is in the store.
    Done {
        /// The folder of its result, relative to the store; absent for a search, whose trials are never removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        /// [`ARITHMETIC`](super::ARITHMETIC).
        arithmetic: u32,
        provenance: Box<Provenance>,
    },
    Failed {
        /// The reason, in words.
        reason: String,
    },
}

impl Store {
    /// How a piece ended when it was last computed; `None` if it was not, or if its result has been removed.
    ///
    /// # Errors
    /// The file was truncated or edited.
    pub fn ended_piece(&self, key: &str) -> Result<Option<EndedPiece>, StoreError> {
        let path = self.piece_path(key);
        let wanted = "how a cell ended; without the file it is computed again";
        let ended: EndedPiece = match read_sealed(&path, wanted) {
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(None);
            }
            read => read?,
        };
        let is_there = match &ended.end {
            PieceEnd::Done {
                result: Some(result),
                ..
            } => self.root.join(result).exists(),
            _ => true,
        };
        Ok(is_there.then_some(ended))
    }

    /// Stores how a piece ended, replacing an earlier end.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep_piece(&self, key: &str, ended: &EndedPiece) -> Result<(), StoreError> {
        let folder = self.root.join(PIECES);
        put(&folder, &self.piece_path(key), &sealed(ended))
    }

    /// Forgets that a piece failed, because it is computed again or its input is available now.
    ///
    /// # Errors
    /// The file can't be read or removed.
    pub fn forget_failure(&self, key: &str) -> Result<(), StoreError> {
        let ended = self.ended_piece(key)?.map(|ended| ended.end);
        match ended {
            Some(PieceEnd::Failed { .. }) => remove(&self.piece_path(key)),
            _ => Ok(()),
        }
    }

    fn piece_path(&self, key: &str) -> PathBuf {
        self.root.join(PIECES).join(format!("{key}.json"))
    }
}
