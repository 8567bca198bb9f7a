//! Our T5 against Transformers' at the published small sizes with the real vocabulary: random
//! checkpoints and reference values that tests/golden/make_full_size.py writes.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use promptshift::checkpoint::WeightFiles;
use promptshift::layers::Pass;
use promptshift::t5::{T5, T5Config};

use super::parity::{Reference, values};

/// Largest difference of a log-probability (natural logarithm).
const LOG_PROB: f32 = 1e-4;
/// Largest difference of the prompt's gradient, relative to its norm.
const GRADIENT: f32 = 1e-3;

#[test]
#[ignore = "wants PROMPTSHIFT_FULL_SIZE, the folder that tests/golden/make_full_size.py wrote"]
fn small_checkpoints_with_the_real_vocabulary_agree() {
    let folder = std::env::var_os("PROMPTSHIFT_FULL_SIZE").expect("PROMPTSHIFT_FULL_SIZE");
    for name in ["t5_v1_1_small", "t5_v1_0_small"] {
        agrees(&PathBuf::from(&folder).join(name));
    }
}

fn agrees(folder: &Path) {
    let reference = Reference::of(folder);
    let config = T5Config::read(&folder.join("config.json")).expect("config.json");
    let (weights, _) = WeightFiles::find(folder)
        .and_then(|files| files.read())
        .expect("weights");
    let model = T5::load(&config, weights, &Device::flex()).expect("every tensor has its place");
    let (inputs, targets) = (reference.inputs(), reference.targets());
    println!(
        "{}: {} parameters, V {}",
        folder.display(),
        config.parameters(),
        config.vocab_size
    );
    let width = config.d_model;
    let prompt = |device: &Device| -> Tensor<2> {
        let rows = reference.floats("prompt");
        let shape = [rows.len() / width, width];
        Tensor::from_data(TensorData::new(rows, shape), device)
    };
    for (prefix, named) in [("", "without a prompt"), ("prompt.", "behind a prompt")] {
        let input = match prefix {
            "" => model.embed(&inputs),
            _ => model.embed(&inputs).after_prompt(prompt(&Device::flex())),
        };
        let encoded = model.encode(input, &mut Pass::evaluation());

        let losses = model.token_losses(&encoded, &targets, 0.0, &mut Pass::evaluation());
        let ours: Vec<f32> = values(losses).into_iter().map(|loss| -loss).collect();
        let theirs = reference.floats(&format!("{prefix}target_logprobs"));
        let targets_apart = largest_difference(&ours, &theirs);
        let sum: f32 = -ours.iter().sum::<f32>();
        let loss_apart = (sum - reference.floats(&format!("{prefix}loss_sum"))[0]).abs();

        let outputs = model.generate(&encoded, &[config.eos_token_id], 16);
        let ids: Vec<Vec<u32>> = outputs.iter().map(|output| output.ids.clone()).collect();
        assert_eq!(ids, reference.ids(&format!("{prefix}greedy")), "{named}");
        let ours: Vec<f32> = outputs.iter().map(|o| o.log_prob as f32).collect();
        let theirs = reference.floats(&format!("{prefix}greedy_logprob"));
        let greedy_apart = largest_difference(&ours, &theirs);

        println!(
            "  {named}: {} target log-probabilities differ by at most {targets_apart:.1e}, their sum \
             by {loss_apart:.1e}; {} greedy outputs ({} tokens) identical, their log-probabilities \
             differ by at most {greedy_apart:.1e}",
            targets.lengths.iter().sum::<usize>(),
            ids.len(),
            ids.concat().len(),
        );
        assert!(
            targets_apart <= LOG_PROB && greedy_apart <= LOG_PROB,
            "{named}"
        );
    }

    let tracked = prompt(&Device::flex().autodiff()).require_grad();
    let input = model.embed(&inputs).after_prompt(tracked.clone());
    let encoded = model.encode(input, &mut Pass::evaluation());
    let losses = model.token_losses(&encoded, &targets, 0.0, &mut Pass::evaluation());
    let gradient = tracked.grad(&losses.sum().backward()).expect("tracked");
    let (ours, theirs) = (values(gradient), reference.floats("prompt.grad"));
    let apart = relative_difference(&ours, &theirs);
    let worst = (ours.chunks(width).zip(theirs.chunks(width)))
        .map(|(ours, theirs)| relative_difference(ours, theirs))
        .fold(0.0, f32::max);
    println!(
        "  the prompt's gradient differs by {apart:.1e} of its norm, a single vector's by at most {worst:.1e}"
    );
    assert!(apart <= GRADIENT);
}

fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let apart = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f32::max)
}

/// `‖ours − theirs‖ / ‖theirs‖`.
fn relative_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    let apart = norm(&mut ours.iter().zip(theirs).map(|(a, b)| a - b));
    apart / norm(&mut theirs.iter().copied())
}
