//! Exports records as a model card for the Hugging Face Hub: its front matter has a `model-index` (the Hub's
//! specification, <https://github.com/huggingface/hub-docs/blob/main/modelcard.md>), its body a table and the commands.
//! Zero-shot scores only.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ExportError;
use crate::document::plain;
use crate::number::{count, metric_title, percent};
use crate::study::check_record;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Evaluation, Provenance, Record, Role, Setting};
use promptshift_text::domain::Task;

/// A card in the making, from one record after another: only scores and provenance are kept.
#[derive(Debug, Default)]
pub struct ModelCard {
    models: Vec<(String, Record)>,
}

impl ModelCard {
    /// Adds a record as a model of its own.
    ///
    /// # Errors
    /// Its metrics differ from those of its predictions.
    pub fn add(&mut self, stored: StoredRecord) -> Result<(), ExportError> {
        check_record(&stored).map_err(|error| ExportError::Record(Box::new(error)))?;
        let name = name(&stored.record);
        let is_taken = self.models.iter().any(|(known, _)| *known == name);
        let name = match is_taken {
            // For example two settings of an ablation.
            true => format!("{name}, {}", stored.folder.display()),
            false => name,
        };
        self.models.push((name, stored.record));
        Ok(())
    }

    /// The text of the file `README.md`.
    pub fn text(&self) -> String {
        let index: Vec<Value> = (self.models.iter())
            .map(|(name, record)| json!({"name": name, "results": results(record)}))
            .collect();
        // JSON is YAML.
        let index = serde_json::to_string_pretty(&index).expect("plain data");
        let index = index.replace('\n', "\n  ");
        let mut card = format!(
            "---\nmodel-index:\n  {index}\n---\n\n# Scores by promptshift\n\n| model | domain | rows | metric | % |\n\
             | --- | --- | ---: | --- | ---: |\n"
        );
        for (name, record) in &self.models {
            for evaluation in &record.evaluations {
                card += &rows(name, evaluation);
            }
        }
        let commands: BTreeSet<String> = (self.models.iter())
            .map(|(_, record)| {
                let Provenance {
                    version,
                    revision,
                    command,
                    ..
                } = &record.provenance;
                format!(
                    "- promptshift {version} ({revision}): `{}`\n",
                    command.replace('`', "'")
                )
            })
            .collect();
        card += "\nComputed by:\n\n";
        card.extend(commands);
        card
    }
}

/// The rows of the table of one evaluation.
fn rows(name: &str, evaluation: &Evaluation) -> String {
    let metrics = evaluation.task.metrics().into_iter();
    let row = |metric: &'static str| {
        let value = evaluation.metrics.get(metric)?;
        Some(format!(
            "| {} | {} ({}) | {} | {} | {} |\n",
            plain(name),
            plain(&evaluation.domain),
            role(evaluation.role),
            evaluation.examples,
            metric_title(metric),
            percent(*value)
        ))
    };
    metrics.filter_map(row).collect()
}

/// `nano, prompt tuning on squad, seed 0`.
fn name(record: &Record) -> String {
    let cell = &record.cell;
    let Setting { model, source, .. } = &cell.setting;
    match cell.method {
        Method::Untuned => format!("{model}, {}", cell.title()),
        _ => format!("{model}, {} on {source}, seed {}", cell.title(), cell.seed),
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Source => "source",
        Role::Target => "target",
    }
}

fn results(record: &Record) -> Vec<Value> {
    let of = |evaluation: &Evaluation| {
        let metrics: Vec<Value> = (evaluation.task.metrics().into_iter())
            .filter_map(|metric| {
                let value = 100.0 * evaluation.metrics.get(metric)?;
                Some(match metric {
                    // The Hub knows averages of F1 as its arguments.
                    "macro_f1" => json!({
                        "type": "f1", "name": "macro F1", "value": value, "args": {"average": "macro"}
                    }),
                    other => json!({"type": other, "name": metric_title(other), "value": value}),
                })
            })
            .collect();
        json!({
            "task": {"type": task(evaluation.task)},
            "dataset": {
                "type": evaluation.domain,
                "name": format!(
                    "{} ({}), {} of suite {}",
                    evaluation.domain,
                    role(evaluation.role),
                    count(evaluation.examples, "row"),
                    record.cell.setting.suite
                ),
                "split": evaluation.split,
                "args": {
                    "predictions_sha256": evaluation.predictions_sha256,
                    "model_sha256": record.provenance.model_sha256,
                },
            },
            "metrics": metrics,
        })
    };
    record.evaluations.iter().map(of).collect()
}

/// The Hub's name of a task.
fn task(task: Task) -> &'static str {
    match task {
        Task::ExtractiveQa | Task::YesNoQa | Task::AnswerJudging | Task::ClozeQa => {
            "question-answering"
        }
        Task::CauseOrEffect | Task::Coreference => "multiple-choice",
        Task::Paraphrase
        | Task::Entailment
        | Task::WordSense
        | Task::Sentiment
        | Task::Toxicity => "text-classification",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn a_card_has_every_score_of_its_records() {
        let records = Fixture::pairs().records();
        let mut card = ModelCard::default();
        for stored in &records {
            card.add(stored.clone()).expect("consistent records");
        }
        // The same cell again, as from another folder.
        card.add(records[0].clone()).expect("consistent records");
        assert_ne!(card.models[0].0, card.models[records.len()].0);
        card.models.pop();
        let card = card.text();
        let parts: Vec<&str> = card.splitn(3, "---\n").collect();
        let index = parts[1].strip_prefix("model-index:\n").expect("the key");
        let index: Value = serde_json::from_str(index).expect("JSON, which is YAML");
        let models = index.as_array().expect("a list");
        assert_eq!(models.len(), records.len());
        let last = records.last().expect("records");
        let model = &models[records.len() - 1];
        assert_eq!(model["name"], "nano, model tuning on qqp, seed 2");
        for (result, evaluation) in
            (model["results"].as_array().expect("a list").iter()).zip(&last.record.evaluations)
        {
            assert_eq!(result["task"]["type"], "text-classification");
            assert_eq!(result["dataset"]["type"], evaluation.domain.as_str());
            let accuracy = &result["metrics"][0];
            assert_eq!(accuracy["type"], "accuracy");
            let value = accuracy["value"].as_f64().expect("a number");
            assert!((value - 100.0 * evaluation.metrics["accuracy"]).abs() < 1e-9);
        }
        let rows = parts[2].lines().filter(|line| line.starts_with("| nano"));
        // Two metrics on two domains.
        assert_eq!(rows.count(), 4 * records.len());
        let command = &last.record.provenance.command;
        assert!(parts[2].contains(command.as_str()), "{}", parts[2]);
    }

    #[test]
    fn a_record_that_contradicts_its_predictions_has_no_card() {
        let mut records = Fixture::pairs().records();
        let metrics = &mut records[1].record.evaluations[0].metrics;
        metrics.insert("accuracy".to_owned(), 0.999);
        let added = ModelCard::default().add(records.remove(1));
        assert!(matches!(added, Err(ExportError::Record(_))));
    }
}
