//! Synthetic records of every kind, and the JSON of each row.

use std::path::Path;

use promptshift_numbers::record::KShot;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Evaluation, Prediction, Score, Texts, Traits};
use promptshift_numbers::score;
use promptshift_text::domain::Task;
use serde_json::{Value, json};

use crate::fixture::{Fixture, rescore};

/// Texts that need quoting in CSV.
const HOSTILE: [&str; 6] = [
    "plain",
    "",
    "a, \"quoted\" mill",
    "two\r\nlines\n",
    "NA",
    " ünï 🐦;\t",
];

/// Records of every kind: answers, classes and judged answers, zero-shot and few-shot, with and without training,
/// with missing values and texts that need quoting.
pub(super) fn records() -> Vec<StoredRecord> {
    let small = |fixture: Fixture| fixture.of_passages(4).of_seeds([0, 1]);
    let mut records = small(Fixture::one_target()).records();
    records.extend(small(Fixture::pairs()).records());
    let judged = Fixture {
        task: Task::AnswerJudging,
        ..Fixture::pairs()
    };
    records.extend(small(judged).records());
    for (place, stored) in records.iter_mut().enumerate() {
        stored.folder = Path::new("runs, \"mine\"").join(place.to_string());
        // A seed may use all 64 bits.
        stored.record.cell.seed = u64::MAX - stored.record.cell.seed;
        stored.record.cell.trials = (place % 2 == 0).then_some(5);
        stored.record.texts = if place % 3 == 0 {
            Texts::Hashed
        } else {
            Texts::Kept
        };
        let task = stored.record.evaluations[0].task;
        let predictions = (stored.predictions.iter_mut()).chain([&mut stored.validation]);
        for (at, prediction) in predictions.flatten().enumerate() {
            vary(prediction, at, task);
        }
        if stored.record.training.is_some() {
            add_shots(stored);
        }
        rescore(stored);
    }
    records
}

fn vary(prediction: &mut Prediction, at: usize, task: Task) {
    prediction.prediction = HOSTILE[at % HOSTILE.len()].to_owned();
    let answers = HOSTILE.iter().take(at % 4);
    prediction.answers = answers.map(|text| (*text).to_owned()).collect();
    prediction.log_prob *= 1.0 / 3.0;
    prediction.cut = at.is_multiple_of(5);
    prediction.input_tokens += at;
    if let Score::Label { gold, predicted } = prediction.score {
        prediction.class_log_probs = (at.is_multiple_of(2)).then(|| vec![-0.1, -1e-9 * at as f64]);
        if task == Task::AnswerJudging {
            let question = u64::MAX - at as u64;
            prediction.score = Score::Option {
                question,
                gold,
                predicted,
            };
        }
    }
    prediction.traits = match (at % 3, prediction.traits.take()) {
        (0, _) => None,
        (1, Some(traits)) => Some(Traits {
            domain: Some("race".to_owned()),
            ..traits
        }),
        (_, traits) => traits,
    };
}

/// Adds few-shot scores with one and with four examples of each target.
fn add_shots(stored: &mut StoredRecord) {
    let targets = stored.record.evaluations.len() - 1;
    for target in 1..=targets {
        for examples in [1, 4] {
            let predictions = stored.predictions[target][examples..].to_vec();
            let scores: Vec<Score> = predictions.iter().map(|one| one.score).collect();
            let zero_shot = &stored.record.evaluations[target];
            stored.record.k_shots.push(KShot {
                examples,
                ids: Vec::new(),
                steps: 50,
                batch_size: examples,
                train_seconds: 0.1 * examples as f64,
                evaluation: Evaluation {
                    examples: predictions.len(),
                    metrics: score::metrics(zero_shot.task, &scores),
                    seconds: 0.5 + examples as f64,
                    ..zero_shot.clone()
                },
            });
            stored.k_shots.push(predictions);
        }
    }
}

/// The JSON of each row of `cells`.
pub(super) fn recorded_cells(records: &[StoredRecord]) -> Vec<Value> {
    let mut rows = Vec::new();
    for stored in records {
        let record = serde_json::to_value(&stored.record).expect("plain data");
        let row = |evaluation: &Value, shot: Value| {
            let folder = &stored.folder;
            json!({"folder": folder, "record": record, "evaluation": evaluation, "shot": shot})
        };
        let parts = |key: &str| record[key].as_array().cloned().unwrap_or_default();
        rows.extend(parts("evaluations").iter().map(|one| row(one, Value::Null)));
        rows.extend(
            (parts("k_shots").into_iter()).map(|shot| row(&shot["evaluation"], shot.clone())),
        );
    }
    rows
}

/// The JSON of each row of `examples`, with its split.
pub(super) fn recorded_examples(records: &[StoredRecord]) -> Vec<(Value, &'static str)> {
    let mut rows = Vec::new();
    for stored in records {
        let mut parts = recorded_cells(std::slice::from_ref(stored));
        let answered = stored.predictions.iter().chain(&stored.k_shots);
        let splits = vec!["test"; parts.len()];
        let mut all: Vec<_> = answered.zip(splits).collect();
        all.push((&stored.validation, "validation"));
        parts.push(parts[0].clone());
        for (part, (predictions, split)) in parts.into_iter().zip(all) {
            for prediction in predictions {
                let mut row = part.clone();
                row["prediction"] = serde_json::to_value(prediction).expect("plain data");
                let score = &row["prediction"]["score"];
                let classes = score.get("label").or(score.get("option")).cloned();
                row["classes"] = classes.unwrap_or_default();
                rows.push((row, split));
            }
        }
    }
    rows
}
