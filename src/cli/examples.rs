//! The examples of one parquet file, wherever it lies, read as a domain's.

use std::path::Path;

use crate::domain::card::Card;
use crate::domain::parquet::{Table, TableError, TableFile};
use crate::domain::{Example, Task, glue, mrqa, squad, template};

/// Reads a file, at most `limit` rows of it.
///
/// # Errors
/// It is absent, damaged, or not in a layout of the domain's task.
pub fn read(path: &Path, card: &Card, limit: Option<usize>) -> Result<Vec<Example>, TableError> {
    let table = TableFile::Disk(path.to_owned()).open()?;
    let layout = Layout::of(card, &table)?;
    let columns = match layout {
        Layout::Squad => squad::columns(&table),
        Layout::Mrqa => mrqa::columns(&table),
        Layout::Glue => glue::columns(card, &table),
    };
    let limit = limit.unwrap_or(usize::MAX);
    let mut examples = Vec::new();
    for batch in table.batches(&columns, Some(limit))? {
        let batch = batch?;
        let rows = match layout {
            Layout::Squad => squad::rows(&batch)?,
            Layout::Mrqa => mrqa::rows(&batch)?,
            Layout::Glue => glue::rows(card, &batch)?,
        };
        examples.extend(rows.into_iter().map(|row| template::apply(card, row)));
        if examples.len() >= limit {
            examples.truncate(limit);
            break;
        }
    }
    Ok(examples)
}

/// How a file holds its rows.
#[derive(Clone, Copy)]
enum Layout {
    Squad,
    Mrqa,
    Glue,
}

impl Layout {
    /// Questions may come in either layout, whichever the card names: as in a
    /// [`Suite`](crate::domain::suite::Suite).
    fn of(card: &Card, table: &Table) -> Result<Self, TableError> {
        Ok(match card.task {
            Task::Paraphrase => Layout::Glue,
            Task::ExtractiveQa if table.is_struct("answers")? => Layout::Squad,
            Task::ExtractiveQa => Layout::Mrqa,
        })
    }
}
