//! Exports records as a model card for the Hugging Face Hub: its front matter has a `model-index` (the Hub's
//! specification, <https://github.com/huggingface/hub-docs/blob/main/modelcard.md>), its body a table and the commands.
//! Nothing of a record is rounded away: digests and commands let a reader find and repeat it.

use serde_json::{Value, json};

use super::ExportError;
use crate::document::plain;
use crate::number::{count, metric_title, percent};
use crate::study::check_record;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Evaluation, Record, Role};
use promptshift_text::domain::Task;

/// The card of these records, each as a model of its own.
///
/// # Errors
/// A record's metrics differ from those of its predictions.
pub fn model_card(records: &[StoredRecord]) -> Result<String, ExportError> {
    for stored in records {
        check_record(stored).map_err(|error| ExportError::Record(Box::new(error)))?;
    }
    let index: Vec<Value> = (records.iter())
        .map(|stored| json!({"name": name(&stored.record), "results": results(&stored.record)}))
        .collect();
    // JSON is YAML.
    let index = serde_json::to_string_pretty(&index).expect("plain data");
    let index = index.replace('\n', "\n  ");
    let mut card = format!(
        "---\nmodel-index:\n  {index}\n---\n\n# Scores by promptshift\n\n| model | domain | rows | metric | % |\n\
         | --- | --- | ---: | --- | ---: |\n"
    );
    for Stored(record, evaluation) in evaluations(records) {
        for metric in evaluation.task.metrics() {
            if let Some(value) = evaluation.metrics.get(metric) {
                card += &format!(
                    "| {} | {} ({}) | {} | {} | {} |\n",
                    plain(&name(record)),
                    plain(&evaluation.domain),
                    role(evaluation.role),
                    evaluation.examples,
                    metric_title(metric),
                    percent(*value)
                );
            }
        }
    }
    let mut commands: Vec<String> = (records.iter())
        .map(|stored| {
            let provenance = &stored.record.provenance;
            format!(
                "promptshift {} ({}): `{}`",
                provenance.version,
                provenance.revision,
                provenance.command.replace('`', "'")
            )
        })
        .collect();
    commands.dedup();
    card += "\nComputed by:\n\n";
    for command in commands {
        card += &format!("- {command}\n");
    }
    Ok(card)
}

/// An evaluation with its record.
struct Stored<'a>(&'a Record, &'a Evaluation);

fn evaluations(records: &[StoredRecord]) -> impl Iterator<Item = Stored<'_>> {
    records.iter().flat_map(|stored| {
        let own = stored.record.evaluations.iter();
        own.map(|evaluation| Stored(&stored.record, evaluation))
    })
}

/// `nano, prompt tuning on squad, seed 0`.
fn name(record: &Record) -> String {
    let cell = &record.cell;
    format!(
        "{}, {} on {}, seed {}",
        cell.setting.model,
        cell.method.title(),
        cell.setting.source,
        cell.seed
    )
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Source => "source",
        Role::Target => "target",
    }
}

fn results(record: &Record) -> Vec<Value> {
    let provenance = &record.provenance;
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
            },
            "metrics": metrics,
            "source": {
                "name": format!("promptshift {} ({})", provenance.version, provenance.revision),
                "predictions_sha256": evaluation.predictions_sha256,
                "model_sha256": provenance.model_sha256,
            },
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
        let card = model_card(&records).expect("consistent records");
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
        records[1].record.evaluations[0]
            .metrics
            .insert("accuracy".to_owned(), 0.999);
        assert!(matches!(model_card(&records), Err(ExportError::Record(_))));
    }
}
