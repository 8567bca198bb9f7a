//! `promptshift verify DOMAIN...`: checks domains against their cards.

use anyhow::anyhow;
use clap::Args;

use super::Failure;
use super::data::Data;
use super::{print, table};
use promptshift_text::domain::verify::{Outcome, verify};

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The domains' names.
    #[arg(required = true, value_name = "DOMAIN")]
    names: Vec<String>,
    #[command(flatten)]
    data: Data,
}

/// Runs the command: a row for each check, and an error if one fails.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let catalogue = arguments.data.catalogue()?;
    let suite = (arguments.data.suite(&catalogue)).map_err(Failure::Usage)?;
    let cards = (arguments.names.iter())
        .map(|name| catalogue.get(name))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::Usage(error.into()))?;
    let mut table = table::new(&["domain", "split", "check", "wanted", "found", ""]);
    let (mut failed, mut all) = (0, 0);
    for card in cards {
        for check in verify(&suite, &card)? {
            all += 1;
            failed += usize::from(check.outcome == Outcome::Fails);
            table.add_row([
                card.name.clone(),
                check.split.to_string(),
                check.what.to_string(),
                check.wanted,
                check.found,
                check.outcome.to_string(),
            ]);
        }
    }
    print::line(table)?;
    if failed > 0 {
        return Err(Failure::Run(anyhow!("{failed} of {all} checks failed")));
    }
    Ok(())
}
