//! A sweep: several transfers and models in one file, each a table whose keys are the flags of `transfer`.
//!
//! Every table becomes the command line of a transfer and is parsed like a typed one, so a new flag is a new
//! key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::progress::Verbosity;
use super::run::default_out;
use super::{Failure, run, transfer};
use crate::study::Study;
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::catalogue::did_you_mean;

/// One study of a sweep.
pub struct Swept {
    /// Its location, for messages: `sweep.toml:12`.
    pub place: String,
    /// The name of its folder below the sweep's.
    pub name: String,
    /// The study.
    pub study: Study,
}

/// The command line of one transfer, without a program's name.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    arguments: transfer::Arguments,
}

/// The tables of a file.
const DEFAULTS: &str = "defaults";
const TRANSFER: &str = "transfer";
/// The key whose lists form a grid with those of [`TRANSFER`].
const MODEL: &str = "model";

/// Keys with their lines and values.
type Keys<'a> = BTreeMap<&'a str, (usize, &'a DeValue<'a>)>;

/// The studies of a file, one for each transfer and model, in the file's order but grouped by model, so that
/// each model is loaded once. Prints each study's notes.
///
/// # Errors
/// It can't be read, has an invalid key or value, or contains a study twice.
pub fn read(path: &Path, verbosity: Verbosity) -> Result<Vec<Swept>, Failure> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let command = Line::command();
    let file = SweepFile {
        path,
        text: &text,
        known: known(&command),
    };
    let lines = file.lines().map_err(Failure::Usage)?;
    let mut swept: Vec<Swept> = Vec::new();
    for (place, words) in lines {
        let study = (file.study(&words, verbosity)).map_err(|failure| failure.at(&place))?;
        let name = default_out(&study);
        let name = name
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(earlier) = swept.iter().find(|one| one.name == name) {
            return Err(Failure::Usage(anyhow!(
                "{place}: wanted another transfer, model or recipe than at {}, found the same; methods and seeds that \
                 are compared stand in one list",
                earlier.place
            )));
        }
        swept.push(Swept { place, name, study });
    }
    let mut models: Vec<BackboneChoice> = Vec::new();
    swept.sort_by_cached_key(|one| {
        let model = &one.study.parts[0].plan.backbone;
        let known = models.iter().position(|known| known == model);
        known.unwrap_or_else(|| {
            models.push(model.clone());
            models.len() - 1
        })
    });
    Ok(swept)
}

/// The maximum number of studies in a file: lists of transfers and models multiply.
const STUDIES: usize = 1_000;

/// A file being read.
struct SweepFile<'a> {
    path: &'a Path,
    text: &'a str,
    /// The flags allowed in it, by name.
    known: BTreeMap<&'a str, &'a Arg>,
}

impl SweepFile<'_> {
    /// The command lines of its transfers, with their locations.
    fn lines(&self) -> anyhow::Result<Vec<(String, Words)>> {
        let parsed = DeTable::parse(self.text).map_err(|error| {
            anyhow!("{}: {}", self.path.display(), error.to_string().trim_end())
        })?;
        let top = self.keys(parsed.get_ref());
        for (key, (line, _)) in &top {
            if ![DEFAULTS, TRANSFER].contains(key) {
                let known = [DEFAULTS, TRANSFER];
                return Err(self.unknown(*line, key, "[defaults] or [[transfer]]", &known));
            }
        }
        let defaults = match top.get(DEFAULTS) {
            None => Keys::new(),
            Some((line, value)) => self.table(*line, "[defaults]", value)?,
        };
        let Some((line, DeValue::Array(tables))) = top.get(TRANSFER) else {
            return Err(anyhow!(
                "{}: wanted a table [[transfer]] for each transfer, found none",
                self.path.display()
            ));
        };
        let mut lines = Vec::new();
        for table in tables {
            let at = self.line(table.span().start).max(*line);
            let mut keys = defaults.clone();
            keys.extend(self.table(at, "[[transfer]]", table.get_ref())?);
            let (at, transfers) = keys.remove(TRANSFER).ok_or_else(|| {
                anyhow!(
                    "{}: wanted transfer = \"SOURCE->TARGET\" in the table, found none",
                    self.place(at)
                )
            })?;
            let models = keys.remove(MODEL);
            for transfer in self.texts(at, TRANSFER, transfers)? {
                let of_models = match models {
                    None => vec![None],
                    Some((line, models)) => {
                        let all = self.texts(line, MODEL, models)?;
                        all.into_iter().map(Some).collect()
                    }
                };
                for model in of_models {
                    let mut words = Words::default();
                    words.push(at, transfer.clone());
                    if let Some(model) = model {
                        words.push(at, format!("--{MODEL}={model}"));
                    }
                    for (key, (line, value)) in &keys {
                        self.add(&mut words, key, *line, value)?;
                    }
                    if lines.len() == STUDIES {
                        return Err(anyhow!(
                            "{}: wanted at most {STUDIES} studies in one file, found more",
                            self.place(at)
                        ));
                    }
                    lines.push((self.place(at), words));
                }
            }
        }
        Ok(lines)
    }

    /// Adds the flag of a key.
    fn add(
        &self,
        words: &mut Words,
        key: &str,
        line: usize,
        value: &DeValue,
    ) -> anyhow::Result<()> {
        let Some(argument) = self.known.get(key) else {
            let names: Vec<&str> = self.known.keys().copied().chain([TRANSFER]).collect();
            let given = run::PlanArguments::augment_args(Command::new("run"));
            if given.get_arguments().any(|one| one.get_long() == Some(key)) {
                return Err(anyhow!(
                    "{}: --{key} holds for the whole sweep: wanted it on the command line of `promptshift run`, found it \
                     in the file",
                    self.place(line)
                ));
            }
            let wanted = "a flag of `promptshift transfer` without its dashes";
            return Err(self.unknown(line, key, wanted, &names));
        };
        let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
        match value {
            DeValue::Boolean(is_set) if is_switch => {
                if *is_set {
                    words.push(line, format!("--{key}"));
                }
                return Ok(());
            }
            DeValue::Array(_) if !takes_list(argument) => {}
            _ if is_switch => {}
            _ => {
                let texts = self.texts(line, key, value)?;
                if matches!(argument.get_action(), ArgAction::Append) {
                    for text in texts {
                        words.push(line, format!("--{key}={text}"));
                    }
                } else {
                    let mut text = texts.join(",");
                    // A single number would be read as a count of seeds.
                    let is_list = matches!(value, DeValue::Array(_));
                    if is_list && texts.len() == 1 && argument.get_value_delimiter().is_none() {
                        text.push(',');
                    }
                    words.push(line, format!("--{key}={text}"));
                }
                return Ok(());
            }
        }
        let wanted = if is_switch {
            "true or false"
        } else {
            "one value"
        };
        Err(anyhow!(
            "{}: {key}: wanted {wanted}, found {}",
            self.place(line),
            in_words(value)
        ))
    }

    /// The study of a transfer's command line.
    fn study(&self, words: &Words, verbosity: Verbosity) -> Result<Study, Failure> {
        let parsed = Line::command()
            .try_get_matches_from(&words.words)
            .and_then(|typed| Line::from_arg_matches(&typed));
        let line = parsed.map_err(|error| {
            let text = error.to_string();
            let text = text.trim_start_matches("error: ");
            let text = text.split("\n\n").next().unwrap_or_default().trim_end();
            Failure::Usage(match words.line_of(&error) {
                Some(line) => anyhow!("line {line}: {text}"),
                None => anyhow!("{text}"),
            })
        })?;
        Ok(transfer::typed(&line.arguments, verbosity)?.study)
    }

    fn table<'t>(
        &self,
        line: usize,
        name: &str,
        value: &'t DeValue<'t>,
    ) -> anyhow::Result<Keys<'t>> {
        match value {
            DeValue::Table(table) => Ok(self.keys(table)),
            other => Err(anyhow!(
                "{}: wanted a table {name}, found {}",
                self.place(line),
                in_words(other)
            )),
        }
    }

    fn keys<'t>(&self, table: &'t DeTable<'t>) -> Keys<'t> {
        let one = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let key: &'t Spanned<std::borrow::Cow<'t, str>> = key;
            let line = self.line(key.span().start);
            (key.get_ref().as_ref(), (line, value.get_ref()))
        };
        table.iter().map(one).collect()
    }

    /// The value, or the values of a list, as they would be typed.
    fn texts(&self, line: usize, key: &str, value: &DeValue) -> anyhow::Result<Vec<String>> {
        let text = |value: &DeValue| match value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            _ => None,
        };
        let all: Vec<&DeValue> = match value {
            DeValue::Array(list) => list.iter().map(Spanned::get_ref).collect(),
            one => vec![one],
        };
        let texts: Option<Vec<String>> = all.iter().map(|one| text(one)).collect();
        match texts {
            Some(texts) if !texts.is_empty() => Ok(texts),
            _ => Err(anyhow!(
                "{}: {key}: wanted a text, a decimal number or a list of them, found {}",
                self.place(line),
                in_words(value)
            )),
        }
    }

    fn unknown(&self, line: usize, key: &str, wanted: &str, known: &[&str]) -> anyhow::Error {
        let near = did_you_mean(key, known.iter().copied());
        let hint = (near.first()).map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        anyhow!("{}: wanted {wanted}, found '{key}'{hint}", self.place(line))
    }

    /// The line of a byte offset, from 1.
    fn line(&self, byte: usize) -> usize {
        1 + self.text[..byte.min(self.text.len())].matches('\n').count()
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

/// A command line, with the file's line of each word.
#[derive(Default)]
struct Words {
    words: Vec<String>,
    lines: Vec<usize>,
}

impl Words {
    fn push(&mut self, line: usize, word: String) {
        self.words.push(word);
        self.lines.push(line);
    }

    /// The line of the flag that an error is about.
    fn line_of(&self, error: &clap::Error) -> Option<usize> {
        let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
            return None;
        };
        let flag = flag.split([' ', '=']).next()?;
        let at = self
            .words
            .iter()
            .position(|word| word.split('=').next() == Some(flag))?;
        self.lines.get(at).copied()
    }
}

/// The flags of `transfer` allowed in a file, by name: all but those of the command that runs it.
fn known(command: &Command) -> BTreeMap<&str, &Arg> {
    let given = run::PlanArguments::augment_args(Command::new("run"));
    let given: BTreeSet<&str> = given.get_arguments().filter_map(Arg::get_long).collect();
    let flags = command.get_arguments();
    let named = flags.filter_map(|flag| Some((flag.get_long()?, flag)));
    named.filter(|(name, _)| !given.contains(name)).collect()
}

/// Whether a flag takes several values: repeated, or separated by commas.
fn takes_list(flag: &Arg) -> bool {
    let names = flag.get_value_names().unwrap_or_default();
    let is_list = names.iter().any(|name| name.ends_with("LIST"));
    is_list
        || flag.get_value_delimiter().is_some()
        || matches!(flag.get_action(), ArgAction::Append)
}

fn in_words(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => format!("'{text}'"),
        DeValue::Integer(number) => format!("{} in base {}", number.as_str(), number.radix()),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(is_set) => is_set.to_string(),
        other => format!("a value of type {}", other.type_str()),
    }
}
