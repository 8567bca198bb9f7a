//! `promptshift score DIR...`: stored predictions scored again, without any model.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use crate::domain::catalogue::Catalogue;
use crate::domain::{Gold, Task};
use crate::eval::score::metrics;
use crate::experiment::score_answer;
use crate::record::store::{StoredRecord, find};
use crate::record::{Evaluation, Prediction, Score};

/// Flags of `score`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders with records, at any depth.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The card of a domain of your own, in the form of datasets/*.toml; may be given several times.
    #[arg(long, value_name = "CARD")]
    domains: Vec<PathBuf>,
}

/// Runs it: a row for each evaluation and metric with the recorded and the new value.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let catalogue = Catalogue::with(&arguments.domains)?;
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["record", "domain", "metric", "recorded", "again"]);
    for folder in &arguments.folders {
        for stored in find(folder)? {
            for (evaluation, predictions) in
                stored.record.evaluations.iter().zip(&stored.predictions)
            {
                add_rows(&mut table, &catalogue, &stored, evaluation, predictions)?;
            }
        }
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    Ok(())
}

fn add_rows(
    table: &mut Table,
    catalogue: &Catalogue,
    stored: &StoredRecord,
    evaluation: &Evaluation,
    predictions: &[Prediction],
) -> anyhow::Result<()> {
    let source = catalogue.get(&stored.record.cell.source)?;
    let target = catalogue.get(&evaluation.domain)?;
    let scores: Vec<Score> = predictions
        .iter()
        .map(|prediction| {
            let gold = match prediction.score {
                Score::Span { .. } => Gold::Answers(prediction.answers.clone()),
                Score::Label { gold, .. } if target.task == Task::Coreference => Gold::Referent {
                    text: prediction.answers.concat(),
                    label: gold == 1,
                },
                Score::Label { gold, .. } => Gold::Label(gold),
                Score::Option { question, gold, .. } => Gold::Option {
                    question,
                    label: gold,
                },
            };
            score_answer(&prediction.prediction, &gold, source, target)
        })
        .collect();
    for (metric, again) in metrics(evaluation.task, &scores) {
        let recorded = evaluation.metrics.get(&metric);
        table.add_row([
            stored.folder.display().to_string(),
            evaluation.domain.clone(),
            metric,
            recorded.map_or("—".to_string(), |value| format!("{value:.6}")),
            format!("{again:.6}"),
        ]);
    }
    Ok(())
}
