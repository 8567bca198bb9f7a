//! `promptshift datasets`: regenerates the miniature domains from their grammars.

use std::path::PathBuf;

use clap::Args;

use super::progress::Verbosity;
use promptshift_text::domain::Split;
use promptshift_text::synthetic::{self, MINI_SEED};

/// Flags of `datasets`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder for `<domain>/<split>.parquet`.
    #[arg(long, value_name = "DIR", default_value = "datasets/mini")]
    out: PathBuf,
    /// The seed; the default made the bundled files.
    #[arg(long, default_value_t = MINI_SEED)]
    seed: u64,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    for domain in synthetic::domains() {
        for split in Split::ALL {
            let rows = synthetic::rows(
                domain,
                split,
                arguments.seed,
                synthetic::sizes(domain, split),
            );
            let folder = arguments.out.join(domain.name);
            std::fs::create_dir_all(&folder)
                .map_err(|error| anyhow::anyhow!("{}: {error}", folder.display()))?;
            synthetic::write_parquet(
                &rows,
                domain,
                &folder.join(format!("{}.parquet", split.name())),
            )?;
        }
        Verbosity::of_terminal().say(&format!("{}: {}", domain.name, domain.about()));
    }
    Ok(())
}
