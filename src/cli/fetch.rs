//! `promptshift fetch NAME...` fetches models and domains into the Hub's cache; `promptshift verify
//! DOMAIN...` checks domains against their cards.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use indicatif::HumanBytes;

use super::progress::{Bar, Verbosity};
use super::selection::Data;
use super::{Failure, print};
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::remote;
use promptshift_text::domain::verify::{Outcome, verify};
use promptshift_text::hub::{self, Arrival, Event, Fetched, Network, Settings, Source};

/// Flags of `fetch`.
#[derive(Debug, Args)]
pub struct FetchArguments {
    /// Domains, as `list` names them, and models (OWNER/NAME).
    #[arg(value_name = "NAME", required_unless_present = "models")]
    names: Vec<String>,
    /// A model of the Hub: google/t5-base-lm-adapt.
    #[arg(long = "model", value_name = "OWNER/NAME")]
    models: Vec<String>,
    /// The card of your own domain, like datasets/*.toml; may be repeated.
    #[arg(long, value_name = "CARD")]
    domains: Vec<PathBuf>,
    /// A branch, tag or commit, instead of main or the cards' revisions.
    #[arg(long, value_name = "R")]
    revision: Option<String>,
    /// Print only errors on standard error.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command: prints the folder of each, in the order requested.
pub fn run_fetch(arguments: &FetchArguments) -> Result<(), Failure> {
    let sources = sources(arguments)?;
    let settings = Settings::from_env().map_err(Failure::usage)?;
    let verbosity = if arguments.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::of_terminal()
    };
    for source in &sources {
        let mut work: Option<Bar> = None;
        let result = hub::fetch(source, &settings, &mut |event| match event {
            Event::Started { file, bytes } => work = Some(verbosity.download(file, bytes)),
            Event::At { bytes } => {
                if let Some(work) = &mut work {
                    work.at(usize::try_from(bytes).unwrap_or(usize::MAX), "");
                }
            }
            Event::Ended => {
                if let Some(work) = work.take() {
                    work.end();
                }
            }
            Event::Damaged { file } => {
                verbosity.say(&format!(
                    "{file}: damaged in the cache (its checksum differs from the Hub's): discarded and fetched again"
                ));
            }
        });
        if let Some(work) = work.take() {
            work.end();
        }
        let fetched = result?;
        verbosity.say(&in_words(source, &fetched, settings.network));
        print::line(fetched.folder.display())?;
    }
    Ok(())
}

/// The sources to fetch; an unknown name is a usage error.
fn sources(arguments: &FetchArguments) -> Result<Vec<Source>, Failure> {
    let usage = |error: anyhow::Error| Failure::Usage(error);
    let catalogue = Catalogue::with(&arguments.domains)?;
    let mut sources = Vec::new();
    for name in &arguments.names {
        sources.push(if name.contains('/') {
            Source::model(name).map_err(|error| usage(error.into()))?
        } else {
            let card = catalogue.get(name).map_err(|error| usage(error.into()))?;
            remote::source_of(&card)?
        });
    }
    for name in &arguments.models {
        sources.push(Source::model(name).map_err(|error| usage(error.into()))?);
    }
    if let Some(revision) = &arguments.revision {
        sources = (sources.into_iter())
            .map(|source| source.at(revision))
            .collect::<Result<_, _>>()
            .map_err(|error| usage(error.into()))?;
    }
    Ok(sources)
}

/// `google/t5-base-lm-adapt: 3 files, 990 MiB, 2 of them downloaded`.
fn in_words(source: &Source, fetched: &Fetched, network: Network) -> String {
    let name = source.repository();
    if network == Network::Forbidden {
        return format!("{name}: in the cache; the Hub was not contacted (HF_HUB_OFFLINE)");
    }
    let bytes: u64 = fetched.files.iter().map(|file| file.bytes).sum();
    let downloaded = (fetched.files.iter())
        .filter(|file| file.arrival == Arrival::Downloaded)
        .count();
    let downloaded = match downloaded {
        0 => "all in the cache already".to_string(),
        count if count == fetched.files.len() => "downloaded".to_string(),
        count => format!("{count} downloaded, the others in the cache already"),
    };
    let (count, size) = (fetched.files.len(), HumanBytes(bytes));
    let files = if count == 1 { "file" } else { "files" };
    format!("{name}: {count} {files}, {size}, {downloaded}")
}

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The domains' names.
    #[arg(required = true, value_name = "DOMAIN")]
    names: Vec<String>,
    #[command(flatten)]
    data: Data,
}

/// Runs the command: a row for each check, and an error if one fails.
pub fn run_verify(arguments: VerifyArguments) -> Result<(), Failure> {
    let catalogue = arguments.data.catalogue()?;
    let suite = (arguments.data.suite(&catalogue)).map_err(Failure::Usage)?;
    let cards = (arguments.names.iter())
        .map(|name| catalogue.get(name))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::usage)?;
    let mut table = print::table(&["domain", "split", "check", "wanted", "found", ""]);
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
