//! The workloads defined by `peer_smollm2.py`, run by promptshift: SmolLM2-135M-Instruct from a GGUF file in
//! f32, the same shapes, the same rows.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::{Batch, buckets};
use promptshift::layers::{Injected, Pass, Tokens};
use promptshift::recipe::{Defaults, Method, Recipe};
use promptshift::train::{Course, Trainer, optimizer};
use promptshift::tuning::{self, MethodInputs};
use serde_json::{Value, json};

use crate::work::{self, POSITIONS};

/// Examples in a training batch.
const BATCH: usize = 8;
/// Input and answer tokens of fixed shapes.
const SHAPE: [usize; 2] = [256, 8];
/// Number of questions to answer.
const ROWS: usize = 64;
/// Contexts with this many characters or more are skipped.
const LONGEST_CONTEXT: usize = 900;
/// Tokens decoded for each row.
const NEW_TOKENS: usize = 12;

fn backbone(model: &Path) -> Result<Backbone> {
    let choice = BackboneChoice::Gguf(model.to_path_buf());
    (choice.load(&Device::flex())).with_context(|| format!("cannot load {}", model.display()))
}

/// Steps of a method with its default recipe: AdamW, gradient clipping, 20 vectors or rank 8.
pub fn step(method: Method, model: &Path) -> Result<Value> {
    let recipe = Recipe::default_for(Defaults::DecoderOnly, method);
    let tuned = tuning::apply(&backbone(model)?, &recipe, &MethodInputs::default(), 0)?;
    let course = Course {
        learning_rate: recipe.optimizer.learning_rate(),
        schedule: recipe.schedule,
        steps: usize::MAX,
    };
    let optimizer = optimizer(&recipe.optimizer);
    let trainer = Trainer::new(tuned, optimizer, course, recipe.objective, 0);
    let [inputs, targets] = SHAPE.map(|width| Tokens {
        soft: Vec::new(),
        ids: (0..(BATCH * width) as u32).map(|i| i % 30_000).collect(),
        lengths: vec![width; BATCH],
        width,
    });
    work::steps(trainer, &Batch { inputs, targets })
}

/// Greedy decoding of the first questions.
pub fn generate(model: &Path, data: &Path) -> Result<Value> {
    let backbone = backbone(model)?;
    let inputs = questions(data)?
        .iter()
        .map(|text| backbone.tokenizer.encode_input(text).0)
        .collect::<Vec<Vec<u32>>>();
    let lengths: Vec<usize> = inputs.iter().map(Vec::len).collect();
    let groups: Vec<Tokens> = buckets(&lengths, POSITIONS)
        .iter()
        .map(|group| {
            let rows: Vec<&[u32]> = group.iter().map(|&i| &inputs[i][..]).collect();
            Tokens::padded(&rows, backbone.tokenizer.pad())
        })
        .collect();
    // No token ends an output, so that each has exactly NEW_TOKENS.
    let answer = |tokens: &Tokens| {
        let off = &mut Pass::evaluation();
        let encoded = backbone.model.encode(tokens, Injected::default(), off);
        (backbone.model).generate(&encoded, &[u32::MAX], NEW_TOKENS)
    };
    black_box(answer(&groups[0]));
    let started = Instant::now();
    let mut made = 0;
    for tokens in &groups {
        made += answer(tokens).iter().map(|o| o.ids.len()).sum::<usize>();
    }
    let seconds = started.elapsed().as_secs_f64();
    ensure!(
        made == ROWS * NEW_TOKENS,
        "every row has {NEW_TOKENS} tokens"
    );
    Ok(json!({ "seconds": seconds, "examples_per_s": ROWS as f64 / seconds }))
}

/// The texts to continue.
fn questions(data: &Path) -> Result<Vec<String>> {
    let flat = |text: &str| text.replace(['\n', '\r'], " ");
    let texts: Vec<String> = work::squad(data, "validation", None)?
        .iter()
        .filter(|row| row.context.chars().count() < LONGEST_CONTEXT)
        .take(ROWS)
        .map(|row| {
            let (context, question) = (flat(&row.context), flat(&row.question));
            format!("Context: {context}\nQuestion: {question}\nAnswer:")
        })
        .collect();
    ensure!(texts.len() == ROWS, "wanted {ROWS} short contexts");
    Ok(texts)
}
