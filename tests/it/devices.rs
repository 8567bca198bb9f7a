//! A device agrees with the CPU: losses of a few steps and greedy answers, within the tolerance of the precision in which
//! it multiplies. Compiled only with a device's feature:
//!
//! ```text
//! PROMPTSHIFT_DEVICE=wgpu cargo test --features wgpu --test it devices
//! ```

use burn::module::Module;
use burn::tensor::Device;
use promptshift::backbone::BackboneChoice;
use promptshift::batch::{Batches, encode};
use promptshift::device;
use promptshift::domain::Task;
use promptshift::eval::predict::{Answer, predict};
use promptshift::recipe::{Defaults, Limits, Method, Objective, Recipe, Schedule};
use promptshift::train::{Course, Trainer, optimizer};
use promptshift::tuning::{self, MethodInputs};

use crate::tuning::squad;

const STEPS: usize = 2;

/// The losses of two steps on four short examples, and the answers after them. A software GPU takes minutes even for
/// this.
fn trained(method: Method, device: &Device) -> (Vec<f64>, Vec<Answer>) {
    let backbone = BackboneChoice::Nano
        .load(device)
        .expect("it is compiled in");
    let examples = squad(4);
    let limits = Limits {
        input: 48,
        answer: 4,
        ..Limits::default_for(Task::ExtractiveQa)
    };
    let encodings = encode(&examples, &backbone.tokenizer, &limits);
    let mut batches = Batches::new(&encodings, 4, backbone.tokenizer.pad(), 0);
    let recipe = Recipe::default_for(Defaults::Nano, method);
    let tuned = tuning::apply(&backbone, &recipe, &MethodInputs::default(), 0)
        .expect("defaults can be met");
    let course = Course {
        learning_rate: recipe.optimizer.learning_rate(),
        schedule: Schedule::Constant,
        steps: STEPS,
    };
    let objective = Objective {
        dropout: 0.0,
        ..recipe.objective
    };
    let mut trainer = Trainer::new(tuned, optimizer(&recipe.optimizer), course, objective, 0);
    let losses = (0..STEPS)
        .map(|_| {
            let loss = trainer.step(&batches.next_batch()).expect("a finite loss");
            loss.sum / loss.tokens as f64
        })
        .collect();
    let tuned = trainer.tuned().valid().into_inference();
    let answering = predict(&tuned, &encodings, &backbone.tokenizer, &[], &limits);
    (losses, answering.finish().expect("numbers"))
}

fn device() -> Device {
    let name = std::env::var(device::VARIABLE).expect("PROMPTSHIFT_DEVICE names the device");
    device::find(&name).expect("the device is there")
}

/// How far a device's losses and log-probabilities may be from the CPU's, relative to them, by the precision of its
/// products.
fn tolerance(device: &Device) -> f64 {
    match device::precision(device) {
        // CUDA on Ampere and later: factors have 10 bits of mantissa, a relative error of up to 2⁻¹¹ = 5e-4 each, and so
        // a product of up to 1e-3. Errors of the terms of a sum are of either sign and mostly cancel; ten times a
        // product's leaves room for those that add up from block to block. Not yet run on such a card.
        "tf32" => 1e-2,
        // Sums in another order: agreed to 1e-3 on Mesa's software Vulkan.
        _ => 1e-3,
    }
}

#[test]
fn training_and_decoding_agree_with_the_cpu() {
    let device = device();
    let tolerance = tolerance(&device);
    for method in [Method::Prompt, Method::Model] {
        let (losses, answers) = trained(method, &device);
        let (expected, expected_answers) = trained(method, &Device::flex());
        for (loss, expected) in losses.iter().zip(&expected) {
            assert!(
                (loss - expected).abs() < tolerance * expected,
                "{}: {losses:?} for {expected:?}",
                method.name()
            );
        }
        for (answer, expected) in answers.iter().zip(&expected_answers) {
            assert_eq!(answer.token_ids, expected.token_ids, "{}", method.name());
            assert!(
                (answer.log_prob - expected.log_prob).abs()
                    < tolerance * (1.0 + expected.log_prob.abs()),
                "{}: {} for {}",
                method.name(),
                answer.log_prob,
                expected.log_prob
            );
        }
    }
}
