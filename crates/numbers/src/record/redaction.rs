//! Records without the texts of their rows, which can be published if the data can't.

use serde_json::Value;

use crate::record::folder::{StoredRecord, prediction_lines};
use crate::record::seal::sealed;
use crate::record::{Prediction, Record, Score, Texts};
use promptshift_text::domain::Task;
use promptshift_text::hash::sha256;

/// A record's files without texts, by name: `record.json` and the predictions. Answers and predictions are replaced
/// by hashes, so that equal texts stay equal; labels stay. Scores, ids, probabilities and counts do not change, so
/// reports have the same numbers. Anyone who guesses a text can check the guess by its hash. Names of machines are
/// removed.
pub fn redacted(stored: &StoredRecord) -> Vec<(String, Vec<u8>)> {
    let mut record = Record {
        texts: Texts::Hashed,
        ..stored.record.clone()
    };
    for origin in std::iter::once(&mut record.provenance).chain(&mut record.answered) {
        origin.node = None;
    }
    let mut files = Vec::new();
    let k_shots = (record.k_shots.iter_mut()).map(|shot| &mut shot.evaluation);
    let answered = (record.evaluations.iter_mut().zip(&stored.predictions))
        .chain(k_shots.zip(&stored.k_shots));
    for (evaluation, predictions) in answered {
        evaluation.excerpts.clear();
        let lines = lines(predictions, evaluation.task);
        evaluation.predictions_sha256 = sha256(&lines);
        files.push((evaluation.predictions.clone(), lines));
    }
    // All domains of a record have the same task.
    let of_source = record.evaluations.first().map(|source| source.task);
    if let (Some(validation), Some(task)) = (&mut record.validation, of_source) {
        let lines = lines(&stored.validation, task);
        validation.predictions_sha256 = sha256(&lines);
        files.push((validation.predictions.clone(), lines));
    }
    let checkpoints = (record.training.iter_mut()).flat_map(|training| &mut training.checkpoints);
    for (checkpoint, answered) in checkpoints.zip(&stored.checkpoints) {
        let kept = (checkpoint.scores.iter_mut()).filter_map(|one| one.predictions.as_mut());
        for ((kept, predictions), task) in kept.zip(answered).zip(of_source.into_iter().cycle()) {
            let lines = lines(predictions, task);
            kept.sha256 = sha256(&lines);
            files.push((kept.file.clone(), lines));
        }
    }
    let json = sealed(&record);
    files.push(("record.json".to_owned(), json));
    files
}

/// The JSON file of a plan, a search or a failure without names of machines.
pub fn without_node(json: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else {
        return json.to_vec();
    };
    let origin = value.get_mut("provenance").and_then(Value::as_object_mut);
    match origin.and_then(|origin| origin.remove("node")) {
        Some(_) => serde_json::to_vec_pretty(&value).expect("it was JSON"),
        None => json.to_vec(),
    }
}

fn lines(predictions: &[Prediction], task: Task) -> Vec<u8> {
    let without = (predictions.iter()).map(|prediction| without_texts(prediction, task));
    prediction_lines(&without.collect::<Vec<_>>())
}

fn without_texts(prediction: &Prediction, task: Task) -> Prediction {
    // Labels are from the card, not from the data; spans and referents are from the data.
    let (labels, says_label) = match prediction.score {
        Score::Span { .. } => (false, false),
        Score::Label { .. } if task == Task::Coreference => (false, false),
        Score::Label { predicted, .. } | Score::Option { predicted, .. } => {
            (true, predicted.is_some())
        }
    };
    let (answers, said) = (&prediction.answers, &prediction.prediction);
    Prediction {
        prediction: match says_label {
            true => said.clone(),
            false => hashed(said),
        },
        answers: match labels {
            true => answers.clone(),
            false => answers.iter().map(|answer| hashed(answer)).collect(),
        },
        ..prediction.clone()
    }
}

/// The first sixteen digits of the SHA-256; an empty text stays empty.
fn hashed(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("sha256:{}", &sha256(text.as_bytes())[..16]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::prediction;

    #[test]
    fn a_redacted_failure_lacks_only_the_machine() {
        let failure = br#"{"reason": "r", "provenance": {"node": "n", "device": "cpu"}}"#;
        let bare: Value = serde_json::from_slice(&without_node(failure)).expect("JSON");
        let wanted = serde_json::json!({"reason": "r", "provenance": {"device": "cpu"}});
        assert_eq!(bare, wanted);
        for other in [b"{ \"node\": 1 }".as_slice(), b"no JSON"] {
            assert_eq!(without_node(other), other);
        }
    }

    #[test]
    fn labels_stay_and_texts_of_rows_are_hashed() {
        let label = |predicted| Score::Label { gold: 1, predicted };
        let span = Score::Span {
            exact_match: 1.0,
            f1: 1.0,
        };
        let texts = |score, task| {
            let bare = without_texts(&prediction("1", ["Ada"; 2], score), task);
            [bare.prediction, bare.answers.concat()].map(|text| text == "Ada")
        };
        assert_eq!(texts(label(Some(1)), Task::Paraphrase), [true, true]);
        assert_eq!(texts(label(None), Task::Paraphrase), [false, true]);
        for (score, task) in [
            (span, Task::ExtractiveQa),
            (span, Task::ClozeQa),
            (label(Some(1)), Task::Coreference),
        ] {
            assert_eq!(texts(score, task), [false, false], "{task:?}");
        }
    }
}
