//! The comparisons, and promptshift's side of the workloads defined by `peer_bench.py`: T5 v1.1 small with
//! random weights in f32, without dropout and with the paper's, the same shapes, the same rows.

use std::fmt;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Distribution, Tensor};
use clap::ValueEnum;
use promptshift::batch::{Batch, Batches, Encoding, buckets};
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::parquet::TableFile;
use promptshift::domain::readers::{DataFile, Reader};
use promptshift::domain::row::{QuestionRow, Row};
use promptshift::kernels;
use promptshift::layers::{Pass, Tokens};
use promptshift::recipe::{
    AdafactorRecipe, Method, Objective, ParameterScaling, PromptInit, PromptRecipe, Reduction,
    Schedule, SecondMoment,
};
use promptshift::stats::estimate::median;
use promptshift::t5::{Initialisation, T5, T5Config, initialise};
use promptshift::tokenizer::Tokenizer;
use promptshift::train::{Course, PaperAdafactor, Trainer};
use promptshift::tuning::{MethodInputs, Tuned, model_tuning, prompt_tuning};
use serde_json::{Value, json};

use crate::smollm2;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Steps of prompt tuning on fixed shapes.
    StepPrompt,
    /// The same with dropout.
    StepPromptDropout,
    /// Steps of model tuning on fixed shapes.
    StepFull,
    /// The same with dropout.
    StepFullDropout,
    /// One pass of prompt tuning over real rows.
    EpochPrompt,
    /// The same with dropout.
    EpochPromptDropout,
    /// Greedy decoding of real rows.
    Generate,
    /// Steps of prompt tuning of SmolLM2 on fixed shapes.
    Smollm2StepPrompt,
    /// Steps of LoRA of SmolLM2 on fixed shapes.
    Smollm2StepLora,
    /// Greedy decoding of real rows by SmolLM2.
    Smollm2Generate,
}

/// The model of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// T5 v1.1 small, random weights.
    T5,
    /// SmolLM2-135M-Instruct from a GGUF file.
    Smollm2,
}

impl Model {
    /// The peer's script, in `benches/peer`.
    pub fn script(self) -> &'static str {
        match self {
            Model::T5 => "peer_bench.py",
            Model::Smollm2 => "peer_smollm2.py",
        }
    }
}

/// Files used by workloads.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The folder of data.
    pub data: &'a Path,
    /// The GGUF file.
    pub model: Option<&'a Path>,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Work::StepPrompt => "step-prompt",
            Work::StepPromptDropout => "step-prompt-dropout",
            Work::StepFull => "step-full",
            Work::StepFullDropout => "step-full-dropout",
            Work::EpochPrompt => "epoch-prompt",
            Work::EpochPromptDropout => "epoch-prompt-dropout",
            Work::Generate => "generate",
            Work::Smollm2StepPrompt => "smollm2-step-prompt",
            Work::Smollm2StepLora => "smollm2-step-lora",
            Work::Smollm2Generate => "smollm2-generate",
        })
    }
}

/// A workload and the peer's equivalent.
pub struct Comparison {
    /// promptshift's workload.
    pub work: Work,
    /// The arguments of the peer's script.
    pub peer: &'static [&'static str],
}

impl Work {
    /// The workload's model.
    pub fn model(self) -> Model {
        match self {
            Work::StepPrompt
            | Work::StepPromptDropout
            | Work::StepFull
            | Work::StepFullDropout
            | Work::EpochPrompt
            | Work::EpochPromptDropout
            | Work::Generate => Model::T5,
            Work::Smollm2StepPrompt | Work::Smollm2StepLora | Work::Smollm2Generate => {
                Model::Smollm2
            }
        }
    }
}

impl Comparison {
    /// The name in `--only` and in progress output.
    pub fn name(&self) -> String {
        format!("{} against {}", self.work, self.peer.join(" "))
    }
}

/// Every row of the table.
pub const COMPARISONS: &[Comparison] = &[
    Comparison {
        work: Work::StepPrompt,
        peer: &["step", "prompt"],
    },
    Comparison {
        work: Work::StepPromptDropout,
        peer: &["step", "prompt", "--dropout", "0.1"],
    },
    Comparison {
        work: Work::StepFull,
        peer: &["step", "full"],
    },
    Comparison {
        work: Work::StepFullDropout,
        peer: &["step", "full", "--dropout", "0.1"],
    },
    Comparison {
        work: Work::EpochPrompt,
        peer: &["epoch", "prompt", "--order", "shuffled"],
    },
    Comparison {
        work: Work::EpochPrompt,
        peer: &["epoch", "prompt", "--order", "grouped"],
    },
    Comparison {
        work: Work::EpochPromptDropout,
        peer: &["epoch", "prompt", "--order", "shuffled", "--dropout", "0.1"],
    },
    Comparison {
        work: Work::EpochPromptDropout,
        peer: &["epoch", "prompt", "--order", "grouped", "--dropout", "0.1"],
    },
    Comparison {
        work: Work::Generate,
        peer: &["generate", "--order", "shuffled"],
    },
    Comparison {
        work: Work::Generate,
        peer: &["generate", "--order", "grouped"],
    },
    Comparison {
        work: Work::Smollm2StepPrompt,
        peer: &["step", "prompt"],
    },
    Comparison {
        work: Work::Smollm2StepLora,
        peer: &["step", "lora"],
    },
    Comparison {
        work: Work::Smollm2Generate,
        peer: &["generate", "--order", "shuffled"],
    },
    Comparison {
        work: Work::Smollm2Generate,
        peer: &["generate", "--order", "grouped"],
    },
];

/// Examples in a training batch.
const BATCH: usize = 8;
/// Input and target tokens of fixed shapes.
const SHAPE: [usize; 2] = [256, 16];
/// Vectors in the prompt.
const PROMPT: usize = 100;
/// Rows of each file.
const ROWS: usize = 128;
/// The dropout of workloads with dropout: Lester et al.'s.
const DROPOUT: f64 = 0.1;
/// Tokens decoded for each row.
const NEW_TOKENS: usize = 12;
/// Padded input positions decoded together: sixteen rows of the longest.
pub const POSITIONS: usize = 16 * 512;
/// Number of timed steps, after two untimed ones.
const STEPS: usize = 5;

/// Runs one workload.
pub fn measure(work: Work, files: Files) -> Result<Value> {
    let Files { data, model } = files;
    let model = || model.context("--model names no GGUF file");
    let mut measured = match work {
        Work::StepPrompt => step(prompt_trainer(0.0)?),
        Work::StepPromptDropout => step(prompt_trainer(DROPOUT)?),
        Work::StepFull => step(model_trainer(0.0)),
        Work::StepFullDropout => step(model_trainer(DROPOUT)),
        Work::EpochPrompt => epoch(prompt_trainer(0.0)?, data),
        Work::EpochPromptDropout => epoch(prompt_trainer(DROPOUT)?, data),
        Work::Generate => generate(data),
        Work::Smollm2StepPrompt => smollm2::step(Method::Prompt, model()?),
        Work::Smollm2StepLora => smollm2::step(Method::Lora, model()?),
        Work::Smollm2Generate => smollm2::generate(model()?, data),
    }?;
    measured["peak_rss_mib"] = peak_rss_mib()?.into();
    if matches!(work, Work::StepPrompt | Work::StepPromptDropout) {
        // Measured last, since its matrices do not belong to the workload's memory.
        let seconds = measured["median_s"].as_f64().context("a step's time")?;
        let rate = matrix_product_rate();
        measured["matrix_product_gflops"] = (rate / 1e9).into();
        measured["share_of_limit"] = (prompt_step_arithmetic() / seconds / rate).into();
    }
    Ok(measured)
}

fn backbone() -> T5 {
    let config = config();
    let weights = initialise(&config, Initialisation::Published, 0);
    T5::load(&config, weights, &Device::flex()).expect("weights made for this configuration")
}

fn config() -> T5Config {
    T5Config::published("small").expect("a published size")
}

fn prompt_trainer(dropout: f64) -> Result<Trainer> {
    let recipe = PromptRecipe {
        length: PROMPT,
        init: PromptInit::Vocab,
    };
    let tuned = prompt_tuning(backbone().into(), &recipe, &MethodInputs::default(), 0)?;
    Ok(trainer(tuned, 0.3, dropout))
}

fn model_trainer(dropout: f64) -> Trainer {
    trainer(model_tuning(backbone().into()), 1e-3, dropout)
}

/// As in the peer: Adafactor with factored moments and a constant rate, mean loss.
fn trainer(tuned: Tuned, learning_rate: f64, dropout: f64) -> Trainer {
    let optimizer = PaperAdafactor::new(&AdafactorRecipe {
        learning_rate,
        parameter_scaling: ParameterScaling::Absolute,
        second_moment: SecondMoment::Factored,
        weight_decay: 0.0,
        start_step: 0,
    });
    let course = Course {
        learning_rate,
        schedule: Schedule::Constant,
        steps: usize::MAX,
    };
    let objective = Objective {
        reduction: Reduction::Mean,
        z_loss: 0.0,
        dropout,
        clip_norm: None,
    };
    let optimizer = ModuleOptimizer::from(optimizer);
    Trainer::new(tuned, optimizer, course, objective, 0)
}

fn step(trainer: Trainer) -> Result<Value> {
    let [inputs, targets] = SHAPE.map(|width| Tokens {
        soft: Vec::new(),
        ids: (0..(BATCH * width) as u32).map(|i| i % 30_000).collect(),
        lengths: vec![width; BATCH],
        width,
    });
    steps(trainer, &Batch { inputs, targets })
}

/// Times steps on one batch.
pub fn steps(mut trainer: Trainer, batch: &Batch) -> Result<Value> {
    let tokens = batch.targets.count();
    let mut seconds = Vec::new();
    for _ in 0..2 + STEPS {
        let started = Instant::now();
        let loss = trainer.step(batch)?;
        seconds.push(started.elapsed().as_secs_f64());
        ensure!(loss.tokens == tokens, "every target token counts");
    }
    let timed = &seconds[2..];
    let fastest = timed.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(json!({ "median_s": median(timed), "min_s": fastest }))
}

fn epoch(mut trainer: Trainer, data: &Path) -> Result<Value> {
    let (encodings, tokenizer) = encodings(data, "train")?;
    let mut batches = Batches::new(&encodings, BATCH, tokenizer.pad(), 0);
    let epoch: Vec<Batch> = (0..ROWS / BATCH).map(|_| batches.next_batch()).collect();
    trainer.step(&epoch[0])?;
    let started = Instant::now();
    for batch in &epoch {
        trainer.step(batch)?;
    }
    Ok(per_second(&encodings, started))
}

fn generate(data: &Path) -> Result<Value> {
    let model = backbone();
    let (encodings, tokenizer) = encodings(data, "validation")?;
    let lengths: Vec<usize> = encodings.iter().map(|e| e.input.len()).collect();
    let groups: Vec<Tokens> = buckets(&lengths, POSITIONS)
        .iter()
        .map(|group| {
            let rows: Vec<&[u32]> = group.iter().map(|&i| &encodings[i].input[..]).collect();
            Tokens::padded(&rows, tokenizer.pad())
        })
        .collect();
    // No token ends an output, so that each has exactly NEW_TOKENS.
    let answer = |tokens: &Tokens| {
        let encoded = model.encode(model.embed(tokens), &mut Pass::evaluation());
        model.generate(&encoded, &[u32::MAX], NEW_TOKENS)
    };
    black_box(answer(&groups[0]));
    let started = Instant::now();
    let mut made = 0;
    for tokens in &groups {
        made += answer(tokens).iter().map(|o| o.ids.len()).sum::<usize>();
    }
    let measured = per_second(&encodings, started);
    ensure!(
        made == ROWS * NEW_TOKENS,
        "every row has {NEW_TOKENS} tokens"
    );
    Ok(measured)
}

fn per_second(encodings: &[Encoding], started: Instant) -> Value {
    let seconds = started.elapsed().as_secs_f64();
    json!({ "seconds": seconds, "examples_per_s": encodings.len() as f64 / seconds })
}

/// The first rows of a file of SQuAD in the peer's text format, with T5's vocabulary.
fn encodings(data: &Path, split: &str) -> Result<(Vec<Encoding>, Tokenizer)> {
    let path = data.join("t5/tokenizer.json");
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let tokenizer = Tokenizer::parse(&bytes, &path.display().to_string(), &config())?;
    let cut = |text: &str, limit: usize| {
        let mut ids = tokenizer.encode(text);
        ids.truncate(limit - 1);
        ids.push(tokenizer.end());
        ids
    };
    let encodings = squad(data, split, Some(ROWS))?
        .iter()
        .map(|row| {
            let input = format!("question: {} context: {}", row.question, row.context);
            Encoding {
                input: cut(&input, 512),
                target: cut(&row.answers[0], 64),
                soft: Vec::new(),
                second: None,
                cut: false,
            }
        })
        .collect();
    Ok((encodings, tokenizer))
}

/// The first rows of a file of SQuAD, or all of them.
pub fn squad(data: &Path, split: &str, rows: Option<usize>) -> Result<Vec<QuestionRow>> {
    let card = Catalogue::bundled().get("squad")?;
    let file = TableFile::Disk(data.join(format!("squad/{split}.parquet")));
    let reader = Reader::new(&card, vec![DataFile::Table(file)], rows);
    let mut found = Vec::new();
    for rows in reader {
        for row in rows? {
            if let Row::Question(row) = row {
                found.push(row);
            }
        }
    }
    if let Some(rows) = rows {
        found.truncate(rows);
        ensure!(found.len() == rows, "wanted {rows} rows of {split}");
    }
    Ok(found)
}

/// Multiplications and additions per second in a large product of square matrices, on all threads. Measures
/// the product used in training, since Burn's own is single-threaded.
fn matrix_product_rate() -> f64 {
    const SIDE: usize = 2048;
    let device = Device::flex();
    let [a, b] = [0, 1]
        .map(|_| Tensor::<2>::random([SIDE, SIDE], Distribution::Uniform(-1.0, 1.0), &device));
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = Instant::now();
        black_box(kernels::linear(a.clone(), b.clone()));
        best = best.min(started.elapsed().as_secs_f64());
    }
    2.0 * (SIDE as f64).powi(3) / best
}

/// The minimum number of multiplications and additions in a step of prompt tuning: the forward matrix
/// products, and the backward ones that lead to the prompt. Recomputed scores are not counted, nor anything
/// but products.
fn prompt_step_arithmetic() -> f64 {
    let config = config();
    let [d, inner, ff] = [config.d_model, config.inner(), config.d_ff].map(|n| n as f64);
    let (batch, vocab) = (BATCH as f64, config.vocab_size as f64);
    let (t, u) = ((PROMPT + SHAPE[0]) as f64, SHAPE[1] as f64);
    // A product and its gradient with respect to the input: two of the same size.
    let linear = |rows: f64, from: f64, to: f64| 2.0 * 2.0 * batch * rows * from * to;
    // Scores and weighted sum, then dV, dP, dQ, dK.
    let attention = |queries: f64, keys: f64| (2.0 + 4.0) * 2.0 * batch * queries * keys * inner;
    let encoder = 4.0 * linear(t, d, inner) + attention(t, t) + 3.0 * linear(t, d, ff);
    let own = 4.0 * linear(u, d, inner) + attention(u, u);
    let cross = 2.0 * linear(u, d, inner) + 2.0 * linear(t, d, inner) + attention(u, t);
    let decoder = own + cross + 3.0 * linear(u, d, ff);
    // Nothing before the first cross-attention depends on the prompt.
    let unneeded = own / 2.0;
    config.num_layers as f64 * (encoder + decoder) - unneeded + linear(u, d, vocab)
}

/// This process's peak resident memory so far.
fn peak_rss_mib() -> Result<f64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib
        .context("no VmHWM in /proc/self/status")?
        .parse::<f64>()?
        / 1024.0)
}
