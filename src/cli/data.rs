//! The flags that select domains.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::help;
use promptshift_text::domain::card::MINI;
use promptshift_text::domain::catalogue::{Catalogue, CatalogueError};
use promptshift_text::domain::suite::Suite;
use promptshift_text::hub;

/// Flags of every verb that reads domains.
#[derive(Debug, Args)]
#[command(next_help_heading = help::DATA)]
pub struct Data {
    /// Where domains come from: mini (bundled), hub (fetched), mrqa (a part of hub).
    ///
    /// 'mini' is generated text; 'hub' is every real domain that `promptshift fetch` downloaded. `promptshift list
    /// suites` shows what each contains.
    #[arg(
        long,
        value_name = "SUITE",
        default_value = MINI,
        conflicts_with = "data"
    )]
    suite: String,
    /// A folder of real data instead of a suite, with a subfolder for each domain.
    ///
    /// DIR/DOMAIN/train.parquet, validation.parquet, test.parquet, their parts (train-00000-of-00002.parquet,
    /// train/0000.parquet), MRQA's .jsonl.gz or .jsonl, or downloads of the Hub's repositories in DIR/DOMAIN,
    /// DIR/OWNER/REPOSITORY or DIR/REPOSITORY.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The card of your own domain, like datasets/*.toml; may be repeated.
    #[arg(long, value_name = "CARD")]
    domains: Vec<PathBuf>,
}

impl Data {
    /// The selected suite.
    ///
    /// # Errors
    /// The folder does not exist, no suite has this name, or the Hub cache's folder can't be determined.
    pub fn suite(&self, catalogue: &Catalogue) -> anyhow::Result<Suite> {
        match &self.data {
            Some(folder) if folder.is_file() => bail!(
                "--data {}: wanted a folder with a subfolder for each domain, found a file; to answer one file, use \
                 `promptshift predict --data FILE`",
                folder.display()
            ),
            Some(folder) if !folder.is_dir() => bail!(
                "--data {}: wanted a folder of domains, found none",
                folder.display()
            ),
            Some(folder) => Ok(Suite::Folder(folder.clone())),
            None => catalogue.suite(&self.suite, || Ok(hub::cache_from_env()?)),
        }
    }

    /// The card files of the user's own domains.
    pub fn cards(&self) -> Vec<PathBuf> {
        self.domains.clone()
    }

    /// The bundled domains and the user's own.
    ///
    /// # Errors
    /// A card can't be read, or has the name of a known domain.
    pub fn catalogue(&self) -> Result<Catalogue, CatalogueError> {
        Catalogue::with(&self.domains)
    }
}
