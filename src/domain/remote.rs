//! Where a domain's files are published.

use super::card::Card;
use crate::hub::Source;

/// A domain that can't be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "domain '{domain}' can't be fetched: its card has no source yet; wanted its files in DIR/{domain} of --data DIR"
)]
pub struct NoSource {
    /// The domain.
    pub domain: String,
}

/// The files of a domain on the Hub.
///
/// # Errors
/// The card does not say.
pub fn source_of(card: &Card) -> Result<Source, NoSource> {
    Err(NoSource {
        domain: card.name.clone(),
    })
}
