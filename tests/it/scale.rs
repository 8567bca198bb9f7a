//! A report of a million predictions: its time and memory.
//!
//! ```sh
//! cargo test --test it scale -- --ignored --nocapture
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use promptshift::domain::{Split, Task};
use promptshift::recipe::{Limits, Method, Recipe};
use promptshift::record::folder::{RunFolder, write_predictions};
use promptshift::record::{
    Cell, Evaluation, Prediction, Provenance, RECORD_VERSION, Record, Role, Score, Setting, Traits,
};
use promptshift::score::metrics;
use promptshift::transfer::Transfer;

const DOMAINS: [&str; 8] = ["squad", "a", "b", "c", "d", "e", "f", "g"];
const SEEDS: u64 = 5;

/// A number in [0, 1) from three others (SplitMix64's mixing steps).
fn noise(key: [u64; 3]) -> f64 {
    let mixed = key.iter().fold(7_u64, |state, part| {
        let mut z = state.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15)) ^ 0x5DEE_CE66;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    });
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn predictions(domain: usize, run: u64, examples: usize) -> Vec<Prediction> {
    (0..examples)
        .map(|example| {
            let passage = example / 2;
            let ease = noise([domain as u64, passage as u64, 0]);
            let luck = noise([domain as u64, example as u64, 1 + run]);
            let right = f64::from(u8::from(0.5 * ease + 0.5 * luck < 0.6));
            Prediction {
                id: format!("{}-{example:08}", DOMAINS[domain]),
                passage: format!("{:016x}", passage * 2_654_435_761),
                prediction: "an answer of some words".to_owned(),
                answers: vec!["an answer of some words".to_owned()],
                score: Score::Span {
                    exact_match: right,
                    f1: right,
                },
                log_prob: -luck,
                class_log_probs: None,
                input_tokens: 60 + example % 300,
                output_tokens: 6,
                cut: example % 97 == 0,
                traits: Some(Traits {
                    group: None,
                    domain: None,
                    question_word: Some(["who", "what", "when"][example % 3].to_owned()),
                    answer_position: Some(luck.max(0.01)),
                }),
            }
        })
        .collect()
}

fn cell(method: Method, seed: u64) -> Cell {
    Cell {
        setting: Setting::new(
            &Transfer {
                source: DOMAINS[0].to_owned(),
                targets: DOMAINS[1..].iter().map(|name| (*name).to_owned()).collect(),
            },
            "t5",
            "generated",
            Limits {
                input: 360,
                target: 16,
                answer: 16,
            },
        ),
        method,
        seed,
        trials: None,
        recipe: Some(Recipe::paper_prompt()),
        elsewhere: None,
    }
}

fn provenance() -> Provenance {
    Provenance {
        version: "0".to_owned(),
        revision: "0".to_owned(),
        command: "generated".to_owned(),
        data_sha256: BTreeMap::new(),
        model_sha256: "0".repeat(64),
        tokenizer_sha256: "0".repeat(64),
        device: "cpu".to_owned(),
        processor: "any".to_owned(),
        gpu: None,
        node: None,
        threads: 2,
        side_by_side: 1,
        software: BTreeMap::new(),
        started_unix_seconds: 0,
    }
}

/// Writes the records of two methods; returns the number of predictions.
fn write(folder: &Path, examples: usize) -> usize {
    let store = RunFolder::open(folder, &[cell(Method::Prompt, 0)]).expect("an empty folder");
    let mut count = 0;
    for (method, offset) in [(Method::Prompt, 0), (Method::Model, SEEDS)] {
        for seed in 0..SEEDS {
            let cell = cell(method, seed);
            let draft = store.begin(&cell).expect("not there yet");
            let evaluations = DOMAINS
                .iter()
                .enumerate()
                .map(|(domain, name)| {
                    let predictions = predictions(domain, offset + seed, examples);
                    let scores: Vec<Score> = predictions.iter().map(|p| p.score).collect();
                    let file =
                        write_predictions(draft.path(), name, &predictions).expect("written");
                    count += predictions.len();
                    Evaluation {
                        domain: (*name).to_owned(),
                        role: if domain == 0 {
                            Role::Source
                        } else {
                            Role::Target
                        },
                        task: Task::ExtractiveQa,
                        split: Split::Test,
                        examples: predictions.len(),
                        cut_inputs: predictions.iter().filter(|p| p.cut).count(),
                        metrics: metrics(Task::ExtractiveQa, &scores),
                        floor: None,
                        seconds: 1.0,
                        generated_tokens: 6 * predictions.len() as u64,
                        peak_bytes: 1,
                        predictions: file.file,
                        predictions_sha256: file.sha256,
                        excerpts: Vec::new(),
                    }
                })
                .collect();
            draft
                .finish(&Record {
                    version: RECORD_VERSION,
                    cell,
                    provenance: provenance(),
                    notes: Vec::new(),
                    model_notes: Vec::new(),
                    leakage: Vec::new(),
                    training: None,
                    search: None,
                    k_shots: Vec::new(),
                    evaluations,
                    validation: None,
                    answered: Vec::new(),
                    texts: Default::default(),
                })
                .expect("finished");
        }
    }
    count
}

/// The time that a report takes, and its peak memory in bytes, if the system reports it.
fn report(folder: &Path) -> (Duration, Option<u64>) {
    let started = Instant::now();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("promptshift"))
        .arg("report")
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut peak = None;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let line = status.ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        peak = peak.max(line.map(|kibibytes| 1_024 * kibibytes));
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            assert!(status.success());
            return (started.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "minutes and 300 MB of disk: the time and memory of a report of a million predictions"]
fn a_report_on_a_million_predictions_takes_less_than_a_minute() {
    for examples in [3_125, 6_250, 12_500] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let count = write(folder.path(), examples);
        let (took, peak) = report(folder.path());
        println!("{count} predictions: {took:.1?}, {peak:?} bytes");
        assert!(took < Duration::from_secs(60), "{took:?}");
        assert!(peak.is_none_or(|peak| peak < 2 << 30), "{peak:?}");
    }
}
