//! Records without the texts of their rows: what can be published where the data can't.

use crate::provenance::sha256;
use crate::record::store::StoredRecord;
use crate::record::{Prediction, Record, Score, Texts};

/// A record's files without texts, by name: `record.json` and the predictions. Answers and predictions
/// are hashes, so that equal ones are still equal; labels stay. Scores, ids, probabilities and counts
/// are what they were, and reports say the same of them.
pub fn redacted(stored: &StoredRecord) -> Vec<(String, Vec<u8>)> {
    let mut record = Record {
        texts: Texts::Hashed,
        ..stored.record.clone()
    };
    let mut files = Vec::new();
    let k_shots = (record.k_shots.iter_mut()).map(|shot| &mut shot.evaluation);
    let answered = (record.evaluations.iter_mut().zip(&stored.predictions))
        .chain(k_shots.zip(&stored.k_shots));
    for (evaluation, predictions) in answered {
        evaluation.excerpts.clear();
        let lines = lines(predictions);
        evaluation.predictions_sha256 = sha256(&lines);
        files.push((evaluation.predictions.clone(), lines));
    }
    if let Some(validation) = &mut record.validation {
        let lines = lines(&stored.validation);
        validation.predictions_sha256 = sha256(&lines);
        files.push((validation.predictions.clone(), lines));
    }
    let mut json = serde_json::to_vec_pretty(&record).expect("a record is plain data");
    json.push(b'\n');
    files.push(("record.json".to_owned(), json));
    files
}

fn lines(predictions: &[Prediction]) -> Vec<u8> {
    let mut lines = Vec::new();
    for prediction in predictions {
        serde_json::to_writer(&mut lines, &without_texts(prediction))
            .expect("a prediction is plain data");
        lines.push(b'\n');
    }
    lines
}

fn without_texts(prediction: &Prediction) -> Prediction {
    let (answers, said) = (&prediction.answers, &prediction.prediction);
    // Labels are the card's, not the data's.
    let is_label = match prediction.score {
        Score::Span { .. } => false,
        Score::Label { predicted, .. } | Score::Option { predicted, .. } => predicted.is_some(),
    };
    let labels = matches!(prediction.score, Score::Label { .. } | Score::Option { .. });
    Prediction {
        prediction: if is_label { said.clone() } else { hashed(said) },
        answers: match labels {
            true => answers.clone(),
            false => answers.iter().map(|answer| hashed(answer)).collect(),
        },
        ..prediction.clone()
    }
}

/// Sixteen digits of the SHA-256; nothing stays nothing.
fn hashed(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("sha256:{}", &sha256(text.as_bytes())[..16]),
    }
}
