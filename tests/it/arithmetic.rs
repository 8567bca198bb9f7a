//! The losses of some trainings, to six digits. Results in stores carry the version of the arithmetic
//! ([`ARITHMETIC`]), which must be incremented when the same training gives other numbers.

use burn::tensor::Device;
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::domain::{AnswerForm, Example, Task};
use promptshift::layers::HeadForm;
use promptshift::recipe::{Defaults, Limits, Method, Recipe};
use promptshift::store::ARITHMETIC;

use crate::every_method::Ground;
use crate::parity::golden;
use crate::tuning::{domain, domain_as, nano, squad};

/// The version of the arithmetic of the numbers below.
const NUMBERS_OF: u32 = 1;

/// Processors sum in different orders and differ in the last digits: changing each weight by up to an eighth of a
/// millionth changed no loss by more than a third of this.
const TOLERANCE: f64 = 1e-6;

const STEPS: usize = 4;

fn load(name: &str) -> Backbone {
    BackboneChoice::Folder(golden(name))
        .load(&Device::flex())
        .expect("every tensor has its place")
}

/// A few steps of a method's default recipe, with the loss of each.
fn recipe(defaults: Defaults, method: Method, dropout: f64) -> Recipe {
    let mut recipe = Recipe::default_for(defaults, method);
    recipe.budget.steps = STEPS;
    recipe.budget.evaluate_every = 1;
    recipe.budget.patience = None;
    recipe.budget.batch_size = 4;
    recipe.objective.dropout = dropout;
    if let Some(prompt) = &mut recipe.prompt {
        prompt.length = 4;
    }
    recipe
}

/// Asserts that training has these losses at its steps.
fn has_losses(
    what: &str,
    ground: &Ground,
    recipe: &Recipe,
    examples: &[Example],
    wanted: [f64; STEPS],
) {
    let curve = ground.train(recipe, examples).curve;
    let found: Vec<f64> = curve.iter().filter_map(|point| point.train_loss).collect();
    let is_close =
        |(found, wanted): (&f64, &f64)| (found - wanted).abs() <= TOLERANCE * wanted.abs();
    assert!(
        found.len() == wanted.len() && found.iter().zip(&wanted).all(is_close),
        "{what}: the losses were {wanted:?} and are {found:?}. The arithmetic has changed: stores would give \
         results of the old one for the new one. If this change is meant, raise \
         promptshift_numbers::store::ARITHMETIC (now {ARITHMETIC}) and put the new numbers here; if not, find it."
    );
}

#[test]
fn the_numbers_are_of_this_arithmetic() {
    assert_eq!(
        ARITHMETIC, NUMBERS_OF,
        "ARITHMETIC was raised: put the numbers of the new one into tests/it/arithmetic.rs"
    );
}

#[test]
fn a_t5_is_tuned_by_the_same_arithmetic() {
    let (ground, examples) = (Ground::of(nano()).reading(64), squad(12));
    let recipe = |method, dropout| recipe(Defaults::Nano, method, dropout);
    has_losses(
        "nano, prompt tuning",
        &ground,
        &recipe(Method::Prompt, 0.0),
        &examples,
        [4.7336688, 4.4132209, 3.4207285, 3.3477043],
    );
    has_losses(
        "nano, model tuning with dropout",
        &ground,
        &recipe(Method::Model, 0.1),
        &examples,
        [6.1907454, 4.9101723, 4.6027093, 4.8282426],
    );
}

#[test]
fn a_bert_is_tuned_by_the_same_arithmetic() {
    let ground = Ground {
        limits: Limits {
            input: 48,
            ..Limits::default_for(Task::Paraphrase)
        },
        labels: vec!["no".to_string(), "yes".to_string()],
        seed: 3,
        ..Ground::of(load("bert_tiny"))
    };
    let examples = domain("qqp", 12);
    let recipe = |method, dropout| Recipe {
        head: Some(HeadForm::Classes(2)),
        ..recipe(Defaults::Encoder, method, dropout)
    };
    has_losses(
        "BERT, prompt tuning",
        &ground,
        &recipe(Method::Prompt, 0.0),
        &examples,
        [0.67340416, 0.69483668, 0.694628, 0.68424881],
    );
    has_losses(
        "BERT, model tuning with dropout",
        &ground,
        &recipe(Method::Model, 0.1),
        &examples,
        [0.66005743, 0.71382302, 0.70353472, 0.66751873],
    );
}

fn decoder_only(name: &str, prompt: [f64; STEPS], model: [f64; STEPS]) {
    let ground = Ground {
        limits: Limits {
            input: 32,
            target: 16,
            answer: 12,
        },
        ..Ground::of(load(name))
    };
    let examples = domain_as(AnswerForm::Continued, "squad", 12);
    let recipe = |method, dropout| recipe(Defaults::DecoderOnly, method, dropout);
    has_losses(
        &format!("{name}, prompt tuning"),
        &ground,
        &recipe(Method::Prompt, 0.0),
        &examples,
        prompt,
    );
    has_losses(
        &format!("{name}, model tuning with dropout"),
        &ground,
        &recipe(Method::Model, 0.1),
        &examples,
        model,
    );
}

#[test]
fn a_llama_is_tuned_by_the_same_arithmetic() {
    decoder_only(
        "llama_tiny",
        [6.7806292, 7.5667505, 7.0475478, 7.030704],
        [7.239995, 7.4403052, 6.8777666, 7.0434313],
    );
}

#[test]
fn a_gpt2_is_tuned_by_the_same_arithmetic() {
    decoder_only(
        "gpt2_tiny",
        [6.6673436, 6.958889, 6.7421107, 6.6375113],
        [6.5084176, 6.9580445, 7.205555, 6.7545071],
    );
}
