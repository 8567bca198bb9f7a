//! The pre-training loop, and a probe of its progress: can the model answer in a format of its pre-training,
//! about entities and in phrasings that it has never seen?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::recipe::{PretrainRecipe, train_tokenizer};
use super::stream::{Stream, Text};
use crate::backbone::{BackboneChoice, BackboneError};
use crate::checkpoint::{CheckpointError, Weights};
use crate::layers::{Pass, Tokens};
use crate::t5::{T5, T5Config, initialise};
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::train::adamw::scaled_adamw;
use crate::train::{Course, NotFinite, Trainer};
use crate::tuning::model_tuning;
use promptshift_numbers::recipe::{Objective, Reduction, Schedule};
use promptshift_text::domain::Split;
use promptshift_text::synthetic::{self, Rows};

/// Why pre-training failed.
#[derive(Debug, thiserror::Error)]
pub enum PretrainError {
    /// A file can't be written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The tokenizer could not be trained.
    #[error("training the tokenizer: {0}")]
    Vocabulary(tokenizers::Error),
    /// The tokenizer can't be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The weights can't be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint to start from can't be used.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// The checkpoint to start from is not a T5.
    #[error("{0}: wanted a T5 to start from")]
    NotT5(String),
    /// No document is long enough.
    #[error("wanted documents of four tokens or more, found none")]
    NoText,
    /// The loss diverged.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
}

/// The initial tokenizer and weights of a pre-training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The recipe's own tokenizer and initialisation.
    Recipe,
    /// Those of a T5's folder: its tokenizer, sizes and weights. The recipe's shape, vocabulary and
    /// initialisation are ignored.
    Checkpoint(PathBuf),
}

/// The file names of tokenizers.
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "spiece.model"];

/// One point of the learning curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainPoint {
    /// Steps taken so far.
    pub step: usize,
    /// The current stage.
    pub stage: String,
    /// Input tokens seen, without padding.
    pub input_tokens: u64,
    /// Target tokens seen.
    pub target_tokens: u64,
    /// Mean loss per target token since the previous point.
    pub loss: f64,
    /// Seconds since the start, probes excluded.
    pub seconds: f64,
    /// How well the model answers in a format of its pre-training.
    pub probe: ProbeScore,
}

/// The report that is committed next to the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainReport {
    /// The recipe.
    pub recipe: PretrainRecipe,
    /// The number of parameters.
    pub parameters: usize,
    /// The size of the vocabulary.
    pub vocabulary: usize,
    /// The learning curve.
    pub curve: Vec<PretrainPoint>,
}

/// The settings of a pre-training.
pub struct Pretraining<'a> {
    /// The recipe.
    pub recipe: &'a PretrainRecipe,
    /// The initial tokenizer and weights.
    pub from: &'a Start,
    /// The text.
    pub text: &'a Text,
    /// The folder for the model.
    pub out: &'a Path,
    /// The number of steps between writes of the model, which is also written at the end.
    pub checkpoint_every: usize,
    /// The device.
    pub device: &'a Device,
}

/// Trains a model, and unless it starts from a checkpoint its tokenizer, on a text by a recipe. Writes
/// `tokenizer.json`, `config.json`, `model.safetensors` and `pretraining.json`.
///
/// `watch` is called after every step (its number and loss) and for every point of the curve.
///
/// # Errors
/// A file can't be written, or the loss stops being a finite number.
pub fn pretrain(
    pretraining: &Pretraining<'_>,
    watch: &mut dyn FnMut(usize, f64, Option<&PretrainPoint>),
) -> Result<PretrainReport, PretrainError> {
    let Pretraining {
        recipe,
        from,
        text,
        out,
        checkpoint_every,
        device,
    } = *pretraining;
    std::fs::create_dir_all(out).map_err(|source| io(out, source))?;
    let (tokenizer, config, model) = match from {
        Start::Recipe => fresh(recipe, out, device)?,
        Start::Checkpoint(folder) => loaded(folder, out, device)?,
    };
    write_json(&out.join("config.json"), &config)?;
    let text = text.long_enough(&tokenizer).ok_or(PretrainError::NoText)?;
    let mut trainer = start(recipe, model);
    let mut stream = Stream::new(recipe, &text, &tokenizer);
    let mut report = PretrainReport {
        recipe: recipe.clone(),
        parameters: config.parameters(),
        vocabulary: config.vocab_size,
        curve: Vec::new(),
    };
    let mut since = Since::default();
    for stage in &recipe.stages {
        stream.enter_stage();
        for _ in 0..stage.steps {
            let started = Instant::now();
            let batch = stream.next_batch(stage);
            let loss = trainer.step(&batch)?;
            since.seconds += started.elapsed().as_secs_f64();
            since.input_tokens += batch.inputs.count() as u64;
            since.target_tokens += batch.targets.count() as u64;
            since.loss_sum += loss.sum;
            since.loss_tokens += loss.tokens;
            let step = trainer.steps_taken();
            watch(step, loss.sum / loss.tokens as f64, None);
            if step.is_multiple_of(checkpoint_every) || step == recipe.steps() {
                let backbone = trainer.tuned().valid().backbone;
                let model = backbone.into_t5().expect("what is trained is a T5");
                let point = since.point(step, &stage.name, probe(&model, &tokenizer));
                watch(step, point.loss, Some(&point));
                report.curve.push(point);
                save(&model, &config, &report, out)?;
            }
        }
    }
    Ok(report)
}

/// Trains the recipe's tokenizer, writes it into `out`, and initialises the weights.
fn fresh(
    recipe: &PretrainRecipe,
    out: &Path,
    device: &Device,
) -> Result<(Tokenizer, T5Config, T5), PretrainError> {
    let trained = train_tokenizer(recipe).map_err(PretrainError::Vocabulary)?;
    let config = recipe.config(trained.get_vocab_size(true));
    let json = trained.to_string(true).map_err(PretrainError::Vocabulary)?;
    write(&out.join("tokenizer.json"), json.as_bytes())?;
    let tokenizer = Tokenizer::parse(json.as_bytes(), "tokenizer.json", &config)?;

    // Uses the file's format, so that a checkpoint would hold exactly the initial weights.
    let weights = initialise(&config, recipe.initialisation, recipe.seed);
    let model = T5::load(&config, weights, device)?;
    Ok((tokenizer, config, model))
}

/// Loads a checkpoint and copies its tokenizer into `out`.
fn loaded(
    folder: &Path,
    out: &Path,
    device: &Device,
) -> Result<(Tokenizer, T5Config, T5), PretrainError> {
    let backbone = BackboneChoice::Folder(folder.to_owned()).load(device)?;
    let wrong = || PretrainError::NotT5(folder.display().to_string());
    let config = backbone.config.t5().ok_or_else(wrong)?.clone();
    let model = backbone.model.into_t5().ok_or_else(wrong)?;
    for name in TOKENIZERS {
        let file = folder.join(name);
        if file.exists() {
            let bytes = std::fs::read(&file).map_err(|source| io(&file, source))?;
            write(&out.join(name), &bytes)?;
        }
    }
    Ok((backbone.tokenizer, config, model))
}

fn start(recipe: &PretrainRecipe, model: T5) -> Trainer {
    let course = Course {
        learning_rate: recipe.learning_rate,
        schedule: Schedule::WarmupDecay {
            warmup: recipe.warmup_steps,
            share: recipe.decay_share,
            floor: recipe.decay_floor,
        },
        steps: recipe.steps(),
    };
    let objective = Objective {
        reduction: Reduction::Mean,
        z_loss: 0.0,
        dropout: 0.0,
        clip_norm: Some(recipe.clip_norm),
    };
    let module = model_tuning(model.into());
    let optimizer = scaled_adamw(&module);
    Trainer::new(module, optimizer, course, objective, recipe.seed)
}

/// Counters since the start, and the loss since the previous point.
#[derive(Default)]
struct Since {
    seconds: f64,
    input_tokens: u64,
    target_tokens: u64,
    loss_sum: f64,
    loss_tokens: usize,
}

impl Since {
    fn point(&mut self, step: usize, stage: &str, probe: ProbeScore) -> PretrainPoint {
        let loss =
            std::mem::take(&mut self.loss_sum) / std::mem::take(&mut self.loss_tokens) as f64;
        PretrainPoint {
            step,
            stage: stage.to_string(),
            input_tokens: self.input_tokens,
            target_tokens: self.target_tokens,
            loss,
            seconds: self.seconds,
            probe,
        }
    }
}

fn save(
    model: &T5,
    config: &T5Config,
    report: &PretrainReport,
    out: &Path,
) -> Result<(), PretrainError> {
    let weights: Weights = model.weights();
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    debug_assert_eq!(config.parameters(), report.parameters);
    write(&out.join("model.safetensors"), &weights.to_bytes(metadata))?;
    write_json(&out.join("pretraining.json"), report)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), PretrainError> {
    let text = serde_json::to_string_pretty(value).expect("plain data becomes JSON");
    write(path, (text + "\n").as_bytes())
}

/// Writes a temporary file and renames it, so that an interrupted run leaves the previous checkpoint intact.
fn write(path: &Path, bytes: &[u8]) -> Result<(), PretrainError> {
    let beside = path.with_extension("partial");
    std::fs::write(&beside, bytes).map_err(|source| io(&beside, source))?;
    std::fs::rename(&beside, path).map_err(|source| io(path, source))
}

fn io(path: &Path, source: std::io::Error) -> PretrainError {
    PretrainError::Io {
        path: path.display().to_string(),
        source,
    }
}

/// Questions per domain.
const QUESTIONS: usize = 60;

/// Exact match on the source-like domain and its mean over all others, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ProbeScore {
    /// On `squad`.
    pub squad: f64,
    /// Mean over the other question-answering domains.
    pub others: f64,
}

/// Scores `model` on validation passages. The answer is checked token by token under teacher forcing: greedy
/// decoding after `Reply:` yields exactly the answer if each of its tokens is the most probable one given the
/// tokens before it.
pub fn probe(model: &T5, tokenizer: &Tokenizer) -> ProbeScore {
    let mut squad = 0.0;
    let mut others = Vec::new();
    for domain in synthetic::domains() {
        let Rows::Qa(rows) = synthetic::rows(domain, Split::Validation, 0, QUESTIONS) else {
            continue;
        };
        let pairs: Vec<(String, String)> = rows
            .iter()
            .map(|row| {
                (
                    format!("Ask: {} Read: {}", row.question, row.context),
                    row.answer.clone(),
                )
            })
            .collect();
        let score = exact(model, tokenizer, &pairs);
        match domain.name {
            "squad" => squad = score,
            _ => others.push(score),
        }
    }
    ProbeScore {
        squad,
        others: others.iter().sum::<f64>() / others.len().max(1) as f64,
    }
}

fn exact(model: &T5, tokenizer: &Tokenizer, pairs: &[(String, String)]) -> f64 {
    let cue = tokenizer.encode("Reply:").len();
    let ended = |text: &str| {
        let mut ids = tokenizer.encode(text);
        ids.push(tokenizer.end());
        ids
    };
    let mut right = 0;
    for chunk in pairs.chunks(20) {
        let inputs: Vec<Vec<u32>> = chunk.iter().map(|(input, _)| ended(input)).collect();
        let targets: Vec<Vec<u32>> = chunk
            .iter()
            .map(|(_, answer)| ended(&format!("Reply: {answer}")))
            .collect();
        let inputs = Tokens::padded(&inputs, tokenizer.pad());
        let encoded = model.encode(model.embed(&inputs), &mut Pass::evaluation());
        let padded = Tokens::padded(&targets, tokenizer.pad());
        let best: Vec<i32> = model
            .logits(&encoded, &padded)
            .argmax(1)
            .into_data()
            .try_to_vec()
            .expect("indices are i32");
        let mut best = best.into_iter();
        for target in &targets {
            let predicted: Vec<u32> = best
                .by_ref()
                .take(target.len())
                .map(|id| id as u32)
                .collect();
            right += usize::from(predicted[cue..] == target[cue..]);
        }
    }
    right as f64 / pairs.len() as f64
}
