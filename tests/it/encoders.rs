//! BERT's relatives against Hugging Face Transformers on tiny random checkpoints with reference values
//! (tests/golden/make_encoders.py): states, logits, losses, gradients, tokens, words at masks.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::encode;
use promptshift::bert::{Bert, BertConfig, Encoded, Head};
use promptshift::checkpoint::Weights;
use promptshift::domain::{AnswerLocation, Example, Gold, Pair, Task, TextNames};
use promptshift::layers::{HeadForm, Injected, Pass, Tokens};
use promptshift::network::Network;
use promptshift::recipe::Limits;

use super::parity::{Reference, assert_close, golden, real, values, with_gradients};

/// The families.
pub const FAMILIES: [&str; 4] = [
    "roberta_tiny",
    "distilbert_tiny",
    "modernbert_tiny",
    "xlm_roberta_tiny",
];

const WIDTH: usize = 32;

fn backbone(name: &str) -> Backbone {
    let choice = BackboneChoice::Folder(golden(name));
    choice
        .load(&Device::flex())
        .expect("a committed checkpoint")
}

fn bert(backbone: Backbone) -> Bert {
    let Network::Bert(bert) = backbone.model else {
        panic!("an encoder")
    };
    bert
}

fn matrix(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A map of PyTorch's weight `[out, D]` and bias.
fn map(reference: &Reference, name: &str) -> (Param<Tensor<2>>, Param<Tensor<1>>) {
    let device = Device::flex();
    let [weight, bias] = ["weight", "bias"].map(|part| reference.floats(&format!("{name}.{part}")));
    let outputs = bias.len();
    let bias = Tensor::from_data(TensorData::new(bias, [outputs]), &device);
    (
        Param::from_tensor(matrix(weight, [outputs, WIDTH], &device).transpose()),
        Param::from_tensor(bias),
    )
}

/// A classifier: the map of three outputs, and the one before it if there is one.
fn classifier(name: &str, reference: &Reference) -> Bert {
    let outputs = |name: &String| reference.shape(&format!("head.{name}"))[0];
    let names: Vec<String> = reference.names("head.");
    let names = names.into_iter().filter(|name| name.ends_with(".bias"));
    let (last, before): (Vec<String>, Vec<String>) = names.partition(|name| outputs(name) == 3);
    let of = |name: &String| {
        map(
            reference,
            &format!("head.{}", name.trim_end_matches(".bias")),
        )
    };
    let (weight, bias) = of(&last[0]);
    let head = Head::new(HeadForm::Classes(3), weight, bias);
    let head = match before.first().map(of) {
        Some((weight, bias)) => head.behind(weight, bias),
        None => head,
    };
    bert(backbone(name)).with_head(head)
}

fn read(model: &Bert, tokens: &Tokens, prompt: Option<Tensor<2>>) -> Encoded {
    let injected = Injected {
        prompt,
        ..Injected::default()
    };
    model.encode(tokens, injected, &mut Pass::evaluation())
}

fn targets(reference: &Reference) -> Tokens {
    let classes: Vec<u32> = reference.list("targets");
    let rows: Vec<[u32; 1]> = classes.into_iter().map(|class| [class]).collect();
    Tokens::padded(&rows, 0)
}

fn prompt(reference: &Reference, device: &Device) -> Tensor<2> {
    matrix(reference.floats("prompt"), [5, WIDTH], device)
}

/// Logits of classes and the gradient of their loss by the prompt, behind the reference's prompt.
fn behind_its_prompt(model: &Bert, tokens: &Tokens, reference: &Reference) -> [Vec<f32>; 2] {
    let prompt = prompt(reference, &Device::flex().autodiff()).require_grad();
    let encoded = read(model, tokens, Some(prompt.clone()));
    let logits = values(model.logits(&encoded));
    let losses = model.token_losses(&encoded, &targets(reference), 0.0);
    let gradient = prompt.grad(&losses.sum().backward()).expect("on the tape");
    [logits, values(gradient)]
}

#[test]
fn states_logits_loss_and_gradients_agree() {
    for name in FAMILIES {
        let reference = Reference::of(&golden(name));
        let model = classifier(name, &reference).train();
        let tokens = reference.inputs();
        let encoded = read(&model, &tokens, None);
        let shown = |all: &[f32]| real(all, &tokens.lengths, tokens.width);
        let (ours, theirs) = (values(encoded.hidden.clone()), reference.floats("hidden"));
        assert_close(name, &shown(&ours), &shown(&theirs), 1e-4);
        let logits = values(model.logits(&encoded));
        assert_close(name, &logits, &reference.floats("logits"), 1e-4);
        let loss = (model.token_losses(&encoded, &targets(&reference), 0.0)).sum();
        let theirs = reference.floats("loss_sum");
        assert_close(name, &values(loss.clone()), &theirs, 1e-4);

        // The model with each gradient in its parameter's place, under Transformers' names.
        let mut left = with_gradients(model, &loss.backward()).weights();
        let compared = reference.names("grad.");
        assert!(compared.len() >= 9, "{name}");
        for tensor in compared {
            let theirs = reference.floats(&format!("grad.{tensor}"));
            let device = Device::flex();
            let ours = match reference.shape(&format!("grad.{tensor}"))[..] {
                [rows] => values(left.take(&tensor, [rows], &device).expect(&tensor)),
                [rows, columns] => {
                    values(left.take(&tensor, [rows, columns], &device).expect(&tensor))
                }
                ref other => panic!("{other:?}"),
            };
            assert_close(&tensor, &ours, &theirs, 2e-4);
        }
    }
}

#[test]
fn behind_a_prompt_logits_and_its_gradient_agree() {
    for name in FAMILIES {
        let reference = Reference::of(&golden(name));
        let model = classifier(name, &reference);
        let [logits, gradient] = behind_its_prompt(&model, &reference.inputs(), &reference);
        assert_close(name, &logits, &reference.floats("prompt.logits"), 1e-4);
        assert_close(name, &gradient, &reference.floats("prompt.grad"), 2e-4);
    }
}

#[test]
fn spans_agree() {
    for name in FAMILIES {
        let reference = Reference::of(&golden(name));
        let (weight, bias) = map(&reference, "span.head");
        let model = bert(backbone(name)).with_head(Head::new(HeadForm::Span, weight, bias));
        let encoded = read(&model, &reference.inputs(), None);
        // Places that no answer can be at are about -1e9 on both sides.
        let ours = values(model.logits(&encoded));
        assert_close(name, &ours, &reference.floats("span.logits"), 1e-4);
        let spans = Tokens::padded(&reference.ids("spans"), 0);
        let loss = model.token_losses(&encoded, &spans, 0.0).sum();
        let theirs = reference.floats("span.loss_sum");
        assert_close(name, &values(loss), &theirs, 1e-4);
    }
}

#[test]
fn words_at_a_mask_agree() {
    for name in FAMILIES {
        let reference = Reference::of(&golden(name));
        let backbone = backbone(name);
        let words: Vec<String> = reference.list("words");
        let ids = words
            .iter()
            .map(|word| match backbone.tokenizer.encode_within(word)[..] {
                [id] => id,
                ref ids => panic!("{word}: {ids:?}"),
            });
        let ids = ids.collect();
        let tokens = Tokens::padded(&reference.ids("word_ids"), 0);
        let model = bert(backbone).with_words(ids).expect("a masked-word head");
        let head = model.head_of_words().expect("words");
        let model = model.with_head(head);
        let encoded = read(&model, &tokens, None);
        let logits = values(model.logits(&encoded));
        assert_close(name, &logits, &reference.floats("words.logits"), 1e-4);
        let loss = (model.token_losses(&encoded, &targets(&reference), 0.0)).sum();
        let theirs = reference.floats("words.loss_sum");
        assert_close(name, &values(loss), &theirs, 1e-4);
        let [logits, gradient] = behind_its_prompt(&model, &tokens, &reference);
        let theirs = reference.floats("words.prompt.logits");
        assert_close(name, &logits, &theirs, 1e-4);
        let theirs = reference.floats("words.prompt.grad");
        assert_close(name, &gradient, &theirs, 2e-4);
    }
}

fn example(first: &str, second: &str) -> Example {
    Example {
        group: None,
        id: "1".to_string(),
        passage: "1".to_string(),
        input: format!("{first}{second}"),
        soft: Vec::new(),
        pair: Pair {
            first: 0..first.len(),
            second: first.len()..first.len() + second.len(),
            answer: None,
        },
        target: String::new(),
        gold: Gold::Label(0),
        facts: Vec::new(),
        answer_location: AnswerLocation::NotExpected,
        texts: TextNames::default(),
    }
}

#[test]
fn tokens_of_texts_pairs_and_pairs_with_a_mask_agree() {
    for name in FAMILIES {
        let reference = Reference::of(&golden(name));
        let tokenizer = backbone(name).tokenizer;
        let pairs: Vec<[String; 2]> = reference.list("pairs");
        let limits = Limits::default_for(Task::Paraphrase);
        let ids = |tokenizer, examples: Vec<Example>| -> Vec<Vec<u32>> {
            let encodings = encode(&examples, tokenizer, &limits).into_iter();
            encodings.map(|encoding| encoding.input).collect()
        };
        let of_pairs = || pairs.iter().map(|[a, b]| example(a, b)).collect();
        assert_eq!(
            ids(&tokenizer, of_pairs()),
            reference.ids("input_ids"),
            "{name}"
        );
        let single = pairs.iter().map(|[a, _]| example(a, "")).collect();
        assert_eq!(
            ids(&tokenizer, single),
            reference.ids("single_ids"),
            "{name}"
        );

        let offsets: Vec<Vec<[usize; 2]>> = reference.list("offsets");
        for ([_, second], theirs) in pairs.iter().zip(&offsets) {
            let (_, ours) = tokenizer.encode_with_offsets(second);
            // Theirs count characters.
            let byte = |at: usize| second.char_indices().nth(at).map_or(second.len(), |c| c.0);
            let theirs: Vec<_> = theirs
                .iter()
                .map(|[from, to]| (byte(*from), byte(*to)))
                .collect();
            assert_eq!(ours, theirs, "{name}: {second}");
        }
        let with_gap = tokenizer.clone().with_gap().expect("a mask");
        assert_eq!(
            ids(&with_gap, of_pairs()),
            reference.ids("word_ids"),
            "{name}"
        );

        // What is cut is the texts', never what stands around them.
        let short = Limits {
            input: 12,
            ..limits
        };
        for (cut, whole) in encode(&of_pairs(), &with_gap, &short)
            .iter()
            .zip(reference.ids("word_ids"))
        {
            assert!(
                cut.input.len() <= 12 && cut.cut == (whole.len() > 12),
                "{name}"
            );
            assert_eq!(cut.input.last(), Some(&with_gap.end()), "{name}");
        }
    }
}

/// From XLM-R's own file, and where special tokens are written in a text.
#[test]
fn an_xlm_r_reads_the_same_from_either_file_and_finds_no_separators_in_texts() {
    let from = golden("xlm_roberta_tiny");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in [
        "config.json",
        "model.safetensors",
        "sentencepiece.bpe.model",
    ] {
        std::fs::copy(from.join(name), folder.path().join(name)).expect("copied");
    }
    let choice = BackboneChoice::Folder(folder.path().to_owned());
    let own = choice
        .load(&Device::flex())
        .expect("without a tokenizer.json");
    let of_json = backbone("xlm_roberta_tiny").tokenizer;
    assert_eq!(own.tokenizer.marks(), of_json.marks());
    assert_eq!(own.tokenizer.size(), of_json.size());
    let pairs: Vec<[String; 2]> = Reference::of(&from).list("pairs");
    for text in pairs.iter().flatten() {
        assert_eq!(own.tokenizer.encode(text), of_json.encode(text), "{text:?}");
    }
    let marks = of_json.marks().expect("of pairs");
    for tokenizer in [&own.tokenizer, &of_json] {
        let ids = tokenizer.encode("<s> a</s> the <mask> <pad>");
        let special = [Some(0), Some(1), Some(marks.separator), marks.mask];
        assert!(
            !ids.iter().any(|&id| special.contains(&Some(id))),
            "{ids:?}"
        );
    }

    let path = folder.path().join("sentencepiece.bpe.model");
    std::fs::copy(golden("sentencepiece_tiny/unigram.model"), path).expect("copied");
    let error = choice
        .load(&Device::flex())
        .expect_err("a T5's")
        .to_string();
    assert!(
        error.contains("wanted <unk>, <s> and </s> as the first pieces"),
        "{error}"
    );
}

#[test]
fn a_span_of_an_encoder_is_said_without_the_space_before_it() {
    let context = "the cat sat by the red mill, by the town.";
    for name in FAMILIES {
        let tokenizer = backbone(name).tokenizer;
        for answer in ["red mill", "the town", "the cat sat by", "mill"] {
            let asked = Example {
                target: answer.to_string(),
                gold: Gold::Answers(vec![answer.to_string()]),
                ..example("where was it ?", context)
            };
            let limits = Limits::default_for(Task::ExtractiveQa);
            let encoding = &encode(&[asked], &tokenizer, &limits)[0];
            let [first, last] = encoding.target[..] else {
                panic!("{name}: two places for {answer}")
            };
            let second = encoding.second.as_ref().expect("a question");
            assert_eq!(second.between(first, last), answer, "{name}");
        }
    }
}

/// What the configuration says of windows and bases is in the states.
#[test]
fn a_modernberts_windows_and_bases_matter() {
    let folder = golden("modernbert_tiny");
    let reference = Reference::of(&folder);
    let text = std::fs::read_to_string(folder.join("config.json")).expect("a script's");
    let states = |key: &str, value: serde_json::Value| {
        let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json[key] = value;
        let config = BertConfig::parse(json.to_string().as_bytes(), "config.json").expect(key);
        let weights = Weights::read(&folder.join("model.safetensors")).expect("a script's");
        let model = Bert::load(&config, weights, &Device::flex()).expect("the same tensors");
        let tokens = reference.inputs();
        let hidden = values(read(&model, &tokens, None).hidden);
        real(&hidden, &tokens.lengths, tokens.width)
    };
    let own = states("local_attention", 8.into());
    for (key, value) in [
        ("local_attention", 10),
        ("global_attn_every_n_layers", 2),
        ("global_rope_theta", 10_000),
        ("local_rope_theta", 160_000),
    ] {
        let other = states(key, value.into());
        let apart = (own.iter().zip(&other)).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) > 0.01, "{key}");
    }
    // Half of an odd number is cut.
    assert_eq!(own, states("local_attention", 9.into()));
}

#[test]
fn a_modernbert_reads_more_tokens_than_any_table_has_positions() {
    let backbone = backbone("modernbert_tiny");
    assert_eq!(backbone.config.positions(), None);
    let long: Vec<u32> = (0..700).map(|at| 10 + at % 50).collect();
    let model = bert(backbone);
    let tokens = Tokens::padded(&[long.clone(), long[..9].to_vec()], 3);
    let together = values(read(&model, &tokens, None).hidden);
    let alone = values(read(&model, &Tokens::padded(&[long], 3), None).hidden);
    assert_close("alone", &together[..alone.len()], &alone, 1e-4);
}

#[test]
fn what_is_saved_is_what_was_loaded() {
    for name in FAMILIES {
        let reference = Reference::of(&golden(name));
        let loaded = backbone(name);
        let config = loaded.config.clone();
        let again = Network::load(&config, loaded.model.weights(), &Device::flex());
        let again = again.expect("the same names");
        assert_eq!(config.parameters(), again.num_params(), "{name}");
        let Network::Bert(again) = again else {
            panic!("an encoder")
        };
        assert!(again.has_masked_words(), "{name}");
        let model = bert(loaded);
        let tokens = reference.inputs();
        let states = |model: &Bert| values(read(model, &tokens, None).hidden);
        assert_eq!(states(&model), states(&again), "{name}");

        // A head and all: with the names that Transformers has for it.
        let model = classifier(name, &reference);
        let parameters = config.parameters() + config.head_parameters(HeadForm::Classes(3));
        assert_eq!(parameters, model.num_params(), "{name}");
        let weights = model.weights();
        for tensor in reference.names("head.") {
            assert!(weights.contains(&tensor), "{tensor}");
        }
    }
}
