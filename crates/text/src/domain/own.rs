//! The rows of a file that are a domain's own, where it holds several data sets.

use std::collections::BTreeSet;

use super::card::Card;
use super::parquet::{Batch, Table, TableError};

/// The column that says which data set a row belongs to.
const SUBSET: &str = "subset";

/// The column by which rows are told apart; none where all of them are the domain's.
pub fn columns(card: &Card, table: &Table) -> Option<&'static str> {
    (card.subset().is_some() && table.has(SUBSET)).then_some(SUBSET)
}

/// The domain's rows of a batch, and the other data sets in it.
///
/// # Errors
/// A row does not say which data set it belongs to.
pub fn rows(card: &Card, batch: Batch) -> Result<(Batch, BTreeSet<String>), TableError> {
    let Some(subset) = card.subset().filter(|_| batch.has(SUBSET)) else {
        return Ok((batch, BTreeSet::new()));
    };
    let subsets = batch.texts(SUBSET)?;
    let keep = subsets.iter().map(|found| found == subset).collect();
    let others = subsets.into_iter().filter(|found| found != subset);
    Ok((batch.only(keep), others.collect()))
}
