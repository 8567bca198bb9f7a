//! Synthetic records for tests, with numbers from a formula instead of a model.

mod run;

use std::path::PathBuf;

use crate::comparison::{Comparison, compare};
use crate::study::studies;
use promptshift_numbers::leakage::{AnswerPlaces, Leakage, Lengths, Shared};
use promptshift_numbers::recipe::{Limits, Method};
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{
    Cell, Checkpoint, CheckpointPredictions, CheckpointScore, Evaluation, Excerpt, Prediction,
    RECORD_VERSION, Record, Role, Score, Setting, Texts, Training, Traits, ValidationAnswers,
};
use promptshift_numbers::score;
use promptshift_text::domain::{Split, Task};
use promptshift_text::transfer::Transfer;
use run::{bend, noise, recipe, training};
pub use run::{provenance, uniform};

/// The checkpoints of model tuning.
const STEPS: [usize; 5] = [12, 25, 50, 100, 200];

/// Question words.
const WORDS: [&str; 3] = ["who", "what", "when"];

/// One study's worth of records.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The domains, source first, with the probabilities of a right answer of untuned, prompt and model.
    pub domains: Vec<(&'static str, [f64; 3])>,
    /// Seeds of each tuned method.
    pub seeds: Vec<u64>,
    pub task: Task,
    /// Passages of each domain, with three examples each.
    pub passages: usize,
    /// How target scores follow the source score during model tuning: at a fraction s of the final source score,
    /// target scores are their final values times s to this power.
    pub together: f64,
}

impl Fixture {
    /// Question answering with one target.
    pub fn one_target() -> Fixture {
        Fixture {
            domains: vec![
                ("squad", [0.08, 0.60, 0.82]),
                ("textbookqa", [0.06, 0.42, 0.52]),
            ],
            seeds: vec![0, 1, 2],
            task: Task::ExtractiveQa,
            passages: 80,
            together: 1.0,
        }
    }

    /// Question answering with six targets.
    pub fn six_targets() -> Fixture {
        Fixture {
            domains: vec![
                ("squad", [0.08, 0.60, 0.82]),
                ("textbookqa", [0.06, 0.42, 0.52]),
                ("bioasq", [0.05, 0.50, 0.49]),
                ("race", [0.07, 0.31, 0.60]),
                ("relation_extraction", [0.10, 0.70, 0.71]),
                ("duorc", [0.04, 0.22, 0.20]),
                ("drop", [0.02, 0.12, 0.33]),
            ],
            ..Fixture::one_target()
        }
    }

    /// Paraphrases.
    pub fn pairs() -> Fixture {
        Fixture {
            domains: vec![("qqp", [0.0, 0.74, 0.83]), ("mrpc", [0.0, 0.60, 0.66])],
            task: Task::Paraphrase,
            ..Fixture::one_target()
        }
    }

    /// The same with so many passages.
    pub fn of_passages(self, passages: usize) -> Fixture {
        Fixture { passages, ..self }
    }

    /// The same with these seeds.
    pub fn of_seeds(self, seeds: impl IntoIterator<Item = u64>) -> Fixture {
        let seeds = seeds.into_iter().collect();
        Fixture { seeds, ..self }
    }

    /// The records: the untuned backbone, then each method with each seed.
    pub fn records(&self) -> Vec<StoredRecord> {
        let mut records = vec![self.record(Method::Untuned, 0)];
        for method in [Method::Prompt, Method::Model] {
            records.extend(self.seeds.iter().map(|seed| self.record(method, *seed)));
        }
        records
    }

    fn record(&self, method: Method, seed: u64) -> StoredRecord {
        let domains = || 0..self.domains.len();
        let predictions: Vec<Vec<Prediction>> = domains()
            .map(|domain| self.predictions(domain, method, seed))
            .collect();
        let tuned = method != Method::Untuned;
        let names: Vec<String> = (self.domains.iter())
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let transfer = Transfer {
            source: names[0].clone(),
            targets: names[1..].to_vec(),
        };
        let limits = Limits {
            input: 256,
            target: 16,
            answer: 16,
        };
        let record = Record {
            version: RECORD_VERSION,
            cell: Cell {
                setting: Setting::new(&transfer, "nano", "mini", limits),
                method,
                seed,
                trials: None,
                recipe: tuned.then(|| recipe(method)),
                elsewhere: None,
            },
            provenance: provenance(&names),
            notes: Vec::new(),
            model_notes: Vec::new(),
            leakage: self.leakage(),
            training: tuned.then(|| Training {
                checkpoints: match method {
                    Method::Model => self.checkpoints(seed),
                    _ => Vec::new(),
                },
                ..training(method, seed, self.domains[0].1[method as usize])
            }),
            search: None,
            k_shots: Vec::new(),
            evaluations: domains()
                .map(|at| self.evaluation(at, &predictions[at]))
                .collect(),
            validation: tuned.then(|| ValidationAnswers {
                examples: 3 * self.passages,
                predictions: "validation.jsonl".to_owned(),
                predictions_sha256: "0".repeat(64),
            }),
            answered: Vec::new(),
            texts: Texts::Kept,
        };
        // With the accuracy of the source's test split, but other answers.
        let validation = tuned.then(|| self.predictions(0, method, 1_000 + seed));
        let answered_at = |place: u32| {
            domains()
                .map(|at| self.answered_at(place, at, seed))
                .collect()
        };
        StoredRecord {
            folder: PathBuf::from(format!("runs/{}-seed{seed}", method.name())),
            record,
            predictions,
            k_shots: Vec::new(),
            validation: validation.unwrap_or_default(),
            checkpoints: match method {
                Method::Model => (1..=STEPS.len() as u32).map(answered_at).collect(),
                _ => Vec::new(),
            },
        }
    }

    /// The answers of model tuning at a checkpoint: a fraction of the final right answers.
    fn answered_at(&self, place: u32, domain: usize, seed: u64) -> Vec<Prediction> {
        let share = 0.25 + 0.14 * f64::from(place);
        let share = match domain {
            0 => share,
            _ => share.powf(self.together),
        };
        let chance = self.domains[domain].1[Method::Model as usize] * share;
        self.answers(domain, Method::Model, seed + 100 * u64::from(place), chance)
    }

    /// Model tuning at its checkpoints.
    fn checkpoints(&self, seed: u64) -> Vec<Checkpoint> {
        let metric = score::Metric::main(self.task);
        let on = |place: u32, step: usize, domain: usize| {
            let answered = self.answered_at(place, domain, seed);
            let name = self.domains[domain].0;
            CheckpointScore {
                domain: name.to_owned(),
                examples: answered.len(),
                score: metric.value(&scores(&answered)),
                predictions: Some(CheckpointPredictions {
                    file: format!("{name}@step-{step}.jsonl"),
                    sha256: "0".repeat(64),
                }),
            }
        };
        let at = |(step, place): (usize, u32)| Checkpoint {
            step,
            validation_score: Some(metric.value(&scores(&self.answered_at(
                place,
                0,
                1_000 + seed,
            )))),
            metric: metric.name().to_owned(),
            scores: (0..self.domains.len())
                .map(|domain| on(place, step, domain))
                .collect(),
            seconds: 2.0,
        };
        STEPS.into_iter().zip(1..).map(at).collect()
    }

    /// Source training, source validation and every test split.
    fn leakage(&self) -> Vec<Leakage> {
        let source = [Split::Train, Split::Validation].map(|split| (0, split));
        let tests = (0..self.domains.len()).map(|domain| (domain, Split::Test));
        (source.into_iter().chain(tests))
            .map(|(domain, split)| {
                let examples = match split {
                    Split::Train => 2_400,
                    _ => 3 * self.passages,
                };
                let questions = self.task == Task::ExtractiveQa;
                Leakage {
                    domain: self.domains[domain].0.to_owned(),
                    split,
                    examples,
                    cut_inputs: if domain == 1 { 9 } else { 0 },
                    answers: questions.then_some(AnswerPlaces {
                        absent: domain,
                        behind_cut: if domain == 1 { 4 } else { 0 },
                    }),
                    shared: (split != Split::Train).then_some(Shared {
                        contexts: self.passages,
                        shared_contexts: 0,
                        questions: 3 * self.passages,
                        shared_questions: domain,
                    }),
                    input_tokens: Lengths {
                        median: 60 + domain,
                        percentile_95: 90,
                        longest: 110,
                    },
                }
            })
            .collect()
    }

    fn predictions(&self, domain: usize, method: Method, seed: u64) -> Vec<Prediction> {
        let shift = match method {
            Method::Untuned => 0.0,
            _ => 0.03 * noise(&[seed, method as u64, 77]),
        };
        let chance = self.domains[domain].1[method as usize] + shift;
        self.answers(domain, method, seed, chance.clamp(0.0, 1.0))
    }

    /// Answers with this probability of being right.
    fn answers(&self, domain: usize, method: Method, seed: u64, chance: f64) -> Vec<Prediction> {
        let (name, _) = self.domains[domain];
        let qa = self.task == Task::ExtractiveQa;
        (0..3 * self.passages)
            .map(|example| {
                let passage = example / 3;
                let key = [domain as u64, passage as u64];
                // A passage is equally hard for every method; the rest is specific to example and run.
                let ease = 0.5 + 0.5 * noise(&key);
                let own = 0.5 + 0.5 * noise(&[key[0], example as u64, method as u64, seed, 5]);
                let right = 0.4 * ease + 0.6 * own < bend(chance);
                let gold = usize::from(noise(&[key[0], example as u64, 9]) > 0.0);
                Prediction {
                    id: format!("{name}-{example}"),
                    passage: format!("{name}-p{passage}"),
                    prediction: "synthetic".to_owned(),
                    answers: vec!["synthetic".to_owned()],
                    score: self.score(right, own, gold, method),
                    log_prob: -own,
                    class_log_probs: None,
                    input_tokens: 60,
                    output_tokens: 4,
                    cut: false,
                    traits: Some(Traits {
                        group: None,
                        domain: None,
                        question_word: qa.then(|| WORDS[example % WORDS.len()].to_owned()),
                        answer_position: qa.then(|| (1 + example % 9) as f64 / 9.0),
                    }),
                }
            })
            .collect()
    }

    fn score(&self, right: bool, own: f64, gold: usize, method: Method) -> Score {
        match self.task {
            Task::ExtractiveQa => {
                let exact_match = f64::from(u8::from(right && own < 0.4));
                Score::Span {
                    exact_match,
                    f1: if right { exact_match.max(0.8) } else { 0.0 },
                }
            }
            _ => {
                let other = (method != Method::Untuned).then_some(1 - gold);
                Score::Label {
                    gold,
                    predicted: if right { Some(gold) } else { other },
                }
            }
        }
    }

    fn evaluation(&self, domain: usize, predictions: &[Prediction]) -> Evaluation {
        let (name, _) = self.domains[domain];
        let excerpt = |prediction: &Prediction| Excerpt {
            id: prediction.id.clone(),
            input: format!(
                "question: What is {}? context: *Synthetic* text.",
                prediction.id
            ),
        };
        Evaluation {
            domain: name.to_owned(),
            role: if domain == 0 {
                Role::Source
            } else {
                Role::Target
            },
            task: self.task,
            split: Split::Test,
            examples: predictions.len(),
            cut_inputs: if domain == 1 { 9 } else { 0 },
            metrics: score::metrics(self.task, &scores(predictions)),
            floor: Some(match self.task {
                Task::ExtractiveQa => 0.18 + 0.01 * domain as f64,
                _ => 0.5 + 0.04 * domain as f64,
            }),
            seconds: 1.5,
            generated_tokens: 4 * predictions.len() as u64,
            peak_bytes: 180_000_000,
            predictions: format!("{name}.jsonl"),
            predictions_sha256: "0".repeat(64),
            excerpts: predictions.iter().step_by(9).map(excerpt).collect(),
        }
    }
}

fn scores(predictions: &[Prediction]) -> Vec<Score> {
    predictions.iter().map(|one| one.score).collect()
}

/// Computes a record's metrics again, after its predictions were changed.
pub fn rescore(stored: &mut StoredRecord) {
    let evaluations = stored.record.evaluations.iter_mut();
    for (evaluation, predictions) in evaluations.zip(&stored.predictions) {
        evaluation.metrics = score::metrics(evaluation.task, &scores(predictions));
    }
}

/// The runs of prompt tuning once more, as those of another method.
pub fn as_method(records: &[StoredRecord], method: Method) -> Vec<StoredRecord> {
    let prompts = (records.iter()).filter(|stored| stored.record.cell.method == Method::Prompt);
    let mut copies: Vec<StoredRecord> = prompts.cloned().collect();
    for stored in &mut copies {
        stored.record.cell.method = method;
        stored.folder = stored.folder.join(method.name());
    }
    copies
}

/// The analysis of the only study in some records.
pub fn compared(records: &[StoredRecord]) -> Comparison {
    let studies = studies(records, &[]).expect("they belong together");
    compare(&studies[0]).expect("consistent")
}

/// Asserts that a text contains words, and shows it otherwise.
#[track_caller]
pub fn assert_has(text: &str, words: &str) {
    assert!(text.contains(words), "wanted “{words}” in: {text}");
}
