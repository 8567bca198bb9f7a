//! Our BERT against Hugging Face Transformers' on a tiny random checkpoint with reference values
//! (tests/golden/make_bert.py): states, logits, losses, gradients, tokens.

use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::encode;
use promptshift::bert::{self, Bert, BertConfig, Head, Marks};
use promptshift::checkpoint::WeightFiles;
use promptshift::domain::{AnswerLocation, Example, Gold, Pair, Task, TextNames};
use promptshift::layers::{HeadForm, Injected, Pass, Tokens};
use promptshift::network::{Encoded, Kind, Network};
use promptshift::recipe::{Defaults, DeltaRecipe, Limits, Method, Recipe};
use promptshift::train::TrainingSet;
use promptshift::tuning::saved;
use promptshift::tuning::{self, MethodInputs, Parameters};

use super::encoders::FAMILIES;
use super::every_method::Ground;
use super::parity::{Reference, assert_close, golden, real, values};

/// `[SEP]` in the tiny vocabulary.
const SEPARATOR: u32 = 3;

fn folder() -> PathBuf {
    golden("bert_tiny")
}

fn tiny() -> (BertConfig, Bert) {
    let config = BertConfig::read(&folder().join("config.json")).expect("config.json");
    let files = WeightFiles::find(&folder()).expect("weights");
    let (weights, _) = files.read().expect("weights");
    let model = Bert::load(&config, weights, &Device::flex());
    let model = model.expect("every tensor has its place");
    (config, marked(model))
}

fn marked(model: Bert) -> Bert {
    model.with_marks(Marks {
        separator: SEPARATOR,
        between: 1,
        mask: None,
    })
}

fn matrix(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A head of PyTorch's weight `[outputs, D]` and bias.
fn head(form: HeadForm, weight: Vec<f32>, bias: Vec<f32>) -> Head {
    let device = Device::flex();
    let outputs = bias.len();
    let shape = [outputs, weight.len() / outputs];
    let weight = matrix(weight, shape, &device).transpose();
    let bias = Tensor::from_data(TensorData::new(bias, [outputs]), &device);
    Head::new(form, Param::from_tensor(weight), Param::from_tensor(bias))
}

/// The model with the classifier of its checkpoint.
fn classifier() -> Bert {
    let file = std::fs::read(folder().join("model.safetensors")).expect("a script wrote it");
    let file = safetensors::SafeTensors::deserialize(&file).expect("safetensors");
    let floats = |name: &str| -> Vec<f32> {
        let bytes = file.tensor(name).expect(name).data();
        let four = bytes.chunks_exact(4);
        four.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    };
    let head = head(
        HeadForm::Classes(3),
        floats("classifier.weight"),
        floats("classifier.bias"),
    );
    tiny().1.with_head(head)
}

fn entries(prompt: Option<Tensor<2>>) -> Injected {
    Injected {
        prompt,
        ..Injected::default()
    }
}

fn read(model: &Bert, tokens: &Tokens, prompt: Option<Tensor<2>>) -> bert::Encoded {
    model.encode(tokens, entries(prompt), &mut Pass::evaluation())
}

fn targets(reference: &Reference) -> Tokens {
    let classes: Vec<u32> = reference.list("targets");
    let rows: Vec<[u32; 1]> = classes.into_iter().map(|class| [class]).collect();
    Tokens::padded(&rows, 0)
}

#[test]
fn states_logits_and_loss_agree() {
    let reference = Reference::of(&folder());
    let model = classifier();
    let tokens = reference.inputs();
    let encoded = read(&model, &tokens, None);
    let shown = |all: &[f32]| real(all, &tokens.lengths, tokens.width);
    assert_close(
        "states",
        &shown(&values(encoded.hidden.clone())),
        &shown(&reference.floats("hidden")),
        1e-4,
    );
    let logits = values(model.logits(&encoded));
    assert_close("logits", &logits, &reference.floats("logits"), 1e-4);
    let losses = model.token_losses(&encoded, &targets(&reference), 0.0);
    assert_close(
        "loss",
        &values(losses.sum()),
        &reference.floats("loss_sum"),
        1e-4,
    );
    for (answer, logits) in model.answers(&encoded).iter().zip(logits.chunks(3)) {
        let class = answer.ids[0] as usize;
        assert!(logits.iter().all(|logit| *logit <= logits[class]));
        let z: f32 = logits.iter().map(|logit| logit.exp()).sum();
        assert!((answer.log_prob - f64::from(logits[class] - z.ln())).abs() < 1e-5);
    }
}

#[test]
fn gradients_of_weights_agree() {
    let reference = Reference::of(&folder());
    let model = classifier().train();
    let encoded = read(&model, &reference.inputs(), None);
    let losses = model.token_losses(&encoded, &targets(&reference), 0.0);
    let gradients = losses.sum().backward();
    // The model with each parameter replaced by its gradient, under Transformers' names.
    let mut left = super::parity::with_gradients(model, &gradients).weights();
    let device = Device::flex();
    for name in [
        "bert.embeddings.word_embeddings.weight",
        "bert.embeddings.position_embeddings.weight",
        "bert.embeddings.token_type_embeddings.weight",
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.1.intermediate.dense.weight",
        "bert.pooler.dense.weight",
        "classifier.weight",
    ] {
        let theirs = reference.floats(&format!("grad.{name}"));
        let shape = reference.shape(&format!("grad.{name}"));
        let ours = left.take(name, [shape[0], shape[1]], &device).expect(name);
        assert_close(name, &values(ours), &theirs, 1e-4);
    }
    for name in [
        "bert.embeddings.LayerNorm.weight",
        "bert.encoder.layer.0.attention.self.key.bias",
        "bert.encoder.layer.1.attention.output.LayerNorm.bias",
        "bert.encoder.layer.1.output.dense.bias",
        "classifier.bias",
    ] {
        let theirs = reference.floats(&format!("grad.{name}"));
        let ours = left.take(name, [theirs.len()], &device).expect(name);
        assert_close(name, &values(ours), &theirs, 1e-4);
    }
}

#[test]
fn behind_a_prompt_logits_and_its_gradient_agree() {
    let reference = Reference::of(&folder());
    let model = classifier();
    let prompt = matrix(
        reference.floats("prompt"),
        [5, 32],
        &Device::flex().autodiff(),
    );
    let prompt = prompt.require_grad();
    let encoded = read(&model, &reference.inputs(), Some(prompt.clone()));
    let logits = values(model.logits(&encoded));
    assert_close("logits", &logits, &reference.floats("prompt.logits"), 1e-4);
    let losses = model.token_losses(&encoded, &targets(&reference), 0.0);
    let gradient = prompt.grad(&losses.sum().backward()).expect("on the tape");
    let theirs = reference.floats("prompt.grad");
    assert_close("prompt's gradient", &values(gradient), &theirs, 1e-4);
}

#[test]
fn spans_agree() {
    let reference = Reference::of(&folder());
    let weights = reference.floats("span.head");
    let rows = weights.chunks(33);
    let weight = rows.clone().flat_map(|row| row[..32].to_vec()).collect();
    let bias = rows.map(|row| row[32]).collect();
    let model = tiny().1.with_head(head(HeadForm::Span, weight, bias));
    let tokens = reference.inputs();
    let encoded = read(&model, &tokens, None);
    // Theirs are [B, T, 2], ours [2·B, T].
    let theirs = reference.floats("span.logits");
    let place = |which: usize| theirs.iter().skip(which).step_by(2).copied();
    let theirs: Vec<f32> = place(0).chain(place(1)).collect();
    let ours = values(model.logits(&encoded));
    // Positions that no answer can have are about -1e9 on both sides.
    assert_close("logits", &ours, &theirs, 1e-4);
    let spans = Tokens::padded(&reference.ids("spans"), 0);
    let loss = model.token_losses(&encoded, &spans, 0.0).sum();
    assert_close(
        "loss",
        &values(loss),
        &reference.floats("span.loss_sum"),
        1e-4,
    );
    // A prompt does not shift positions, and an example without a span has no loss.
    let prompt = matrix(reference.floats("prompt"), [5, 32], &Device::flex());
    let prompted = read(&model, &tokens, Some(prompt));
    let batch = tokens.batch();
    for (row, answer) in model.answers(&prompted).iter().enumerate() {
        let real = tokens.lengths[row];
        let ids = &tokens.ids[row * tokens.width..][..real];
        let second = ids
            .iter()
            .position(|id| *id == SEPARATOR)
            .expect("two texts")
            + 1;
        assert!(answer.ids[0] >= second as u32 && answer.ids[1] < real as u32 - 1);
    }
    let mut some = reference.ids("spans");
    some[1].clear();
    let losses = model.token_losses(&encoded, &Tokens::padded(&some, 0), 0.0);
    assert_eq!(losses.dims(), [2 * (batch - 1)]);
}

#[test]
fn an_answer_does_not_depend_on_its_neighbours() {
    let reference = Reference::of(&folder());
    let model = classifier();
    let rows = reference.ids("input_ids");
    let together = values(model.logits(&read(&model, &reference.inputs(), None)));
    for (row, together) in rows.iter().zip(together.chunks(3)) {
        let alone = Tokens::padded(std::slice::from_ref(row), 0);
        let alone = values(model.logits(&read(&model, &alone, None)));
        assert_close("alone", &alone, together, 1e-5);
    }
}

#[test]
fn saving_inverts_loading() {
    let model = classifier();
    let tokens = Reference::of(&folder()).inputs();
    let (config, _) = tiny();
    let again = Bert::load(&config, model.weights(), &Device::flex());
    let again = marked(again.expect("the same names"));
    let states = |model: &Bert| values(read(model, &tokens, None).hidden);
    assert_eq!(states(&model), states(&again));
    assert_eq!(
        config.parameters() + HeadForm::Classes(3).parameters(32),
        model.num_params()
    );
}

fn backbone(folder: &Path) -> Backbone {
    let choice = BackboneChoice::Folder(folder.to_owned());
    choice.load(&Device::flex()).expect("a BERT")
}

/// An example with two texts, as a model for pairs reads it.
fn example(first: &str, second: &str, target: &str, gold: Gold) -> Example {
    let start = "question: ".len();
    let middle = start + first.len() + " context: ".len();
    Example {
        group: None,
        id: "1".to_string(),
        passage: "1".to_string(),
        input: format!("question: {first} context: {second}"),
        soft: Vec::new(),
        pair: Pair {
            first: start..start + first.len(),
            second: middle..middle + second.len(),
            answer: None,
        },
        target: target.to_string(),
        gold,
        facts: Vec::new(),
        answer_location: AnswerLocation::NotExpected,
        texts: TextNames::default(),
    }
}

fn classed(first: &str, second: &str, class: usize) -> Example {
    example(first, second, "", Gold::Label(class))
}

fn asked(question: &str, context: &str, answer: &str) -> Example {
    let gold = Gold::Answers(vec![answer.to_string()]);
    example(question, context, answer, gold)
}

fn limits(input: usize) -> Limits {
    Limits {
        input,
        ..Limits::default_for(Task::Paraphrase)
    }
}

#[test]
fn tokens_of_pairs_agree_from_either_kind_of_file() {
    let reference = Reference::of(&folder());
    let pairs: Vec<[String; 2]> = reference.list("pairs");
    let offsets: Vec<Vec<[usize; 2]>> = reference.list("offsets");
    let without_json = tempfile::tempdir().expect("a temporary folder");
    for name in [
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "tokenizer_config.json",
    ] {
        std::fs::copy(folder().join(name), without_json.path().join(name)).expect("copied");
    }
    for folder in [folder(), without_json.path().to_owned()] {
        let tokenizer = backbone(&folder).tokenizer;
        let examples: Vec<Example> = pairs.iter().map(|[a, b]| classed(a, b, 0)).collect();
        let encodings = encode(&examples, &tokenizer, &limits(512));
        let ids: Vec<Vec<u32>> = encodings.into_iter().map(|e| e.input).collect();
        assert_eq!(ids, reference.ids("input_ids"));
        for ([_, second], theirs) in pairs.iter().zip(&offsets) {
            let (_, ours) = tokenizer.encode_with_offsets(second);
            // Transformers' offsets count characters.
            let byte = |at: usize| second.char_indices().nth(at).map_or(second.len(), |c| c.0);
            let behind = &theirs[theirs.len() - 1 - ours.len()..theirs.len() - 1];
            let theirs: Vec<_> = behind
                .iter()
                .map(|[from, to]| (byte(*from), byte(*to)))
                .collect();
            assert_eq!(ours, theirs, "{second}");
        }
    }
}

#[test]
fn questions_are_trained_on_positions_of_answers_and_answered_by_them() {
    let tokenizer = backbone(&folder()).tokenizer;
    let context = "the cat sat un able by the red mill , 19 02 .";
    for answer in ["red mill", "the", ".", "un able", context] {
        let [encoding] = &encode(&[asked("was ?", context, answer)], &tokenizer, &limits(512))[..]
        else {
            panic!("one encoding")
        };
        let [first, last] = encoding.target[..] else {
            panic!("two places for {answer}")
        };
        let second = encoding.second.as_ref().expect("a question");
        assert_eq!(second.between(first, last), answer);
        assert!(!encoding.cut);
    }
    // The file says which of two occurrences is meant.
    let mut second_the = asked("was ?", context, "the");
    second_the.pair.answer = context.rfind("the");
    let encoding = &encode(&[second_the], &tokenizer, &limits(512))[0];
    let before = &encode(&[asked("was ?", context, "by")], &tokenizer, &limits(512))[0];
    assert_eq!(encoding.target, [before.target[1] + 1; 2]);

    // Truncated at the context's end: an answer in the removed part has no positions, and a training set leaves the
    // example out.
    let rows = [
        asked("was ?", context, "02"),
        asked("was ?", context, "cat"),
    ];
    let encodings = encode(&rows, &tokenizer, &limits(12));
    assert!(encodings.iter().all(|e| e.cut && e.input.len() == 12));
    assert_eq!(encodings[0].target, Vec::<u32>::new());
    assert_eq!(encodings[1].target, [5, 5]);
    let set = TrainingSet::of_source(&rows, &tokenizer, &limits(12));
    assert_eq!(set.encodings(), &encodings[1..]);
    let outside = encodings[1].second.as_ref().expect("a question");
    assert_eq!(
        (outside.between(0, 1), outside.between(1000, 1001)),
        ("", "")
    );
}

#[test]
fn the_longer_of_two_texts_is_truncated() {
    let tokenizer = backbone(&folder()).tokenizer;
    let long = "the the the the the the the the the the";
    for (first, second, lengths) in [
        ("red", long, (1, 6)),
        (long, "red", (6, 1)),
        (long, long, (3, 4)),
    ] {
        let encodings = encode(&[classed(first, second, 1)], &tokenizer, &limits(10));
        let ids = &encodings[0].input;
        let end = ids.iter().position(|id| *id == SEPARATOR).expect("an end");
        assert_eq!((end - 1, ids.len() - end - 2), lengths);
        assert!(encodings[0].cut && ids.ends_with(&[SEPARATOR]));
        assert_eq!(encodings[0].target, [1]);
    }
}

fn classes() -> Vec<Example> {
    let texts = [
        "the cat sat",
        "red mill",
        "was it unable ?",
        "o ' town",
        "19 02",
        "river , mill",
    ];
    let pairs = texts.iter().enumerate();
    pairs
        .map(|(at, text)| classed(text, texts[(at * 2 + 1) % texts.len()], at % 2))
        .collect()
}

fn recipe(method: Method, head: HeadForm) -> Recipe {
    let mut recipe = Recipe {
        head: Some(head),
        ..Recipe::default_for(Defaults::Encoder, method)
    };
    recipe.budget.steps = 6;
    recipe.budget.evaluate_every = 6;
    recipe.budget.batch_size = 6;
    if let Some(prompt) = &mut recipe.prompt {
        prompt.length = 3;
    }
    match &mut recipe.delta {
        DeltaRecipe::Subspace(subspace) => (subspace.length, subspace.dimension) = (3, 4),
        DeltaRecipe::PromptNetwork(network) => network.hidden = 8,
        _ => {}
    }
    recipe
}

/// The methods that are offered on a BERT.
fn methods() -> Vec<Method> {
    let fits = |method: &Method| {
        *method != Method::Untuned
            && tuning::supports(&Recipe::default_for(Defaults::Encoder, *method), Kind::Bert)
                .is_ok()
    };
    Method::offered().filter(fits).collect()
}

#[test]
fn methods_that_do_not_fit_are_refused_with_a_reason() {
    let fit = methods();
    for method in [
        Method::Prompt,
        Method::Lora,
        Method::Bitfit,
        Method::Head,
        Method::Model,
    ] {
        assert!(fit.contains(&method), "{method:?}");
    }
    for method in [
        Method::Ladder,
        Method::PrefixDecoder,
        Method::PromptDecoder,
        Method::FewShot,
        Method::Scratch,
        Method::Warp,
    ] {
        let recipe = Recipe::default_for(Defaults::Encoder, method);
        let error = tuning::supports(&recipe, Kind::Bert)
            .expect_err("refused")
            .to_string();
        assert!(error.contains("a BERT"), "{error}");
        // Methods that are not implemented are distinguished from those that make no sense.
        let unwritten = matches!(method, Method::Ladder | Method::Scratch | Method::Warp);
        assert_eq!(error.contains("not implemented"), unwritten, "{error}");
    }
}

/// A method that changed nothing in a BERT would train only the head, under another name.
#[test]
fn every_method_trains_more_than_the_head() {
    for ground in grounds() {
        let config = &ground.backbone.config;
        let trained = |method| {
            let recipe = recipe(method, HeadForm::Classes(2));
            Parameters::of(&recipe, config).trainable
        };
        let head = trained(Method::Head);
        assert_eq!(head, config.head_parameters(HeadForm::Classes(2)));
        for method in methods() {
            let name = method.name();
            assert!(method == Method::Head || trained(method) > head, "{name}");
        }
    }
}

/// The tiny BERT and its relatives, each with two classes.
fn grounds() -> Vec<Ground> {
    let ground = |name: &str| Ground {
        limits: limits(48),
        labels: vec!["no".to_string(), "yes".to_string()],
        seed: 3,
        ..Ground::of(backbone(&golden(name)))
    };
    ["bert_tiny"]
        .into_iter()
        .chain(FAMILIES)
        .map(ground)
        .collect()
}

#[test]
fn every_method_trains_its_parameters_and_the_head_and_answers_the_same_when_reloaded() {
    let examples = classes();
    for ground in grounds() {
        for method in methods() {
            let recipe = recipe(method, HeadForm::Classes(2));
            let name = format!("{} of {}", method.name(), ground.backbone.name);
            let start = ground.apply(&recipe);
            let counted = Parameters::of(&recipe, &ground.backbone.config);
            assert_eq!(start.trainable_parameters(), counted.trainable, "{name}");
            assert_eq!(start.parameter_count(), counted.total, "{name}");
            // Rows of embeddings that no text uses do not change, but others do.
            let tuned = ground.moves_what_is_trained_alone(method, &recipe, &examples);
            let tuned = tuned.into_inference();
            for answer in ground.answers(&tuned, &examples) {
                assert!(ground.labels.contains(&answer.text));
                assert!(answer.log_prob < 0.0 && answer.log_prob >= 0.5f64.ln() - 1e-6);
            }
            if method == Method::Model {
                // A checkpoint is read without its own head.
                let folder = tempfile::tempdir().expect("a temporary folder");
                let saved = ground.save(&tuned, method, &recipe, folder.path());
                assert_eq!(saved.file, "model.safetensors");
                continue;
            }
            let saved = ground.is_the_same_once_saved(method, &recipe, &tuned, &examples);
            assert_eq!(saved.file, saved::ADAPTER_FILE, "{name}");
        }
    }
}

#[test]
fn replicas_change_no_gradient() {
    let examples = [classes(), classes()].concat();
    for ground in grounds() {
        for method in [Method::Prompt, Method::Lora, Method::Model] {
            let recipe = recipe(method, HeadForm::Classes(2));
            ground.replicas_add_up_to_the_batch(method, &recipe, &examples);
        }
    }
}

#[test]
fn saving_memory_changes_no_gradient() {
    let examples = [classes(), classes()].concat();
    for ground in grounds() {
        for method in methods() {
            let recipe = recipe(method, HeadForm::Classes(2));
            ground.saves_memory_without_other_gradients(method, &recipe, &examples);
        }
    }
}

#[test]
fn frozen_weights_in_bf16_are_their_rounded_numbers() {
    let examples = [classes(), classes()].concat();
    for ground in grounds() {
        for method in methods() {
            let recipe = recipe(method, HeadForm::Classes(2));
            ground.trains_beside_weights_in_bf16(method, &recipe, &examples);
        }
    }
}

#[test]
fn trained_models_are_restored_bit_for_bit() {
    let examples = classes();
    // Files have another name for a head for spans.
    let context = "the cat sat un able by the red mill , 19 02 .";
    let questions = ["red mill", "the cat", "19 02"].map(|answer| asked("was ?", context, answer));
    for ground in grounds() {
        let anew = backbone(&golden(&ground.backbone.name));
        for method in methods() {
            let recipe = recipe(method, HeadForm::Classes(2));
            ground.is_the_same_once_restored(method, &recipe, &examples, &anew);
        }
        for method in [Method::Model, Method::Lora] {
            let recipe = recipe(method, HeadForm::Span);
            ground.is_the_same_once_restored(method, &recipe, &questions, &anew);
        }
    }
}

#[test]
fn an_interrupted_training_with_adamw_ends_like_an_uninterrupted_one() {
    for ground in grounds() {
        for method in methods() {
            let mut recipe = recipe(method, HeadForm::Classes(2));
            // Batches that differ.
            recipe.budget.batch_size = 2;
            assert_eq!(recipe.optimizer.name(), "AdamW");
            ground.goes_on_as_if_it_had_not_been_broken_off(method, recipe, &classes());
        }
    }
}

#[test]
fn every_method_has_the_same_initial_head_for_a_seed() {
    let backbone = backbone(&folder());
    let head = |method, seed| {
        let recipe = recipe(method, HeadForm::Span);
        let tuned = tuning::apply(&backbone, &recipe, &MethodInputs::default(), seed);
        let parameters = tuned.expect("it fits").parameters().into_iter();
        let of_head = parameters.filter(|p| p.path.starts_with("backbone.head."));
        of_head.map(|p| p.values).collect::<Vec<_>>()
    };
    assert_eq!(head(Method::Lora, 1), head(Method::Model, 1));
    assert_eq!(head(Method::Lora, 1), head(Method::Prompt, 1));
    assert_ne!(head(Method::Lora, 1), head(Method::Lora, 2));
}

/// all-MiniLM-L6-v2 on real pairs: token ids; states, and behind a prompt logits and its gradient, within 1e-3.
#[test]
#[ignore = "wants PROMPTSHIFT_MINILM, the folder of the model with what make_minilm.py wrote in reference/"]
fn minilm_agrees_on_real_pairs() {
    let folder = PathBuf::from(std::env::var_os("PROMPTSHIFT_MINILM").expect("PROMPTSHIFT_MINILM"));
    let reference = Reference::of(&folder.join("reference"));
    let backbone = backbone(&folder);
    let pairs: Vec<[String; 2]> = reference.list("pairs");
    let examples: Vec<Example> = pairs.iter().map(|[a, b]| classed(a, b, 0)).collect();
    let encodings = encode(&examples, &backbone.tokenizer, &limits(512));
    let ids: Vec<Vec<u32>> = encodings.into_iter().map(|e| e.input).collect();
    assert_eq!(ids, reference.ids("input_ids"));
    let tokens = Tokens::padded(&ids, 0);
    let Encoded::Bert(encoded) =
        (backbone.model).encode(&tokens, Injected::default(), &mut Pass::evaluation())
    else {
        panic!("a BERT")
    };
    let shown = |all: &[f32]| real(all, &tokens.lengths, tokens.width);
    let (ours, theirs) = (
        shown(&values(encoded.hidden)),
        shown(&reference.floats("hidden")),
    );
    let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    println!(
        "largest difference of a state: {}",
        apart.fold(0.0, f32::max)
    );
    assert_close("states", &ours, &theirs, 1e-3);

    let Network::Bert(model) = backbone.model else {
        panic!("a BERT")
    };
    let [weight, bias] = ["head.weight", "head.bias"].map(|name| reference.floats(name));
    let model = model.with_head(head(HeadForm::Classes(2), weight, bias));
    let prompt = matrix(
        reference.floats("prompt"),
        [20, 384],
        &Device::flex().autodiff(),
    );
    let prompt = prompt.require_grad();
    let encoded = read(&model, &tokens, Some(prompt.clone()));
    let logits = values(model.logits(&encoded));
    assert_close("logits", &logits, &reference.floats("prompt.logits"), 1e-3);
    let losses = model.token_losses(&encoded, &targets(&reference), 0.0);
    let gradient = values(prompt.grad(&losses.sum().backward()).expect("on the tape"));
    let theirs = reference.floats("prompt.grad");
    let length = |all: &mut dyn Iterator<Item = f32>| all.map(|x| x * x).sum::<f32>().sqrt();
    let apart = length(&mut gradient.iter().zip(&theirs).map(|(a, b)| a - b));
    let relative = apart / length(&mut theirs.iter().copied());
    println!("the prompt's gradient is {relative} of its length apart");
    assert!(relative < 1e-3);
}
