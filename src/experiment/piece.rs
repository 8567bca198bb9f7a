//! Computes a piece of a plan on its own. The pieces that it depends on must be in the store.

use serde::Serialize;

use super::runner::{Runner, Searched};
use super::{ExperimentError, Watch};
use crate::pieces::{Kind, Piece};
use crate::plan::Plan;
use promptshift_numbers::provenance;
use promptshift_numbers::record::{Cell, Provenance};
use promptshift_numbers::store::{ARITHMETIC, EndedPiece, PieceEnd, Reuse, Subject};

/// The state of a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Its result is in the store.
    Done {
        /// Whether the store also has an entry under the piece's key.
        #[serde(skip)]
        is_said: bool,
    },
    /// Its last computation failed.
    Failed {
        /// The error.
        reason: String,
    },
    /// It has not been computed.
    Missing,
}

impl State {
    /// Whether its result is in the store.
    pub fn is_done(&self) -> bool {
        matches!(self, State::Done { .. })
    }
}

/// A piece's result in the store.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A search's trials.
    Trials,
    /// A folder, relative to the store's.
    Folder(String),
}

impl Runner<'_> {
    /// Computes a piece of a plan.
    ///
    /// # Errors
    /// A result that it needs is missing, `watch` stops it, training fails, the model's output is not finite,
    /// or the store can't be written or read.
    pub fn compute_piece(
        &self,
        plan: &Plan,
        piece: &Piece,
        watch: &mut Watch,
    ) -> Result<(), ExperimentError> {
        match piece.kind {
            Kind::Search => self.search(plan, piece.cell.method, watch).map(|_| ()),
            Kind::Training => {
                let cell = self.ready(plan, piece)?;
                let context = self.context(&cell);
                let subject = context.subject().expect("a training has a recipe");
                let (training, _) = self.trained(context, &subject, watch)?;
                self.answer_at_steps(context, &training, watch)
            }
            Kind::Evaluation => {
                let cell = self.ready(plan, piece)?;
                match self.context(&cell).subject() {
                    Some(subject) if self.training(&subject)?.is_none() => {
                        Err(self.lacks_training(piece, &subject)?)
                    }
                    _ => self.compute(&cell, watch),
                }
            }
        }
    }

    /// Stores the outcome of a piece: that it is done, or why it failed.
    ///
    /// # Errors
    /// Its result is missing, or the store can't be written or read.
    pub fn keep_end(
        &self,
        plan: &Plan,
        piece: &Piece,
        failed: Option<&str>,
    ) -> Result<(), ExperimentError> {
        let end = match failed {
            Some(reason) => PieceEnd::Failed {
                reason: reason.to_owned(),
            },
            None => PieceEnd::Done {
                result: match self.result(plan, piece)? {
                    Found::Nothing => {
                        return Err(ExperimentError::Lost {
                            name: piece.name.clone(),
                        });
                    }
                    Found::Trials => None,
                    Found::Folder(folder) => Some(folder),
                },
                arithmetic: ARITHMETIC,
                provenance: Box::new(provenance::collect(self.origin.clone())),
            },
        };
        let name = piece.name.clone();
        Ok(self
            .store
            .keep_piece(&piece.key, &EndedPiece { name, end })?)
    }

    /// The state of a piece. A result computed from the same inputs on another kind of machine counts as
    /// done.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn state(&self, plan: &Plan, piece: &Piece) -> Result<State, ExperimentError> {
        let ended = self.store.ended_piece(&piece.key)?.map(|ended| ended.end);
        let failed = match ended {
            Some(PieceEnd::Done {
                provenance,
                arithmetic,
                ..
            }) if arithmetic == ARITHMETIC && self.has_read_what(&provenance) => {
                return Ok(State::Done { is_said: true });
            }
            Some(PieceEnd::Failed { reason }) => Some(reason),
            _ => None,
        };
        Ok(match (self.result(plan, piece)?, failed) {
            (Found::Nothing, Some(reason)) => State::Failed { reason },
            (Found::Nothing, None) => State::Missing,
            _ => State::Done { is_said: false },
        })
    }

    /// Whether a result was computed from the same files, compared where both list them: a training may have
    /// been run for other targets.
    fn has_read_what(&self, provenance: &Provenance) -> bool {
        let (there, here) = (provenance, &self.origin);
        let mut data = there.data_sha256.iter();
        data.all(|(file, hash)| (here.data_sha256.get(file)).is_none_or(|own| own == hash))
            && there.model_sha256 == here.model_sha256
            && there.tokenizer_sha256 == here.tokenizer_sha256
    }

    /// The cell of a piece, with its recipe's search if that is done.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn searched_cell(&self, plan: &Plan, piece: &Piece) -> Result<Searched, ExperimentError> {
        let searched = self.found_searched(plan, &piece.cell)?;
        Ok(searched.unwrap_or_else(|| (piece.cell.clone(), None)))
    }

    /// Whether the store has a piece's complete result.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn has_result(&self, plan: &Plan, piece: &Piece) -> Result<bool, ExperimentError> {
        Ok(self.result(plan, piece)? != Found::Nothing)
    }

    /// A piece's result, if it is complete.
    fn result(&self, plan: &Plan, piece: &Piece) -> Result<Found, ExperimentError> {
        if piece.kind == Kind::Search {
            let found = self.found_search(plan, piece.cell.method)?;
            return Ok(found.map_or(Found::Nothing, |_| Found::Trials));
        }
        let Some(cell) = self.known(plan, &piece.cell)? else {
            return Ok(Found::Nothing);
        };
        let context = self.context(&cell);
        let training = match context.subject() {
            Some(subject) => match self.training(&subject)? {
                Some(found) => Some(found.name),
                None => return Ok(Found::Nothing),
            },
            None => None,
        };
        if let (Kind::Training, Some(name)) = (piece.kind, &training) {
            return Ok(Found::Folder(self.store.training_place(name)));
        }
        let folder = self.store.answers_place(&context.of(training)?);
        Ok(match self.to_do(plan, &cell)?.is_nothing() {
            true => Found::Folder(folder),
            false => Found::Nothing,
        })
    }

    /// The cell of a piece with its recipe; an error if the search for the recipe is missing.
    fn ready(&self, plan: &Plan, piece: &Piece) -> Result<Cell, ExperimentError> {
        let known = self.known(plan, &piece.cell)?;
        known.ok_or_else(|| lacks(piece, String::new()))
    }

    fn lacks_training(
        &self,
        piece: &Piece,
        subject: &Subject,
    ) -> Result<ExperimentError, ExperimentError> {
        let other = (self.store).training(subject, &self.environment, Reuse::Any)?;
        let hint = other.map_or(String::new(), |other| {
            let there = other.record.environment;
            format!(
                " (it has one computed on {}, {}, and this is {}, {}: wanted machines of one kind, or \
                 --reuse any)",
                there.processor, there.device, self.environment.processor, self.environment.device
            )
        });
        Ok(lacks(piece, hint))
    }
}

fn lacks(piece: &Piece, hint: String) -> ExperimentError {
    ExperimentError::Lacks {
        piece: piece.name.clone(),
        input: piece.waits_for.join(" or "),
        hint,
    }
}
