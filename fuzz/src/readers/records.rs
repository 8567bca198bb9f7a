//! What studies leave: records with their predictions, and files of predictions.

use promptshift::hash::sha256;
use promptshift::predictions;
use promptshift::record::folder::{find, unfinished};
use promptshift::record::seal::sealed;
use promptshift::record::{Prediction, Score};
use promptshift::report::analyse;
use promptshift::report::document::html::{Tables, page};
use promptshift::score::metrics;
use serde_json::Value;

use super::place::Place;
use super::{Outcome, halves};

/// A record and, behind a zero, lines of predictions, which serve for each of its evaluations. What a record says of
/// its predictions is made true and it is sealed again, so that more is reached than the checks of its hashes.
pub fn record(bytes: &[u8]) -> Outcome {
    let (record, lines) = halves(bytes);
    let place = Place::new();
    std::fs::create_dir(place.path().join("cell")).expect("a temporary folder can be made");
    match serde_json::from_slice::<Value>(record) {
        Ok(Value::Object(mut object)) => {
            object.remove("sha256");
            let mut value = Value::Object(object);
            let mut names = Vec::new();
            fit(&mut value, lines, &mut names);
            for name in names.iter().filter(|name| is_plain(name)) {
                place.file(&format!("cell/{name}"), lines);
            }
            place.file("cell/record.json", &sealed(&value));
        }
        _ => {
            place.file("cell/record.json", record);
        }
    }
    reported(&place)
}

/// Whether a name is that of a file in a folder on every system.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    !name.is_empty() && name.len() < 100 && !name.starts_with('.') && name.chars().all(plain)
}

/// Makes every evaluation in `value` one of these lines, and collects the files' names.
fn fit(value: &mut Value, lines: &[u8], names: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(name)) = object.get("predictions") {
                names.push(name.clone());
                let read = lines.split(|byte| *byte == b'\n');
                let read: Vec<&[u8]> = read.filter(|line| !line.is_empty()).collect();
                let task = object.get("task").cloned().unwrap_or_default();
                if let (Some(scores), Ok(task)) = (scores(&read), serde_json::from_value(task)) {
                    let values = metrics(task, &scores);
                    // As far as they are numbers that JSON has.
                    let values = values
                        .into_iter()
                        .map(|(metric, value)| (metric, value.into()));
                    object.insert("metrics".to_string(), Value::Object(values.collect()));
                }
                object.insert("examples".to_string(), read.len().into());
                object.insert("predictions_sha256".to_string(), sha256(lines).into());
            }
            object
                .values_mut()
                .for_each(|value| fit(value, lines, names));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fit(value, lines, names)),
        _ => {}
    }
}

/// The scores in lines, if all of them are predictions.
fn scores(lines: &[&[u8]]) -> Option<Vec<Score>> {
    let read = lines.iter().map(|line| {
        let prediction: Prediction = serde_json::from_slice(line).ok()?;
        Some(prediction.score)
    });
    read.collect()
}

/// Reads the records in a folder and makes their report.
fn reported(place: &Place) -> Outcome {
    let (records, begun) = match (find(place.path()), unfinished(place.path())) {
        (Ok(records), Ok(begun)) => (records, begun),
        (Err(error), _) | (_, Err(error)) => return Outcome::of(Err::<(), _>(error)),
    };
    let analysis = analyse(&records, &begun);
    if let Ok(analysis) = &analysis {
        analysis.document.markdown("figures");
        page(&analysis.document, Tables::Still);
    }
    Outcome::of(analysis)
}

/// A file of predictions, as `score FILE` reads it.
pub fn predictions(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    Outcome::of(predictions::read(&place.file("p.jsonl", bytes)))
}
