//! What prompt and model tuning train and what they leave unchanged, initialisations of prompts, and rows for other
//! tests.

use std::collections::HashSet;

use burn::module::Module;
use burn::tensor::Device;
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::encode;
use promptshift::domain::AnswerForm;
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::sampling::Limit;
use promptshift::domain::suite::Suite;
use promptshift::domain::wording::Wording;
use promptshift::domain::{Example, Task};
use promptshift::layers::{Injected, Pass, Tokens};
use promptshift::recipe::{
    Defaults, DeltaRecipe, Limits, Method, PromptInit, PromptRecipe, Recipe,
};
use promptshift::train::{Event, Fitted, Fitting, TrainingSet};
use promptshift::tuning::saved::{Subspace, Vectors};
use promptshift::tuning::{MethodInputs, PromptError, Tuned, model_tuning, prompt_tuning};

pub fn nano() -> Backbone {
    BackboneChoice::Nano
        .load(&Device::flex())
        .expect("it is compiled in")
}

pub fn squad(rows: usize) -> Vec<Example> {
    domain("squad", rows)
}

/// The first training rows of a bundled domain.
pub fn domain(name: &str, rows: usize) -> Vec<Example> {
    domain_as(AnswerForm::Padded, name, rows)
}

/// As [`domain`], worded for this kind of model.
pub fn domain_as(form: AnswerForm, name: &str, rows: usize) -> Vec<Example> {
    let catalogue = Catalogue::bundled();
    let card = &catalogue.get(name).expect("a card");
    let splits = Suite::Mini.source(card).expect("compiled in");
    Suite::Mini
        .load(
            card,
            &splits.train,
            Limit::First(rows),
            form,
            &Wording::default(),
        )
        .expect("compiled in")
        .examples
}

/// The subspace of a recipe's method, if it has one, from untuned prompts.
pub fn subspace_for(recipe: &Recipe, backbone: &Backbone) -> Option<Subspace> {
    let DeltaRecipe::Subspace(wanted) = &recipe.delta else {
        return None;
    };
    let start = PromptRecipe {
        length: wanted.length,
        init: PromptInit::Vocab,
    };
    let prompt = |seed| {
        let model = backbone.model.clone();
        let tuned = prompt_tuning(model, &start, &MethodInputs::default(), seed);
        let tuned = tuned.expect("a valid recipe");
        tuned.vectors().expect("it has a prompt")
    };
    let prompts: Vec<Vectors> = (0..=wanted.dimension as u64).map(prompt).collect();
    let prompts: Vec<&Vectors> = prompts.iter().collect();
    let (subspace, explained) = Subspace::of(&prompts, wanted.dimension).expect("they differ");
    assert!(explained > 0.999, "{explained}: all of their directions");
    Some(subspace)
}

fn tuned(backbone: &Backbone, recipe: &Recipe, seed: u64) -> Tuned {
    let model = backbone.model.clone();
    match &recipe.prompt {
        Some(prompt) => {
            prompt_tuning(model, prompt, &MethodInputs::default(), seed).expect("a valid recipe")
        }
        None => model_tuning(model),
    }
}

/// Trains on `examples` for `steps` and keeps the last step.
fn train(backbone: &Backbone, recipe: &Recipe, examples: &[Example], seed: u64) -> Fitted {
    let limits = Limits::default_for(Task::ExtractiveQa);
    let set = TrainingSet::of_source(examples, &backbone.tokenizer, &limits);
    let mut fit = Fitting::new(tuned(backbone, recipe, seed), &set, recipe, seed, None)
        .expect("nothing was kept");
    let mut later_is_better = 0.0;
    while let Some(event) = fit.next_event().expect("a finite loss") {
        if let Event::ValidationDue = event {
            later_is_better += 1.0;
            fit.validate(|_| Ok(later_is_better)).expect("a score");
        }
    }
    fit.finish()
}

fn short(method: Method, steps: usize) -> Recipe {
    let mut recipe = Recipe::default_for(Defaults::Nano, method);
    recipe.budget.steps = steps;
    recipe.budget.batch_size = 8;
    recipe.budget.evaluate_every = steps;
    recipe
}

fn bytes(tuned: &Tuned) -> Vec<u8> {
    tuned.backbone.weights().to_bytes(Default::default())
}

fn prompt(tuned: &Tuned) -> Vec<f32> {
    let prompt = tuned.prompt.as_ref().expect("prompt tuning");
    prompt.vectors().into_data().try_to_vec().expect("f32")
}

#[test]
fn prompt_tuning_trains_only_the_prompt() {
    let backbone = nano();
    let recipe = short(Method::Prompt, 3);
    let before = tuned(&backbone, &recipe, 1);
    let length = recipe.prompt.as_ref().expect("a prompt").length;
    assert_eq!(
        before.trainable_parameters(),
        length * backbone.config.width()
    );
    let fitted = train(&backbone, &recipe, &squad(32), 1);
    let (after, movement) = (fitted.best, fitted.movement.expect("finite norms"));
    assert_eq!(
        bytes(&before),
        bytes(&after),
        "the backbone is bit-identical"
    );
    let norm = |numbers: &[f32]| numbers.iter().map(|n| f64::from(n * n)).sum::<f64>().sqrt();
    let (start, end) = (prompt(&before), prompt(&after));
    let change: Vec<f32> = end
        .iter()
        .zip(&start)
        .map(|(end, start)| end - start)
        .collect();
    let wanted = [norm(&start), norm(&end), norm(&change)];
    let found = [movement.start_norm, movement.end_norm, movement.change_norm];
    for (found, wanted) in found.into_iter().zip(wanted) {
        assert!((found / wanted - 1.0).abs() < 1e-5, "{found} for {wanted}");
    }
    let moved = prompt(&before)
        .iter()
        .zip(prompt(&after))
        .filter(|(before, after)| *before != after)
        .count();
    assert_eq!(
        moved,
        length * backbone.config.width(),
        "every number of the prompt moved"
    );
}

#[test]
fn model_tuning_trains_every_tensor() {
    let backbone = nano();
    let recipe = short(Method::Model, 3);
    let before = tuned(&backbone, &recipe, 1);
    assert_eq!(before.trainable_parameters(), backbone.config.parameters());
    assert_eq!(before.num_params(), backbone.config.parameters());
    let after = train(&backbone, &recipe, &squad(32), 1).best;
    let (before, after) = (bytes(&before), bytes(&after));
    let before = safetensors::SafeTensors::deserialize(&before).expect("safetensors");
    let after = safetensors::SafeTensors::deserialize(&after).expect("safetensors");
    for name in before.names() {
        let data = |file: &safetensors::SafeTensors| file.tensor(name).expect(name).data().to_vec();
        assert_ne!(data(&before), data(&after), "{name} has not moved");
    }
}

#[test]
fn a_seed_gives_the_same_bits_and_another_seed_others() {
    let backbone = nano();
    let examples = squad(64);
    for method in [Method::Prompt, Method::Model] {
        let mut recipe = short(method, 4);
        recipe.objective.dropout = 0.1;
        let run = |seed| {
            let fitted = train(&backbone, &recipe, &examples, seed);
            let losses: Vec<_> = fitted.curve.iter().map(|p| p.train_loss).collect();
            let mut bits = bytes(&fitted.best);
            if fitted.best.prompt.is_some() {
                bits = prompt(&fitted.best)
                    .iter()
                    .flat_map(|v| v.to_le_bytes())
                    .collect();
            }
            (losses, bits)
        };
        assert!(run(1) == run(1), "{} differs from itself", method.title());
        assert!(
            run(1) != run(2),
            "{} does not depend on its seed",
            method.title()
        );
    }
}

#[test]
fn prompts_are_initialised_as_in_the_paper() {
    let backbone = nano();
    let start = |init: PromptInit, words: &MethodInputs| {
        let recipe = PromptRecipe { length: 6, init };
        let tuned = prompt_tuning(backbone.model.clone(), &recipe, words, 7).expect("valid");
        prompt(&tuned)
    };
    let none = MethodInputs::default();
    let uniform = start(PromptInit::Uniform, &none);
    assert!(uniform.iter().all(|v| (-0.5..0.5).contains(v)) && uniform.iter().any(|v| *v < 0.0));
    let one_sided = start(PromptInit::UniformOneSided, &none);
    assert!(one_sided.iter().all(|v| (0.0..0.5).contains(v)));

    let d = backbone.config.width();
    let table: Vec<f32> = backbone
        .model
        .embedding()
        .into_data()
        .try_to_vec()
        .expect("f32");
    let row = |id: usize| table[id * d..(id + 1) * d].to_vec();
    let vocab = start(PromptInit::Vocab, &none);
    let mut drawn = Vec::new();
    for vector in vocab.chunks(d) {
        let id = (0..backbone.config.vocabulary()).find(|&id| row(id) == vector);
        drawn.push(id.expect("a row of the embedding, exactly"));
    }
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn.len(), 6, "drawn without replacement");

    let words = MethodInputs {
        domain: "qqp".to_string(),
        labels: vec![vec![10, 12], vec![11]],
        text: vec![20, 21, 22],
        preamble: Vec::new(),
        vectors: None,
        subspace: None,
    };
    let labels = start(PromptInit::Labels, &words);
    let mean: Vec<f32> = row(10)
        .iter()
        .zip(row(12))
        .map(|(a, b)| (a + b) / 2.0)
        .collect();
    assert_eq!(
        labels[..d],
        mean,
        "several tokens are averaged into one position"
    );
    assert_eq!(labels[d..2 * d], row(11));
    assert_eq!(
        labels[2 * d..],
        vocab[2 * d..],
        "the rest is drawn from the vocabulary"
    );
    let text = start(PromptInit::Text("x".to_string()), &words);
    assert_eq!(text[..3 * d], [row(20), row(21), row(22)].concat());
}

#[test]
fn impossible_prompts_are_refused() {
    let backbone = nano();
    let refused = |length, init| {
        let recipe = PromptRecipe { length, init };
        prompt_tuning(backbone.model.clone(), &recipe, &MethodInputs::default(), 0)
            .expect_err("must be refused")
    };
    assert!(matches!(refused(0, PromptInit::Vocab), PromptError::Empty));
    assert!(matches!(
        refused(100_000, PromptInit::Vocab),
        PromptError::TooLong { .. }
    ));
    assert!(matches!(
        refused(5, PromptInit::Labels),
        PromptError::NoLabels(_)
    ));
    assert!(matches!(
        refused(5, PromptInit::Text(String::new())),
        PromptError::EmptyText
    ));
}

/// Answers of different lengths: finished rows leave the batch while others continue.
#[test]
fn an_answer_does_not_depend_on_the_rest_of_the_batch() {
    let backbone = nano();
    let limits = Limits::default_for(Task::ExtractiveQa);
    let encodings = encode(&squad(24), &backbone.tokenizer, &limits);
    let inputs: Vec<&[u32]> = encodings.iter().map(|e| e.input.as_slice()).collect();
    let answers = |inputs: &[&[u32]]| {
        let tokens = Tokens::padded(inputs, backbone.tokenizer.pad());
        let encoded = backbone
            .model
            .encode(&tokens, Injected::default(), &mut Pass::evaluation());
        backbone
            .model
            .generate(&encoded, &[backbone.tokenizer.end()], 24)
    };
    let together = answers(&inputs);
    let lengths: HashSet<usize> = together.iter().map(|answer| answer.ids.len()).collect();
    assert!(lengths.len() > 4, "answers of different lengths");
    for (input, with_others) in inputs.iter().zip(&together) {
        let alone = &answers(&[input])[0];
        assert_eq!(alone.ids, with_others.ids);
        assert!((alone.log_prob - with_others.log_prob).abs() < 1e-4);
    }
}
