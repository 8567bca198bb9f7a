//! Properties of all tuning methods, and their parameter counts on published models.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::module::Module;
use promptshift::backbone::Backbone;
use promptshift::batch::encode;
use promptshift::checkpoint::Weights;
use promptshift::domain::Example;
use promptshift::domain::catalogue::Catalogue;
use promptshift::network::Network;
use promptshift::recipe::{Defaults, DeltaRecipe, Method, Recipe};
use promptshift::t5::T5Config;
use promptshift::train::{Event, Fitting};
use promptshift::tuning::saved::{self, AdapterFile, Subspace, Vectors};
use promptshift::tuning::{self, MethodInputs, Parameters, Tuned};

use crate::every_method::Ground;
use crate::tuning::{domain, nano, squad};

/// All methods except the untuned backbone.
fn methods() -> impl Iterator<Item = Method> {
    Method::offered().filter(|&method| method != Method::Untuned)
}

/// The methods that save a whole model.
fn is_whole_model(method: Method) -> bool {
    matches!(method, Method::Model | Method::Scratch)
}

fn default(method: Method) -> Recipe {
    Recipe::default_for(Defaults::Nano, method)
}

/// A method's default recipe with this number of steps.
fn recipe(method: Method, steps: usize) -> Recipe {
    let mut recipe = default(method);
    if recipe.trains() {
        recipe.budget.steps = steps;
        recipe.budget.evaluate_every = steps;
    }
    recipe.budget.batch_size = 8;
    if let DeltaRecipe::Subspace(subspace) = &mut recipe.delta {
        subspace.dimension = DIMENSION;
    }
    if tuning::wants_labels(&recipe) {
        recipe.label_ids = label_ids(&nano());
    }
    recipe
}

/// The tokens of the labels of [`examples`], and the end of sequence.
fn label_ids(backbone: &Backbone) -> Vec<u32> {
    let catalogue = Catalogue::bundled();
    let labels = catalogue.get("qqp").expect("a card").labels;
    let tokens = labels
        .iter()
        .flat_map(|label| backbone.tokenizer.encode(label));
    let distinct: BTreeSet<u32> = tokens.chain([backbone.tokenizer.end()]).collect();
    distinct.into_iter().collect()
}

/// Training rows for a method; with labels for methods that tune labels.
fn examples(method: Method, rows: usize) -> Vec<Example> {
    match tuning::wants_labels(&default(method)) {
        true => domain("qqp", rows),
        false => squad(rows),
    }
}

/// Dimensions of the subspace, enough to learn something in it.
const DIMENSION: usize = 40;

#[test]
fn an_interrupted_training_ends_like_an_uninterrupted_one() {
    let ground = Ground::of(nano()).reading(32);
    for method in methods().filter(|&method| default(method).trains()) {
        let (recipe, examples) = (recipe(method, 6), examples(method, 20));
        ground.goes_on_as_if_it_had_not_been_broken_off(method, recipe, &examples);
    }
}

#[test]
fn trained_tensors_change_and_frozen_ones_stay_bit_for_bit() {
    let ground = Ground::of(nano());
    for method in methods() {
        // Steps of unequal size, so that a single parameter that oscillates does not end where it began.
        ground.moves_what_is_trained_alone(method, &recipe(method, 4), &examples(method, 32));
    }
}

#[test]
fn replicas_change_no_gradient() {
    let ground = Ground::of(nano()).reading(48);
    for method in [Method::Prompt, Method::Lora, Method::Model] {
        let examples = examples(method, 6);
        ground.replicas_add_up_to_the_batch(method, &recipe(method, 1), &examples);
    }
}

#[test]
fn saving_memory_changes_no_gradient() {
    let ground = Ground::of(nano()).reading(48);
    for method in methods().filter(|&method| default(method).trains()) {
        let examples = examples(method, 6);
        ground.saves_memory_without_other_gradients(method, &recipe(method, 1), &examples);
    }
}

#[test]
fn frozen_weights_in_bf16_are_their_rounded_numbers() {
    let ground = Ground::of(nano()).reading(48);
    for method in methods().filter(|&method| default(method).trains()) {
        let examples = examples(method, 6);
        ground.trains_beside_weights_in_bf16(method, &recipe(method, 2), &examples);
    }
}

/// Enough steps for every loss to fall by half.
const HALVING_STEPS: usize = 60;

#[test]
fn the_loss_on_eight_examples_falls_by_half_under_every_method() {
    // Questions with a few words of the passage, so that the test is fast.
    let ground = Ground::of(nano()).reading(32);
    // A subspace needs prompts that have learned something: see below.
    let learners = methods().filter(|&method| method != Method::Intrinsic);
    for method in learners.filter(|&method| default(method).trains()) {
        let examples = examples(method, 8);
        let mut recipe = recipe(method, HALVING_STEPS);
        recipe.budget.evaluate_every = 10;
        let curve = ground.train(&recipe, &examples).curve;
        let losses: Vec<f64> = curve.iter().filter_map(|point| point.train_loss).collect();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        println!("{}: {first} → {last}", method.name());
        assert!(last < 0.5 * first, "{}: {first} → {last}", method.name());
    }
}

#[test]
fn the_loss_on_eight_examples_falls_by_half_in_a_subspace_of_trained_prompts() {
    let ground = Ground::of(nano()).reading(32);
    let (backbone, examples) = (&ground.backbone, squad(8));
    let mut prompt = recipe(Method::Prompt, HALVING_STEPS);
    prompt.budget.evaluate_every = 10;
    let vectors = |tuned: &Tuned| tuned.vectors().expect("it has a prompt");
    let start = |seed| {
        tuning::apply(backbone, &prompt, &MethodInputs::default(), seed).expect("a valid recipe")
    };
    let tuned = [1, 2].map(|seed| vectors(&ground.fit(start(seed), &prompt, &examples).best));
    let untuned = [3, 4, 5].map(|seed| vectors(&start(seed)));
    let prompts: Vec<&Vectors> = tuned.iter().chain(&untuned).collect();
    let (subspace, _) = Subspace::of(&prompts, 2).expect("they differ");
    let mut recipe = recipe(Method::Intrinsic, HALVING_STEPS);
    recipe.budget.evaluate_every = 10;
    if let DeltaRecipe::Subspace(wanted) = &mut recipe.delta {
        wanted.dimension = 2;
    }
    let words = MethodInputs {
        subspace: Some(subspace),
        ..MethodInputs::default()
    };
    let start = tuning::apply(backbone, &recipe, &words, 1).expect("a valid recipe");
    let curve = ground.fit(start, &recipe, &examples).curve;
    let losses: Vec<f64> = curve.iter().filter_map(|point| point.train_loss).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < 0.5 * first, "{losses:?}");
}

/// Methods whose default recipe memorises eight questions; for the others, only the test above applies.
const BY_HEART: [Method; 10] = [
    Method::Prompt,
    Method::Model,
    Method::Lora,
    Method::Dora,
    Method::Vera,
    Method::Last,
    Method::Prefix,
    Method::Houlsby,
    Method::Pfeiffer,
    Method::Parallel,
];

/// The number of training examples whose greedy answers equal their targets, every few steps, until all do or the
/// recipe's budget is spent.
fn known(ground: &Ground, recipe: &Recipe, examples: &[Example]) -> Vec<usize> {
    let set = ground.training_set(examples);
    let mut known = Vec::new();
    let mut validate = |tuned: &Tuned| {
        let answers = ground.answers(tuned, examples).into_iter();
        let right = (answers.zip(set.encodings()))
            .filter(|(answer, encoding)| answer.token_ids == encoding.target)
            .count();
        known.push(right);
        Ok(right as f64 / examples.len() as f64)
    };
    let mut fit = Fitting::new(ground.apply(recipe), &set, recipe, ground.seed, None)
        .expect("nothing was kept");
    while let Some(event) = fit.next_event().expect("a finite loss") {
        if let Event::ValidationDue = event {
            let point = fit.validate(&mut validate).expect("a score");
            if point.validation_score == 1.0 {
                break;
            }
        }
    }
    known
}

#[test]
fn eight_examples_are_memorised() {
    let ground = Ground::of(nano());
    // Whole passages, the shortest ones, so that the test is fast.
    let mut examples = squad(200);
    examples.sort_by_key(|example| (example.input.len(), example.input.clone()));
    examples.dedup_by(|one, other| one.input == other.input);
    examples.truncate(8);
    let mut not_learnt = Vec::new();
    for method in BY_HEART {
        let mut recipe = default(method);
        recipe.budget.evaluate_every = 20;
        let known = known(&ground, &recipe, &examples);
        println!("{}: {known:?} of 8", method.name());
        assert!(known[0] < 8, "{} knows them already", method.name());
        if known.last() != Some(&8) {
            not_learnt.push((method.name(), known));
        }
    }
    assert!(not_learnt.is_empty(), "{not_learnt:?}");
}

/// The file with a method's initial values.
pub fn untrained_file(method: Method, backbone: &Backbone, folder: &Path) -> PathBuf {
    let (ground, recipe) = (Ground::of(backbone.clone()), recipe(method, 3));
    let tuned = ground.apply(&recipe).into_inference();
    folder.join(ground.save(&tuned, method, &recipe, folder).file)
}

#[test]
fn saved_results_answer_as_trained_ones_bit_for_bit() {
    let ground = Ground::of(nano());
    let bits = || ground.backbone.model.weights().to_bytes(BTreeMap::new());
    let before = bits();
    // One loaded backbone for all methods, one after the other.
    for method in methods() {
        let (recipe, examples) = (recipe(method, 3), examples(method, 24));
        let tuned = ground.train(&recipe, &examples).best.into_inference();
        ground.is_the_same_once_saved(method, &recipe, &tuned, &examples);
    }
    assert!(bits() == before, "an adapter has changed the backbone");
}

#[test]
fn trained_models_are_restored_bit_for_bit() {
    let (ground, anew) = (Ground::of(nano()).reading(32), nano());
    for method in methods() {
        let (recipe, examples) = (recipe(method, 3), examples(method, 12));
        let saved = ground.is_the_same_once_restored(method, &recipe, &examples, &anew);
        let parameters = Parameters::of(&recipe, &ground.backbone.config);
        if parameters.stored != parameters.trainable {
            assert_eq!(saved.trained.file, saved::TRAINED_FILE, "{}", method.name());
        }
    }
}

#[test]
fn parameter_counts_without_weights_are_those_of_training() {
    let ground = Ground::of(nano());
    for method in methods() {
        let recipe = recipe(method, 1);
        let tuned = ground.apply(&recipe);
        let parameters = Parameters::of(&recipe, &ground.backbone.config);
        assert_eq!(
            parameters.trainable,
            tuned.trainable_parameters(),
            "{}",
            method.name()
        );
        // The text before the input is looked up in the embedding and not counted.
        if recipe.trains() {
            assert_eq!(parameters.total, tuned.num_params(), "{}", method.name());
        }
    }
}

/// Parameters of the published recipes, in the closed forms of the papers: D, H·K, F, V and L of v1.1's
/// sizes (`gated-gelu`, as many blocks in both stacks).
#[test]
fn published_sizes_have_the_closed_forms_numbers() {
    type Form = fn(d: usize, inner: usize, ff: usize, layers: usize) -> usize;
    const VOCABULARY: usize = 32_128;
    // Tokens of the labels, including the end of sequence.
    const LABEL_TOKENS: usize = 7;
    let forms: &[(Method, Form)] = &[
        (Method::Prompt, |d, _, _, _| 100 * d),
        // r (D + H·K) for queries and values of three attentions.
        (Method::Lora, |d, inner, _, l| l * 3 * 2 * 8 * (d + inner)),
        // A magnitude for each column as well.
        (Method::Dora, |d, inner, _, l| {
            l * 3 * 2 * (8 * (d + inner) + inner)
        }),
        // λ_d [r] and λ_b [out] of queries and values of three attentions.
        (Method::Vera, |_, inner, _, l| l * 3 * 2 * (256 + inner)),
        // Three attentions of three inner biases and one outer, two feed-forwards.
        (Method::Bitfit, |d, inner, ff, l| {
            l * (3 * (3 * inner + d) + 2 * (2 * ff + d))
        }),
        (Method::Norms, |d, _, _, l| (5 * l + 2) * d),
        (Method::Head, |d, _, _, _| VOCABULARY * d),
        (Method::Last, |d, inner, ff, _| {
            4 * (8 * d * inner + 3 * d * ff + 3 * d) + d
        }),
        // T-Few: L (dk + dv + dff) + L (2 dk + 2 dv + dff).
        (Method::Ia3, |_, inner, ff, l| l * (6 * inner + 2 * ff)),
        (Method::Prefix, |_, inner, _, l| 100 * 3 * l * 2 * inner),
        (Method::PrefixDecoder, |_, inner, _, l| 100 * l * 2 * inner),
        (Method::PrefixMlp, |d, inner, _, l| {
            3 * (100 * d + d * 512 + 512 + 513 * 2 * l * inner)
        }),
        (Method::Houlsby, |d, _, _, l| {
            l * 4 * (2 * d * (d / 16) + d / 16 + d)
        }),
        (Method::Pfeiffer, |d, _, _, l| {
            l * 2 * (2 * d * (d / 16) + d / 16 + d)
        }),
        (Method::PromptDecoder, |d, _, _, _| 100 * d),
        (Method::PromptBoth, |d, _, _, _| 200 * d),
        (Method::Ptuning, |d, _, _, _| {
            100 * d + (d * 512 + 512) + (512 * 512 + 512) + (512 * d + d)
        }),
        (Method::PtuningLstm, |d, _, _, _| {
            let layer = |input: usize| 2 * 4 * 512 * (input + 512 + 1);
            let mlp = (1024 * 1024 + 1024) + (1024 * d + d);
            100 * d + layer(d) + layer(1024) + mlp
        }),
        (Method::Warp, |d, _, _, _| (100 + LABEL_TOKENS) * d),
        (Method::Ladder, |d, inner, ff, l| {
            let (n, inner, ff) = (d / 8, inner / 8, ff / 8);
            let heads = inner / 8;
            let stacks = l * (12 * n * inner + 6 * n * ff + 5 * n) + 2 * n + 2 * 32 * heads;
            stacks + (2 * l + 2) * (d * n + 1) + n * d
        }),
        (Method::Instruction, |_, _, _, _| 0),
        (Method::Intrinsic, |_, _, _, _| 250),
        (Method::FewShot, |_, _, _, _| 0),
        (Method::Parallel, |d, _, _, l| {
            l * 2 * (2 * d * (d / 2) + d / 2 + d)
        }),
    ];
    // The prompt that a network or a subspace computes is stored, the network or subspace is not.
    let of_prompt: Form = |d, _, _, _| 100 * d;
    let stored: &[(Method, Form)] = &[
        (Method::PrefixMlp, |_, inner, _, l| 100 * 3 * l * 2 * inner),
        (Method::Ptuning, of_prompt),
        (Method::PtuningLstm, of_prompt),
        (Method::Intrinsic, of_prompt),
    ];
    for (method, form) in forms {
        let mut recipe = Recipe::default_for(Defaults::T5, *method);
        if tuning::wants_labels(&recipe) {
            recipe.label_ids = (1..).take(LABEL_TOKENS).collect();
        }
        let stored = stored.iter().find(|(known, _)| known == method);
        let stored = stored.map_or(form, |(_, stored)| stored);
        for size in ["small", "base", "large", "xl", "xxl"] {
            let config = T5Config::published(size).expect("a published size");
            let [trainable, stored] = [form, stored].map(|form| {
                let (d, inner, ff) = (config.d_model, config.inner(), config.d_ff);
                form(d, inner, ff, config.num_layers)
            });
            let found = Parameters::of(&recipe, &config.into());
            assert_eq!(
                [found.trainable, found.stored],
                [trainable, stored],
                "{} of {size}",
                method.name()
            );
        }
    }
    let missing: Vec<&str> = methods()
        .filter(|method| !is_whole_model(*method))
        .filter(|method| forms.iter().all(|(known, _)| known != method))
        .map(Method::name)
        .collect();
    assert!(missing.is_empty(), "no closed form for {missing:?}");
}

/// The numbers that papers print.
#[test]
fn parameter_counts_printed_in_papers_are_reproduced() {
    // Lester et al. 2021, prompts of 100 vectors, and their share of all parameters in percent.
    for (size, trainable, percent) in [
        ("small", 51_200, "0.06648"),
        ("base", 76_800, "0.03101"),
        ("large", 102_400, "0.01307"),
        ("xl", 204_800, "0.00719"),
        ("xxl", 409_600, "0.00368"),
    ] {
        let config = T5Config::published(size).expect("a published size");
        let recipe = Recipe::default_for(Defaults::T5, Method::Prompt);
        let found = Parameters::of(&recipe, &config.into());
        assert_eq!(found.trainable, trainable, "{size}");
        let share = 100.0 * found.trainable as f64 / found.total as f64;
        assert_eq!(format!("{share:.5}"), percent, "{size}");
    }
}

/// The methods whose updates can be merged into the weights.
const MERGED: [Method; 3] = [Method::Lora, Method::Dora, Method::Vera];

#[test]
fn merged_updates_answer_as_unmerged() {
    let ground = Ground::of(nano());
    let examples = squad(24);
    let untuned = ground.answers(&Tuned::untuned(ground.backbone.model.clone()), &examples);
    for method in MERGED {
        let tuned = ground.train(&recipe(method, 20), &examples).best;
        let merged = Tuned::untuned(tuning::lora::merged(&tuned));
        let paths: Vec<String> = merged.parameters().into_iter().map(|p| p.path).collect();
        assert!(
            paths.iter().all(|path| !path.contains("delta")),
            "{paths:?}"
        );
        let answers = ground.answers(&tuned, &examples);
        assert_ne!(answers, untuned, "{}", method.name());
        let pairs = (answers.into_iter()).zip(ground.answers(&merged, &examples));
        for (thin, dense) in pairs {
            assert_eq!(thin.token_ids, dense.token_ids);
            assert!((thin.log_prob - dense.log_prob).abs() < 1e-3);
        }
    }
}

/// rsLoRA is LoRA with another scale: rank 16 and alpha 8 give LoRA's of alpha 32.
#[test]
fn rslora_divides_by_the_root_of_the_rank() {
    use promptshift::recipe::LoraScaling;
    let ground = Ground::of(nano()).reading(32);
    let examples = squad(8);
    let losses = |scaling, alpha| {
        let mut recipe = recipe(Method::Lora, 4);
        recipe.budget.evaluate_every = 1;
        if let DeltaRecipe::Lora(lora) = &mut recipe.delta {
            (lora.rank, lora.alpha, lora.scaling) = (16, alpha, scaling);
        }
        let curve = ground.train(&recipe, &examples).curve;
        curve
            .iter()
            .map(|point| point.train_loss)
            .collect::<Vec<_>>()
    };
    let stabilised = losses(LoraScaling::Rslora, 8.0);
    assert_eq!(stabilised, losses(LoraScaling::Lora, 32.0));
    assert_ne!(stabilised, losses(LoraScaling::Lora, 8.0));
}

/// DoRA and VeRA start as the frozen model.
#[test]
fn untrained_updates_change_no_answer() {
    let ground = Ground::of(nano());
    let examples = squad(12);
    let untuned = ground.answers(&Tuned::untuned(ground.backbone.model.clone()), &examples);
    for method in MERGED {
        let start = ground.apply(&recipe(method, 1)).into_inference();
        for (answer, untuned) in ground.answers(&start, &examples).iter().zip(&untuned) {
            assert_eq!(answer.token_ids, untuned.token_ids, "{}", method.name());
            assert!((answer.log_prob - untuned.log_prob).abs() < 1e-4);
        }
    }
}

#[test]
fn weights_with_merged_lora_are_a_checkpoint() {
    let backbone = nano();
    let folder = tempfile::tempdir().expect("a folder");
    let lora = untrained_file(Method::Lora, &backbone, folder.path());
    let bytes = AdapterFile::open(&lora)
        .expect("ours")
        .merged(&backbone)
        .expect("LoRA");
    let merged = Weights::parse(&bytes, "merged").expect("safetensors");
    let model = Network::load(&backbone.config, merged, &backbone.model.device());
    // Untrained products are zero.
    let bits = |network: &Network| network.weights().to_bytes(BTreeMap::new());
    assert!(bits(&model.expect("a T5")) == bits(&backbone.model));
    let other = untrained_file(Method::Ia3, &backbone, folder.path());
    let refused = AdapterFile::open(&other).expect("ours").merged(&backbone);
    let text = refused.expect_err("no products").to_string();
    assert!(
        text.contains("wanted LoRA, DoRA or VeRA") && text.contains("(IA)³"),
        "{text}"
    );
}

/// Prefixes and prompts of the decoder are used with a cache in generation and with whole sequences in training: both
/// must agree.
#[test]
fn the_probability_of_an_answer_is_the_same_token_by_token_and_at_once() {
    use promptshift::layers::{Pass, Tokens};
    let ground = Ground::of(nano());
    let backbone = &ground.backbone;
    for method in methods() {
        let examples = examples(method, 12);
        let encodings = encode(&examples, &backbone.tokenizer, &ground.limits);
        let inputs: Vec<&[u32]> = encodings.iter().map(|e| e.input.as_slice()).collect();
        let tuned = ground.train(&recipe(method, 3), &examples).best;
        let tokens = Tokens::padded(&inputs, backbone.tokenizer.pad());
        let encoded = tuned.encode(&tokens, &mut Pass::evaluation());
        let outputs = tuned
            .backbone
            .generate(&encoded, &[backbone.tokenizer.end()], 12);
        let ids: Vec<&[u32]> = outputs.iter().map(|o| o.ids.as_slice()).collect();
        let targets = Tokens::padded(&ids, backbone.tokenizer.pad());
        let losses: Vec<f32> = tuned
            .backbone
            .token_losses(&encoded, &targets, 0.0, &mut Pass::evaluation())
            .into_data()
            .try_to_vec()
            .expect("f32");
        let mut losses = losses.into_iter();
        for output in &outputs {
            let loss: f64 = losses.by_ref().take(output.ids.len()).map(f64::from).sum();
            assert!(
                (loss + output.log_prob).abs() < 1e-3 * loss.max(1.0),
                "{}: {loss} and {}",
                method.name(),
                output.log_prob
            );
        }
    }
}
