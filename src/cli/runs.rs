//! `promptshift list runs`: what the store holds; with `--prune`, removes what no report refers to.

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use comfy_table::{CellAlignment, ColumnConstraint, Table};
use serde::Serialize;

use super::run::StoreFlag;
use super::{Failure, estimate, help, print};
use promptshift_numbers::score::Metric;
use promptshift_numbers::store::{Begun, Entry, Kind, Store, StoredTraining, Unreferenced};
use promptshift_report::number;
use promptshift_text::domain::Task;

/// Flags of `list runs`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreFlag,
    /// Print a JSON array instead of the table: an object for each training, including those in progress and
    /// interrupted ones.
    #[arg(long, conflicts_with = "prune", help_heading = help::OUTPUT)]
    json: bool,
    /// List interrupted trainings, and trainings and answers that no report refers to; remove them if confirmed.
    ///
    /// A report refers to a training as long as its folder (--out) is where it was written. Nothing is removed while
    /// another promptshift uses the store.
    #[arg(long, help_heading = help::OUTPUT)]
    prune: bool,
    /// With --prune: do not ask. Required if standard input is not a terminal.
    #[arg(long, requires = "prune", help_heading = help::OUTPUT)]
    yes: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let store = Store::at(arguments.store.path());
    if !store.exists()? {
        return Ok(print::line(match arguments.json {
            true => "[]".to_owned(),
            false => format!("There is no store in {} yet.", store.path().display()),
        })?);
    }
    if arguments.prune {
        let consent = match arguments.yes {
            true => Consent::Given,
            false => Consent::Ask,
        };
        return prune(&store, consent);
    }
    let held = Held::of(&store)?;
    if arguments.json {
        return Ok(print::line(serde_json::to_string_pretty(&held.lines())?)?);
    }
    Ok(print::text(held.text(&store)?)?)
}

/// The contents of a store.
struct Held {
    entries: Vec<Entry>,
    begun: Vec<Begun>,
    unreferenced: Vec<Unreferenced>,
}

/// One object of the JSON. Unknown properties of a training are omitted.
#[derive(Serialize)]
struct Line<'a> {
    state: State,
    name: &'a str,
    folder: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_referred_to: Option<bool>,
    /// The process that is training it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<&'a str>,
    /// Why it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(flatten)]
    known: Option<Known<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Trained,
    Unreadable,
    UnderWay,
    BrokenOff,
}

/// The contents of a training's record.
#[derive(Serialize)]
struct Known<'a> {
    method: &'static str,
    seed: u64,
    source: &'a str,
    task: Task,
    model_sha256: &'a str,
    steps: usize,
    best_step: usize,
    metric: &'static str,
    best_validation_score: Option<f64>,
    train_seconds: f64,
    validation_seconds: f64,
    started_unix_seconds: u64,
    has_weights: bool,
    device: &'a str,
    processor: &'a str,
    command: &'a str,
}

impl<'a> Known<'a> {
    fn of(stored: &'a StoredTraining) -> Known<'a> {
        let (record, training) = (&stored.record, &stored.record.training);
        let best = (training.curve.iter()).find(|point| point.step == training.best_step);
        // Answers to source validation are in a file named after the source, `squad@validation.jsonl`.
        let file = &record.validation.predictions;
        Known {
            method: record.subject.method.name(),
            seed: record.subject.seed,
            source: file.split_once('@').map_or("?", |(source, _)| source),
            task: record.subject.task,
            model_sha256: &record.subject.model_sha256,
            steps: training.steps,
            best_step: training.best_step,
            metric: Metric::main(record.subject.task).name(),
            best_validation_score: best.map(|point| point.validation_score),
            train_seconds: training.train_seconds,
            validation_seconds: training.validation_seconds,
            started_unix_seconds: record.provenance.started_unix_seconds,
            has_weights: stored.trained().is_some(),
            device: &record.provenance.device,
            processor: &record.provenance.processor,
            command: &record.provenance.command,
        }
    }
}

impl Held {
    fn of(store: &Store) -> Result<Held, Failure> {
        Ok(Held {
            entries: store.entries()?,
            begun: store.begun()?,
            unreferenced: store.unreferenced()?,
        })
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let trained = self.entries.iter().map(|entry| Line {
            state: match entry.training {
                Ok(_) => State::Trained,
                Err(_) => State::Unreadable,
            },
            name: &entry.name,
            folder: entry.folder.display().to_string(),
            size_bytes: entry.bytes,
            is_referred_to: Some(entry.is_referred_to),
            claimed_by: None,
            problem: entry.training.as_ref().err().map(ToString::to_string),
            known: entry.training.as_ref().ok().map(Known::of),
        });
        let begun = self.begun.iter().map(|begun| Line {
            state: match begun.claimed_by {
                Some(_) => State::UnderWay,
                None => State::BrokenOff,
            },
            name: &begun.name,
            folder: begun.folder.display().to_string(),
            size_bytes: begun.bytes,
            is_referred_to: None,
            claimed_by: begun.claimed_by.as_deref(),
            problem: None,
            known: None,
        });
        trained.chain(begun).collect()
    }

    fn text(&self, store: &Store) -> Result<String, Failure> {
        let mut text = String::new();
        if !self.entries.is_empty() {
            text += &format!("{}\n", self.table());
        }
        for entry in &self.entries {
            if let Err(problem) = &entry.training {
                text += &format!("Damaged: {problem}\n");
            }
        }
        for begun in &self.begun {
            text += &match &begun.claimed_by {
                Some(owner) => format!("In progress: {}, by {owner}\n", begun.name),
                None => format!(
                    "Interrupted: {}, {}; the command that started it resumes it\n",
                    begun.name,
                    number::bytes(begun.bytes)
                ),
            };
        }
        let unreferenced = |kind| {
            let of_kind = self.unreferenced.iter().filter(move |one| one.kind == kind);
            (of_kind.clone().count(), of_kind.map(|one| one.bytes).sum())
        };
        let (trainings, training_bytes): (_, u64) = unreferenced(Kind::Training);
        let (answers, answer_bytes): (_, u64) = unreferenced(Kind::Answers);
        text += &format!(
            "{}, {}",
            match self.entries.len() {
                0 => "No trainings".to_owned(),
                some => number::count(some, "training"),
            },
            number::bytes(store.bytes()?)
        );
        if trainings + answers > 0 {
            text += &format!(
                "; no report refers to {}, {}",
                in_words(trainings, answers),
                number::bytes(training_bytes + answer_bytes)
            );
        }
        let path = store.path();
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        text += &format!("\nStore: {}\n", path.display());
        Ok(text)
    }

    fn table(&self) -> Table {
        let mut table = print::table(&[
            "method",
            "seed",
            "source",
            "model",
            "steps",
            "best\nval.",
            "time",
            "size",
            "date",
            "weights",
            "report",
        ]);
        for entry in &self.entries {
            table.add_row(row(entry));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 0));
            // Only these columns may be wrapped.
            if ![METHOD, SOURCE].contains(&index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            if [1, 4, 5, 6, 7].contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

const METHOD: usize = 0;
const SOURCE: usize = 2;

fn row(entry: &Entry) -> Vec<String> {
    let is = |is| if is { "yes" } else { "no" }.to_owned();
    let unknown = || "—".to_owned();
    let known = entry.training.as_ref().map(Known::of);
    let told = |tell: fn(&Known) -> String| known.as_ref().map_or_else(|_| unknown(), tell);
    // The name still identifies an unreadable training: `lora-seed1-1f…`.
    let named = entry.name.split_once("-seed");
    let (method, seed) = match (&known, named) {
        (Ok(known), _) => (known.method.to_owned(), known.seed.to_string()),
        (Err(_), Some((method, rest))) => {
            let seed = rest.split('-').next().unwrap_or_default();
            (format!("{method}, damaged"), seed.to_owned())
        }
        (Err(_), None) => ("damaged".to_owned(), unknown()),
    };
    vec![
        method,
        seed,
        told(|known| known.source.to_owned()),
        told(|known| known.model_sha256.chars().take(7).collect()),
        told(|known| known.steps.to_string()),
        told(|known| (known.best_validation_score).map_or_else(|| "—".to_owned(), number::percent)),
        told(|known| {
            let seconds = known.train_seconds + known.validation_seconds;
            estimate::in_words(Duration::from_secs_f64(seconds.max(0.0)))
        }),
        number::bytes(entry.bytes),
        told(|known| number::day(known.started_unix_seconds)),
        match &known {
            Ok(known) => is(known.has_weights),
            Err(_) => unknown(),
        },
        is(entry.is_referred_to),
    ]
}

/// `2 trainings`, `1 folder of answers`, `2 trainings and 1 folder of answers`.
fn in_words(trainings: usize, answers: usize) -> String {
    let mut parts = Vec::new();
    if trainings > 0 {
        parts.push(number::count(trainings, "training"));
    }
    if answers > 0 {
        parts.push(format!("{} of answers", number::count(answers, "folder")));
    }
    number::list(&parts)
}

/// How the user agrees to a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    /// With --yes.
    Given,
    /// The user is asked.
    Ask,
}

/// Lists what no report refers to, asks, and removes it.
fn prune(store: &Store, consent: Consent) -> Result<(), Failure> {
    let found = store.unreferenced()?;
    if found.is_empty() {
        return Ok(print::line(
            "Nothing to remove: reports refer to everything in the store.",
        )?);
    }
    print::line(removable(&found))?;
    for report in store.missing_reports()? {
        print::line(format_args!(
            "Ignored, since it no longer exists (it may have been moved): the report in {}",
            report.display()
        ))?;
    }
    let all = count(&found.iter().collect::<Vec<_>>());
    if consent == Consent::Ask {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(anyhow!(
                "removing {all} needs confirmation, but standard input is not a terminal; \
                 nothing was removed; --prune --yes removes without asking"
            )));
        }
        if !print::ask(format_args!("remove {all}?"))? {
            return Ok(print::line("Nothing was removed.")?);
        }
    }
    let pruning = store.prune()?;
    let (mut removed, mut left) = (Vec::new(), Vec::new());
    for one in &found {
        match pruning.remove(one)? {
            true => removed.push(one),
            false => left.push(one),
        }
    }
    pruning.forget_missing_reports()?;
    print::line(format_args!("Removed {}.", count(&removed)))?;
    for one in left {
        print::line(format_args!(
            "Not removed, since it is in use: {}",
            one.folder.display()
        ))?;
    }
    Ok(())
}

/// `3 folders, 1.2 MB`.
fn count(folders: &[&Unreferenced]) -> String {
    format!(
        "{}, {}",
        number::count(folders.len(), "folder"),
        number::bytes(folders.iter().map(|one| one.bytes).sum())
    )
}

fn removable(found: &[Unreferenced]) -> Table {
    let mut table = print::table(&["no report refers to", "name", "size"]);
    for one in found {
        let what = match one.kind {
            Kind::Answers => "answers",
            Kind::Training => "training",
            Kind::BrokenOff => "interrupted training",
            Kind::LeftOver => "partly removed",
        };
        table.add_row([what, &one.name, &number::bytes(one.bytes)]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
