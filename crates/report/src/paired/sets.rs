//! The sets that are compared: the runs of a folder of records, or a predictions file.

use std::collections::BTreeMap;

use promptshift_numbers::predictions::Line;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Prediction;
use promptshift_numbers::record::folder::StoredRecord;

/// The runs of one side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// The user's name for it.
    pub name: String,
    /// At least one.
    pub runs: Vec<Run>,
}

/// The answers of one trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The folder or file, in messages.
    pub name: String,
    /// The method's name, or `predictions`.
    pub method: String,
    /// The training seed; 0 for a file, whose seed is unknown.
    pub seed: u64,
    /// Whether answers depend on the seed: not for the untuned model; assumed for a file.
    pub varies_with_seed: bool,
    /// What the answers depend on besides the model: data, limits, form of the answers. Two runs must agree on facts
    /// that both have.
    pub facts: BTreeMap<String, String>,
    /// The tokenizer, if known: with the same tokenizer, inputs must have the same length.
    pub tokenizer: Option<String>,
    /// Predictions by domain.
    pub answers: BTreeMap<String, Vec<Prediction>>,
}

/// The runs of records.
pub fn of_records(name: &str, records: Vec<StoredRecord>) -> Set {
    Set {
        name: name.to_owned(),
        runs: records.into_iter().map(of_record).collect(),
    }
}

fn of_record(stored: StoredRecord) -> Run {
    let StoredRecord {
        folder,
        record,
        predictions,
        ..
    } = stored;
    let (cell, origin) = (&record.cell, &record.provenance);
    let limits = &cell.setting.limits;
    let mut facts = BTreeMap::from([
        (
            "cut: the longest input".to_owned(),
            format!("{} tokens", limits.input),
        ),
        (
            "cut: the longest answer".to_owned(),
            format!("{} tokens", limits.answer),
        ),
        (
            "the form of right answers".to_owned(),
            cell.setting.answers.name().to_owned(),
        ),
    ]);
    let template = cell.setting.wording.template.as_ref();
    let template = template.map_or("T5's own", |template| &template.text);
    facts.insert("the template".to_owned(), template.to_owned());
    for evaluation in &record.evaluations {
        let file = format!("{}/{}", evaluation.domain, evaluation.split);
        if let Some(hash) = origin.data_sha256.get(&file) {
            facts.insert(format!("data: SHA-256 of {file}"), hash.clone());
        }
    }
    Run {
        name: folder.display().to_string(),
        method: cell.method.title().to_owned(),
        seed: cell.seed,
        varies_with_seed: cell.method != Method::Untuned,
        facts,
        tokenizer: Some(origin.tokenizer_sha256.clone()),
        answers: (record.evaluations.iter())
            .map(|evaluation| evaluation.domain.clone())
            .zip(predictions)
            .collect(),
    }
}

/// The single run of a predictions file.
pub fn of_lines(name: &str, lines: Vec<Line>) -> Set {
    let mut answers: BTreeMap<String, Vec<Prediction>> = BTreeMap::new();
    for line in lines {
        answers
            .entry(line.domain)
            .or_default()
            .push(line.prediction);
    }
    Set {
        name: name.to_owned(),
        runs: vec![Run {
            name: name.to_owned(),
            method: "predictions".to_owned(),
            seed: 0,
            varies_with_seed: true,
            facts: BTreeMap::new(),
            tokenizer: None,
            answers,
        }],
    }
}
