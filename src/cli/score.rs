//! `promptshift score PATH...`: scores stored predictions again, without a model.

use super::print;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use comfy_table::Table;

use crate::experiment::score_answer;
use promptshift_numbers::predictions::{self, Line};
use promptshift_numbers::record::folder::find;
use promptshift_numbers::record::{Prediction, Score, Texts};
use promptshift_numbers::score::{Metric, metrics};
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::labels::LabelMap;
use promptshift_text::domain::{Gold, Task};

/// Flags of `score`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders with records, at any depth, or files that `predict` wrote.
    #[arg(required = true, value_name = "DIR|P.jsonl")]
    paths: Vec<PathBuf>,
    /// The card of your own domain, like datasets/*.toml; may be repeated.
    #[arg(long, value_name = "CARD")]
    domains: Vec<PathBuf>,
}

/// Runs the command: a row for each evaluation and metric with the recorded and the new value.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let catalogue = Catalogue::with(&arguments.domains)?;
    let mut table = print::table(&["record", "domain", "metric", "recorded", "again"]);
    for path in &arguments.paths {
        if path.is_file() {
            add_file(&mut table, &catalogue, path)?;
        } else {
            add_records(&mut table, &catalogue, path)?;
        }
    }
    print::right_align(&mut table, 3..5);
    print::line(table)
}

/// The records in a folder.
fn add_records(table: &mut Table, catalogue: &Catalogue, folder: &Path) -> anyhow::Result<()> {
    for stored in find(folder)? {
        if stored.record.texts == Texts::Hashed {
            bail!(
                "{}: wanted predictions with their texts, found hashes of them (`redact` wrote it)",
                stored.folder.display()
            );
        }
        let source = catalogue.source(&stored.record.cell.setting.source)?;
        for (evaluation, predictions) in stored.record.evaluations.iter().zip(&stored.predictions) {
            let target = catalogue.source(&evaluation.domain)?;
            let labels = LabelMap::between(&source, &target)?;
            let scores: Vec<Score> = predictions
                .iter()
                .map(|prediction| again(prediction, &labels))
                .collect();
            let name = stored.folder.display().to_string();
            let again = metrics(evaluation.task, &scores);
            add_rows(
                table,
                &name,
                &evaluation.domain,
                &evaluation.metrics,
                &again,
            );
        }
    }
    Ok(())
}

/// Adds a file of predictions, by domain.
fn add_file(table: &mut Table, catalogue: &Catalogue, path: &Path) -> anyhow::Result<()> {
    let mut by_domain: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    let lines = predictions::read(path)?;
    for line in &lines {
        by_domain.entry(&line.domain).or_default().push(line);
    }
    for (domain, lines) in by_domain {
        let target = catalogue.get(domain)?;
        let (mut recorded, mut scores) = (Vec::new(), Vec::new());
        for line in lines {
            let Prediction { id, score, .. } = &line.prediction;
            // A score of another kind of task does not contribute to the metric.
            if Metric::main(target.task).contribution(score).denominator == 0.0 {
                bail!(
                    "{}: '{id}': wanted a score for {}, the task of '{domain}', found one for another task",
                    path.display(),
                    target.task
                );
            }
            let source = match &line.tuned_on {
                Some(source) => catalogue.source(source)?,
                None => target.clone(),
            };
            recorded.push(*score);
            scores.push(again(
                &line.prediction,
                &LabelMap::between(&source, &target)?,
            ));
        }
        let (recorded, again) = (
            metrics(target.task, &recorded),
            metrics(target.task, &scores),
        );
        add_rows(
            table,
            &path.display().to_string(),
            domain,
            &recorded,
            &again,
        );
    }
    Ok(())
}

/// A prediction, scored again.
fn again(prediction: &Prediction, labels: &LabelMap) -> Score {
    let gold = match prediction.score {
        Score::Span { .. } => Gold::Answers(prediction.answers.clone()),
        Score::Label { gold, .. } if labels.target().task == Task::Coreference => Gold::Referent {
            text: prediction.answers.concat(),
            label: gold == 1,
        },
        Score::Label { gold, .. } => Gold::Label(gold),
        Score::Option { question, gold, .. } => Gold::Option {
            question,
            label: gold,
        },
    };
    score_answer(&prediction.prediction, &gold, labels)
}

fn add_rows(
    table: &mut Table,
    name: &str,
    domain: &str,
    recorded: &BTreeMap<String, f64>,
    again: &BTreeMap<String, f64>,
) {
    for (metric, again) in again {
        let recorded = recorded.get(metric);
        table.add_row([
            name.to_string(),
            domain.to_string(),
            metric.clone(),
            recorded.map_or("—".to_string(), |value| format!("{value:.6}")),
            format!("{again:.6}"),
        ]);
    }
}
