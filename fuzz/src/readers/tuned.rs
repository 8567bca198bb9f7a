//! What was tuned: prompts and adapters, promptshift's own and those of other programs.

use std::thread_local;

use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::encode;
use promptshift::device::Device;
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::wording::Wording;
use promptshift::domain::{AnswerLocation, Example, Gold, Pair, TextNames};
use promptshift::eval::Answering;
use promptshift::eval::answerer::Answerer;
use promptshift::recipe::{Defaults, DeltaRecipe, Limits, Method, Recipe};
use promptshift::tuning::saved::{self, AdapterFile, Format, PromptFile, SubspaceFile, restored};
use promptshift::tuning::{MethodInputs, Tuned, head_form, within};

use super::place::{Place, T5_TOKENIZER, committed, repository};
use super::{Outcome, halves};

/// Lengths that keep an answer cheap.
const LIMITS: Limits = Limits {
    input: 16,
    target: 4,
    answer: 4,
};

thread_local! {
    /// Networks that prompts and adapters are put on: a T5, a BERT, a Llama, a GPT-2 and the miniature.
    static BACKBONES: Vec<Backbone> = backbones();
}

/// The seed of the trainings whose files are read.
pub const SEED: u64 = 1;

/// Trainings whose files are read: one that leaves tensors by their paths and one that leaves a whole model.
pub fn recipes() -> [Recipe; 2] {
    let mut small = Recipe::default_for(Defaults::DecoderOnly, Method::Ptuning);
    if let Some(prompt) = &mut small.prompt {
        prompt.length = 2;
    }
    if let DeltaRecipe::PromptNetwork(network) = &mut small.delta {
        network.hidden = 4;
    }
    [
        small,
        Recipe::default_for(Defaults::DecoderOnly, Method::Model),
    ]
}

/// What they were trained on.
pub fn trained_backbone(backbones: &[Backbone]) -> &Backbone {
    let mut named = backbones.iter();
    (named.find(|backbone| backbone.name == "llama_tiny")).expect("a committed model")
}

/// Networks that prompts and adapters are put on.
pub fn backbones() -> Vec<Backbone> {
    let load = |choice: BackboneChoice| choice.load(&Device::flex()).expect("a committed model");
    let t5 = Place::new();
    for file in ["config.json", "model.safetensors"] {
        t5.file(
            file,
            &committed(&format!("tests/golden/t5_v1_1_tiny/{file}")),
        );
    }
    t5.file("tokenizer.json", T5_TOKENIZER.as_bytes());
    let tiny = ["bert_tiny", "llama_tiny", "gpt2_tiny"];
    let folders = tiny.map(|name| repository().join("tests/golden").join(name));
    let folders = [t5.path().to_owned()].into_iter().chain(folders);
    (folders.map(BackboneChoice::Folder))
        .chain([BackboneChoice::Nano])
        .map(load)
        .collect()
}

/// A pair of sentences.
fn example() -> Example {
    let (first, second) = ("is the mill old", "the mill is old.");
    Example {
        group: None,
        id: "1".to_string(),
        passage: "1".to_string(),
        input: format!("{first} {second}"),
        soft: Vec::new(),
        pair: Pair {
            first: 0..first.len(),
            second: first.len() + 1..first.len() + 1 + second.len(),
            answer: None,
        },
        target: String::new(),
        gold: Gold::Label(0),
        facts: Vec::new(),
        answer_location: AnswerLocation::NotExpected,
        texts: TextNames::default(),
    }
}

/// Asks what was tuned as `predict` does: a domain that its head answers, if there is one.
pub fn answered(tuned: &Tuned, backbone: &Backbone) {
    let (catalogue, wording) = (Catalogue::bundled(), Wording::default());
    let card = catalogue.cards().iter().find(|card| {
        let wanted = head_form(
            &backbone.config,
            card.task,
            card.labels.len(),
            wording.score_by,
        );
        wanted.is_ok_and(|wanted| wanted == tuned.head())
    });
    let vectors = tuned.prompt_length().unwrap_or(0);
    let (Some(card), true, Ok(limits)) = (
        card,
        tuned.answers(),
        within(LIMITS, vectors, &backbone.config),
    ) else {
        return;
    };
    let asker = Answerer {
        source: card,
        wording: &wording,
        tokenizer: &backbone.tokenizer,
        limits: &limits,
    };
    let encodings = encode(&[example()], &backbone.tokenizer, &limits);
    // A network of damaged weights may give no numbers.
    let _ = (asker.answering(tuned, card, &encodings)).and_then(Answering::finish);
}

/// Opens a prompt, puts it on every network, and makes other files of it.
fn prompt(path: &std::path::Path) -> Outcome {
    let prompt = match PromptFile::open(path) {
        Ok(prompt) => prompt,
        refused => return Outcome::of(refused),
    };
    let _ = (
        prompt.origin.tuned_on(),
        prompt.origin.wording(),
        prompt.origin.longest_input(),
    );
    let out = Place::new();
    BACKBONES.with(|backbones| {
        let put = backbones.iter().enumerate().map(|(at, backbone)| {
            let tuned = prompt.onto(backbone);
            if let Ok(tuned) = &tuned {
                answered(tuned, backbone);
                // `prompt import` and `prompt export`.
                Outcome::of(prompt.adopt(backbone));
                for (format, name) in [
                    (Format::Npy, "npy"),
                    (Format::Peft(backbone.config.kind()), "peft"),
                ] {
                    Outcome::of(prompt.export(format, &out.path().join(format!("{at}.{name}"))));
                }
            }
            Outcome::of(tuned)
        });
        Outcome::any(put)
    })
}

/// Opens an adapter, puts it on every network, and makes other files of it.
fn adapter(path: &std::path::Path) -> Outcome {
    let adapter = match AdapterFile::open(path) {
        Ok(adapter) => adapter,
        refused => return Outcome::of(refused),
    };
    let _ = (
        adapter.origin.source(),
        adapter.origin.wording(),
        adapter.origin.longest_input(),
    );
    let out = Place::new();
    BACKBONES.with(|backbones| {
        let put = backbones.iter().enumerate().map(|(at, backbone)| {
            let tuned = adapter.onto(backbone);
            if let Ok(tuned) = &tuned {
                answered(tuned, backbone);
                // `adapter import`, `adapter export` and `adapter merge`.
                Outcome::of(adapter.adopt(backbone));
                Outcome::of(adapter.export(backbone, &out.path().join(at.to_string())));
                Outcome::of(adapter.merged(backbone));
            }
            Outcome::of(tuned)
        });
        Outcome::any(put)
    })
}

/// A prompt as NumPy saves it.
pub fn npy(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    prompt(&place.file("prompt.npy", bytes))
}

/// A PEFT folder: its configuration, a zero, its tensors.
fn peft_folder(bytes: &[u8]) -> Place {
    let (config, tensors) = halves(bytes);
    let place = Place::new();
    place.file("adapter_config.json", config);
    place.file("adapter_model.safetensors", tensors);
    place
}

/// A prompt as PEFT saves it.
pub fn prompt_folder(bytes: &[u8]) -> Outcome {
    prompt(peft_folder(bytes).path())
}

/// An adapter as PEFT saves it.
pub fn adapter_folder(bytes: &[u8]) -> Outcome {
    adapter(peft_folder(bytes).path())
}

/// promptshift's `prompt.safetensors`, which may be a subspace of prompts as well.
pub fn own_prompt(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let path = place.file("prompt.safetensors", bytes);
    Outcome::any([prompt(&path), Outcome::of(SubspaceFile::open(&path))])
}

/// promptshift's `adapter.safetensors`.
pub fn own_adapter(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    adapter(&place.file("adapter.safetensors", bytes))
}

/// What a training left, as a later one goes on from it.
pub fn trained(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let path = place.file(saved::TRAINED_FILE, bytes);
    BACKBONES.with(|backbones| {
        let backbone = trained_backbone(backbones);
        Outcome::any(recipes().iter().map(|recipe| {
            let tuned = restored(backbone, recipe, &MethodInputs::default(), SEED, &path);
            if let Ok(tuned) = &tuned {
                answered(tuned, backbone);
            }
            Outcome::of(tuned)
        }))
    })
}
