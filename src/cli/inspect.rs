//! `promptshift inspect PROMPT...`: analyses what soft prompts learned.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};

use super::output::{self, Files};
use super::progress::Verbosity;
use super::{Failure, print, selection, values};
use promptshift_numbers::inspect::Rows;
use promptshift_numbers::recipe::{PromptInit, Recipe};
use promptshift_numbers::record::folder::{is_record, read};
use promptshift_numbers::score::Metric;
use promptshift_report::inspection::{Inspected, Scored, Vocabulary, document};
use promptshift_tensors::backbone::{Backbone, BackboneChoice};
use promptshift_tensors::device::Device;
use promptshift_tensors::tuning::saved::{Made, Origin, PromptFile, Vectors};
use promptshift_tensors::tuning::{MethodInputs, apply, started};
use promptshift_text::domain::catalogue::Catalogue;

/// Flags of `inspect`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Soft prompts for one model: each a prompt.safetensors or its folder, a .npy, or a PEFT prompt's folder.
    #[arg(required = true, value_name = "PROMPT")]
    prompts: Vec<PathBuf>,
    /// The model they were tuned for, as for `transfer --model`.
    #[arg(long, default_value = "nano", value_name = "MODEL")]
    model: String,
    /// The card of your own domain that a prompt was tuned on; may be repeated.
    #[arg(long, value_name = "CARD")]
    domains: Vec<PathBuf>,
    /// Nearest vocabulary entries to show for each vector.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = values::at_least_one)]
    neighbours: usize,
    /// Also write report.md and its figures to this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also write report.html, the same report as a single page.
    #[arg(id = "html", long = "html", action = ArgAction::SetTrue, value_parser = Files::flag(), requires = "out")]
    files: Files,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalogue = Catalogue::with(&arguments.domains).map_err(Failure::usage)?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let files = (arguments.prompts.iter())
        .map(|path| PromptFile::open(path))
        .collect::<Result<Vec<_>, _>>()?;
    for file in &files {
        print::warn(&file.origin.notes(&file.path));
    }
    let backbone = selection::load_backbone(&choice, &Device::flex(), Verbosity::of_terminal())?;
    let vocabulary = vocabulary(&backbone);
    let prompts = (files.iter())
        .map(|file| inspected(file, &backbone, &catalogue, &vocabulary.table))
        .collect::<Result<Vec<_>, _>>()?;
    let document = document(&prompts, &vocabulary, arguments.neighbours);
    match &arguments.out {
        Some(out) => {
            std::fs::create_dir_all(out)?;
            output::write_document(&document, out, arguments.files)?;
        }
        None => print::text(document.without_figures())?,
    }
    Ok(())
}

fn vocabulary(backbone: &Backbone) -> Vocabulary {
    let table = backbone.model.embedding();
    let [count, width] = table.dims();
    let values = table.into_data().try_to_vec().expect("embeddings are f32");
    let piece = |id: usize| {
        let text = backbone.tokenizer.decode(&[id as u32]);
        // Special tokens, and embedding rows without a token, have no text.
        match text.is_empty() {
            true => format!("#{id}"),
            false => text,
        }
    };
    let known = backbone.tokenizer.size();
    Vocabulary {
        table: Rows::new(values, width),
        pieces: (0..count)
            .map(|id| match id < known {
                true => piece(id),
                false => format!("#{id}"),
            })
            .collect(),
    }
}

fn rows(vectors: &Vectors) -> Rows {
    Rows::new(vectors.values().to_vec(), vectors.width())
}

fn inspected(
    file: &PromptFile,
    backbone: &Backbone,
    catalogue: &Catalogue,
    table: &Rows,
) -> anyhow::Result<Inspected> {
    // Rejects a prompt for another backbone.
    file.onto(backbone)?;
    let path = file.path.display().to_string();
    let card = (file.origin.source()).and_then(|source| catalogue.source(source).ok());
    let encode = |text: &String| backbone.tokenizer.encode(text);
    let wording = file.origin.wording().cloned().unwrap_or_default();
    let labels: Vec<String> = card.as_ref().map_or(Vec::new(), |card| {
        let words = |class| wording.target(card, class).to_string();
        (0..card.labels.len()).map(words).collect()
    });
    let embedding = |label: &String| {
        let ids = encode(label);
        let all: Vec<f32> = ids
            .iter()
            .flat_map(|&id| table.row(id as usize).to_vec())
            .collect();
        (!ids.is_empty()).then(|| (label.clone(), Rows::new(all, file.vectors.width()).mean()))
    };
    let made = match &file.origin {
        Origin::Own(metadata) => Some(&metadata.made),
        Origin::Npy { .. } | Origin::Peft { .. } => None,
    };
    let (name, start) = match made {
        Some(Made::Tuned {
            method,
            source,
            seed,
            recipe,
            ..
        }) => {
            let words = MethodInputs {
                domain: source.clone(),
                labels: labels.iter().map(encode).collect(),
                ..MethodInputs::default()
            };
            let name = format!("{source}, {method}, seed {seed}");
            (name, start(recipe, seed, words, backbone))
        }
        Some(Made::Imported { from, .. } | Made::Subspace { prompts: from, .. }) => {
            (from.clone(), None)
        }
        None => {
            let name = file.path.file_name().unwrap_or(file.path.as_os_str());
            (name.to_string_lossy().into_owned(), None)
        }
    };
    Ok(Inspected {
        name,
        vectors: rows(&file.vectors),
        start,
        labels: labels.iter().filter_map(embedding).collect(),
        origin: path,
        scored: scored(&file.path)?,
    })
}

/// The scores of the prompt at a path, if it is in a record's folder.
fn scored(path: &Path) -> anyhow::Result<Option<Scored>> {
    let folder = match path.is_dir() {
        true => path,
        false => path.parent().unwrap_or(path),
    };
    if !is_record(folder) {
        return Ok(None);
    }
    let record = read(folder)?.record;
    let scores = record.evaluations.iter().filter_map(|evaluation| {
        let score = (evaluation.metrics).get(Metric::main(evaluation.task).name())?;
        Some((evaluation.domain.clone(), *score))
    });
    Ok(Some(Scored {
        scores: scores.collect(),
        source: record.cell.setting.source,
    }))
}

/// The vectors that training started from, recreated from recipe and seed.
fn start(recipe: &str, seed: &str, words: MethodInputs, backbone: &Backbone) -> Option<Rows> {
    let recipe: Recipe = serde_json::from_str(recipe).ok()?;
    let (mut text, mut vectors) = (Vec::new(), None);
    match &recipe.prompt.as_ref()?.init {
        PromptInit::Text(words) => text = backbone.tokenizer.encode(words),
        PromptInit::File(start) => vectors = Some(started(start, backbone).ok()?),
        _ => {}
    }
    let words = MethodInputs {
        text,
        vectors,
        ..words
    };
    let started = apply(backbone, &recipe, &words, seed.parse().ok()?).ok()?;
    Some(rows(&started.vectors()?))
}
