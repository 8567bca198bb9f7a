//! `promptshift slurm give-up`: a script says why cells came to nothing that did not say so themselves, as those that
//! were killed. No model is loaded.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Failure;
use crate::study::Study;
use promptshift_numbers::store::{EndedPiece, PieceEnd, Store};

/// Flags of `slurm give-up`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The frozen study.
    study: PathBuf,
    #[arg(long)]
    store: PathBuf,
    #[arg(long, value_delimiter = ',')]
    cell: Vec<String>,
    #[arg(long)]
    reason: String,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let study = Study::read(&arguments.study)?;
    let store = Store::at(&arguments.store);
    for piece in study.pieces() {
        if arguments.cell.contains(&piece.name) && store.ended_piece(&piece.key)?.is_none() {
            let ended = EndedPiece {
                name: piece.name,
                end: PieceEnd::Failed {
                    reason: arguments.reason.clone(),
                },
            };
            store.keep_piece(&piece.key, &ended)?;
        }
    }
    Ok(())
}
