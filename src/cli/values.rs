//! Values of flags that several commands share.

use std::path::Path;
use std::str::FromStr;

use anyhow::bail;

use super::print;
use promptshift_numbers::recipe::{Method, PromptInit, PromptStart, Recipe};
use promptshift_numbers::record::TunedElsewhere;
use promptshift_tensors::tuning::saved::PromptFile;
use promptshift_text::domain::AnswerForm;
use promptshift_text::domain::catalogue::did_you_mean;

/// `--seeds`.
#[derive(Debug, Clone)]
pub(super) struct Seeds(pub(super) Vec<u64>);

/// The maximum number of seeds: a larger count is a mistake, and its list is not allocated.
const MOST_SEEDS: u64 = 10_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("wanted a count (3) or a list of seeds (0,1,2), found '{text}'");
        // A comma at the end distinguishes a list of one seed (7,) from a count (7).
        let listed = text.strip_suffix(',').unwrap_or(text);
        let mut numbers = listed
            .split(',')
            .map(|seed| seed.trim().parse::<u64>().map_err(|_| wanted()))
            .collect::<Result<Vec<u64>, String>>()?;
        if !text.contains(',') {
            if numbers[0] > MOST_SEEDS {
                return Err(format!("wanted at most {MOST_SEEDS} seeds, found '{text}'"));
            }
            numbers = (0..numbers[0]).collect();
        }
        let mut distinct = numbers.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if numbers.is_empty() || distinct.len() < numbers.len() {
            return Err(wanted());
        }
        Ok(Seeds(numbers))
    }
}

/// `--init`.
#[derive(Debug, Clone)]
pub(super) struct Init(pub(super) PromptInit);

impl FromStr for Init {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Init(match text {
            "uniform" => PromptInit::Uniform,
            "uniform-one-sided" => PromptInit::UniformOneSided,
            "vocab" => PromptInit::Vocab,
            "labels" => PromptInit::Labels,
            _ => match (text.strip_prefix("text:"), text.strip_prefix("file:")) {
                (Some(words), _) => PromptInit::Text(words.to_string()),
                (None, Some(path)) => {
                    let file = PromptFile::open(Path::new(path)).map_err(|e| e.to_string())?;
                    print::warn(&file.origin.notes(&file.path));
                    PromptInit::File(PromptStart {
                        path: path.to_string(),
                        sha256: file.vectors.sha256(),
                        tuned_on: file.origin.tuned_on(),
                    })
                }
                (None, None) => {
                    return Err(format!(
                        "wanted uniform, uniform-one-sided, vocab, labels, text:SOME WORDS or \
                         file:PROMPT, found '{text}'"
                    ));
                }
            },
        }))
    }
}

/// The word for an initialisation in names of folders.
pub(super) fn init_kind(init: &PromptInit) -> &'static str {
    match init {
        PromptInit::Uniform => "uniform",
        PromptInit::UniformOneSided => "uniform-one-sided",
        PromptInit::Vocab => "vocab",
        PromptInit::Labels => "labels",
        PromptInit::Text(_) => "text",
        PromptInit::File(_) => "file",
    }
}

/// The value of `--init` for an initialisation.
pub(super) fn init_flag(init: &PromptInit) -> String {
    match init {
        PromptInit::Text(words) => format!("text:{words}"),
        PromptInit::File(start) => format!("file:{}", start.path),
        other => init_kind(other).to_owned(),
    }
}

/// `--tuned`: the runs of something tuned elsewhere. What they contain is determined once the model is loaded.
#[derive(Debug, Clone)]
pub(super) struct Elsewhere(pub(super) Vec<TunedElsewhere>);

impl FromStr for Elsewhere {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("wanted NAME=DIR or NAME=DIR,DIR, found '{text}'");
        let (name, paths) = text.split_once('=').ok_or_else(wanted)?;
        let is_plain = |sign: char| sign.is_alphanumeric() || " -_.".contains(sign);
        if name.trim().is_empty() || !name.chars().all(is_plain) {
            return Err(format!(
                "wanted a name of letters, digits, spaces and - _ . before the =, found '{name}'"
            ));
        }
        let mut runs: Vec<TunedElsewhere> = Vec::new();
        for path in paths.split(',') {
            if path.is_empty() || runs.iter().any(|run| run.path == path) {
                return Err(wanted());
            }
            if !Path::new(path).exists() {
                return Err(format!("'{path}' does not exist"));
            }
            runs.push(TunedElsewhere::at(name.trim(), path));
        }
        Ok(Elsewhere(runs))
    }
}

/// `--answers`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answers(pub(super) AnswerForm);

impl FromStr for Answers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [AnswerForm::Padded, AnswerForm::Raw]
            .into_iter()
            .find(|form| form.name() == text)
            .map(Answers)
            .ok_or_else(|| format!("wanted padded or raw, found '{text}'"))
    }
}

/// An integer of at least 1.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("wanted an integer of at least 1".to_string()),
        Ok(number) => Ok(number),
    }
}

/// `--trials`: at least two, since a single trial is no search.
pub(super) fn trials(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (2..=Recipe::MOST_TRIALS).contains(&count) => Ok(count),
        _ => Err(format!(
            "wanted 2 to {} trials, the size of the grid",
            Recipe::MOST_TRIALS
        )),
    }
}

/// The method of this name; the error suggests the nearest known one.
pub fn method(name: &str) -> anyhow::Result<Method> {
    let known: Vec<&str> = Method::offered().map(Method::name).collect();
    if let Some(method) = Method::offered().find(|m| m.name() == name) {
        return Ok(method);
    }
    let hint = match did_you_mean(name, known.iter().copied()).first() {
        Some(near) => format!("did you mean '{near}'? "),
        None => String::new(),
    };
    bail!("unknown method '{name}': {hint}known: {}", known.join(", "))
}
