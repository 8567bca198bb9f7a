//! Results tuned elsewhere: a prompt, an adapter or a whole model, given only as a file. It is applied to the
//! study's model and evaluated like the others; how it was tuned, and on which rows, is unknown.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::datasets::Datasets;
use crate::plan::Plan;
use promptshift_numbers::recipe::HeadForm;
use promptshift_numbers::record::{Form, Found, TunedElsewhere};
use promptshift_tensors::backbone::{Backbone, BackboneError, folder_tokenizer};
use promptshift_tensors::checkpoint::{CheckpointError, WeightFiles};
use promptshift_tensors::network::Config;
use promptshift_tensors::tokenizer::Tokenizer;
use promptshift_tensors::tuning::saved::{self, AdapterFile, PromptFile, SavedError};
use promptshift_tensors::tuning::{NoHead, Tuned, head_form};
use promptshift_text::domain::card::Card;
use promptshift_text::domain::wording::{Template, Wording};
use promptshift_text::hash::sha256;

/// Why a result tuned elsewhere can't be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum ElsewhereError {
    /// It can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its format is unknown, or it belongs to another model.
    #[error("{}: wanted {wanted}, found {found}", path.display())]
    Wrong {
        /// The file or folder.
        path: PathBuf,
        /// What was wanted.
        wanted: String,
        /// What was found.
        found: String,
    },
    /// A prompt or adapter can't be read, or belongs to another model.
    #[error(transparent)]
    File(#[from] SavedError),
    /// A whole model's configuration or weights are invalid.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A whole model's tokenizer is invalid.
    #[error(transparent)]
    Tokenizer(#[from] BackboneError),
    /// No head suits the source's task.
    #[error(transparent)]
    Head(#[from] NoHead),
    /// It does not suit the task.
    #[error("{}: {source}", path.display())]
    Unfit {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: Unfit,
    },
}

/// Why a tuned model can't be used for a task.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// No head suits the task.
    #[error(transparent)]
    NoHead(#[from] NoHead),
    /// Its head is of another form.
    #[error(
        "'{domain}' asks for {}, and the adapter's head answers with {}: wanted an adapter that was tuned on such a task",
        answers_with(*wanted), answers_with(*found)
    )]
    Head {
        /// The domain to answer.
        domain: String,
        /// The head that the domain needs.
        wanted: Option<HeadForm>,
        /// The head of the model.
        found: Option<HeadForm>,
    },
    /// The template has slots for another number of vectors.
    #[error(
        "the prompt has {vectors} vectors, but its template has room for {places}: wanted the template that it was \
         tuned with"
    )]
    Places {
        /// The number of the prompt's vectors.
        vectors: usize,
        /// The number of the template's slots.
        places: usize,
    },
}

/// The form of a head's answers, for messages.
fn answers_with(form: Option<HeadForm>) -> String {
    match form {
        Some(HeadForm::Classes(classes)) => format!("one of {classes} classes"),
        Some(HeadForm::Words(classes)) => format!("one of {classes} words at a mask"),
        Some(HeadForm::Span) => "a span of the second text".to_string(),
        None => "nothing".to_string(),
    }
}

/// Checks that the head suits the domain: as many classes, or spans.
///
/// # Errors
/// It does not.
pub fn check_head(
    tuned: &Tuned,
    backbone: &Backbone,
    asked: &Card,
    wording: &Wording,
) -> Result<(), Unfit> {
    let (classes, score_by) = (asked.labels.len(), wording.score_by);
    let wanted = head_form(&backbone.config, asked.task, classes, score_by)?;
    match tuned.head() {
        found if found == wanted => Ok(()),
        found => Err(Unfit::Head {
            domain: asked.name.clone(),
            wanted,
            found,
        }),
    }
}

/// Checks that a template with slots for a prompt has exactly as many as the prompt has vectors.
///
/// # Errors
/// It has not.
pub fn check_places(wording: &Wording, tuned: &Tuned) -> Result<(), Unfit> {
    let places = wording.template.as_ref().map_or(0, Template::vectors);
    match tuned.prompt_length() {
        Some(vectors) if places > 0 && places != vectors => Err(Unfit::Places { vectors, places }),
        _ => Ok(()),
    }
}

/// Reads every result of a plan that was tuned elsewhere, applies it to the backbone and fills in its description;
/// `say` receives what can't be checked. Returns the number of vectors of the longest prompt among them.
///
/// # Errors
/// A result can't be read, belongs to another model, or does not suit the source's task.
pub fn resolve(
    plan: &mut Plan,
    datasets: &Datasets,
    backbone: &Backbone,
    say: &mut dyn FnMut(&str),
) -> Result<usize, ElsewhereError> {
    let mut longest = 0;
    for given in &mut plan.elsewhere {
        let path = Path::new(&given.path);
        let read = Read::of(path, datasets, &plan.setting.wording, backbone)?;
        read.notes.iter().for_each(|note| say(note));
        longest = longest.max(read.tuned.prompt_length().unwrap_or(0));
        given.found = Some(read.found);
    }
    Ok(longest)
}

/// Reads again, for answering, what was found when the plan was checked.
///
/// # Errors
/// It can't be read any more, or has changed.
pub(super) fn reopened(
    given: &TunedElsewhere,
    datasets: &Datasets,
    wording: &Wording,
    backbone: &Backbone,
) -> Result<Tuned, ElsewhereError> {
    let path = Path::new(&given.path);
    let read = Read::of(path, datasets, wording, backbone)?;
    match read.found.sha256 == given.sha256() {
        true => Ok(read.tuned),
        false => Err(wrong(
            path,
            format!(
                "the files as they were when the plan was checked ({})",
                given.sha256()
            ),
            read.found.sha256,
        )),
    }
}

/// A result tuned elsewhere, applied to the backbone.
struct Read {
    tuned: Tuned,
    found: Found,
    /// Notes on what can't be checked.
    notes: Vec<String>,
}

impl Read {
    fn of(
        path: &Path,
        datasets: &Datasets,
        wording: &Wording,
        backbone: &Backbone,
    ) -> Result<Self, ElsewhereError> {
        let form = form(path)?;
        let files = files(path, form)?;
        let mut notes = Vec::new();
        let mut numbers = None;
        let tuned = match form {
            Form::Prompt => {
                let prompt = PromptFile::open(path)?;
                numbers = Some(prompt.vectors.values().len());
                if !matches!(prompt.origin, saved::Origin::Own(_)) {
                    notes.push(unchecked(path, backbone));
                }
                notes.extend(prompt.origin.notes(path));
                notes.extend(other_form(path, &prompt.origin, backbone));
                prompt.onto(backbone)?
            }
            Form::Adapter => {
                let adapter = AdapterFile::open(path)?;
                numbers = adapter.numbers();
                if matches!(adapter.origin, saved::Origin::Peft { .. }) {
                    notes.push(unchecked(path, backbone));
                }
                notes.extend(adapter.origin.notes(path));
                notes.extend(other_form(path, &adapter.origin, backbone));
                adapter.onto(backbone)?
            }
            Form::Model => whole_model(path, datasets, wording, backbone)?,
        };
        let unfit = |source| ElsewhereError::Unfit {
            path: path.to_owned(),
            source,
        };
        check_places(wording, &tuned).map_err(unfit)?;
        check_head(&tuned, backbone, &datasets.source.card, wording).map_err(unfit)?;
        let total_parameters = tuned.parameter_count();
        let beside = || {
            let untuned = Tuned::untuned(backbone.model.clone()).parameter_count();
            total_parameters.saturating_sub(untuned)
        };
        let (sha256, bytes) = hash(&files)?;
        Ok(Read {
            found: Found {
                form,
                sha256,
                bytes,
                parameters: match form {
                    Form::Model => total_parameters,
                    Form::Prompt | Form::Adapter => numbers.unwrap_or_else(beside),
                },
                total_parameters,
            },
            tuned,
            notes,
        })
    }
}

/// A note if frozen weights were held in another form when it was tuned.
fn other_form(path: &Path, origin: &saved::Origin, backbone: &Backbone) -> Option<String> {
    let tuned_beside = origin.frozen_weights()?;
    let now = backbone.frozen_weights;
    (tuned_beside != now).then(|| {
        format!(
            "{}: it was tuned beside weights in {}, which are in {} here (--frozen-weights)",
            path.display(),
            tuned_beside.name(),
            now.name()
        )
    })
}

fn unchecked(path: &Path, backbone: &Backbone) -> String {
    format!(
        "{}: its tensors fit '{}', but whether it was tuned for these weights can't be checked",
        path.display(),
        backbone.name
    )
}

/// PEFT's configuration of a prompt or adapter.
const PEFT: &str = "adapter_config.json";

/// The format of the file or folder at a path.
fn form(path: &Path) -> Result<Form, ElsewhereError> {
    let has = |name: &str| path.join(name).exists();
    if !path.is_dir() {
        let is_adapter = path
            .file_name()
            .is_some_and(|name| name == saved::ADAPTER_FILE)
            || AdapterFile::open(path).is_ok();
        return Ok(match is_adapter {
            true => Form::Adapter,
            false => Form::Prompt,
        });
    }
    if has(saved::PROMPT_FILE) {
        return Ok(Form::Prompt);
    }
    if has(saved::ADAPTER_FILE) {
        return Ok(Form::Adapter);
    }
    if has(PEFT) {
        let config = fs::read(path.join(PEFT)).map_err(io(path))?;
        let config: Value = serde_json::from_slice(&config).unwrap_or(Value::Null);
        return Ok(match config.get("peft_type").and_then(Value::as_str) {
            Some("PROMPT_TUNING" | "P_TUNING") => Form::Prompt,
            _ => Form::Adapter,
        });
    }
    if has("config.json") {
        return Ok(Form::Model);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(io(path))? {
        names.push(
            entry
                .map_err(io(path))?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Err(wrong(
        path,
        "PEFT's adapter_config.json with adapter_model.safetensors, prompt.safetensors, adapter.safetensors, or a whole \
         model: config.json, its tokenizer and model.safetensors",
        match names.as_slice() {
            [] => "an empty folder".to_owned(),
            names => names.join(", "),
        },
    ))
}

/// The files that determine its answers.
fn files(path: &Path, form: Form) -> Result<Vec<PathBuf>, ElsewhereError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let own = match form {
        Form::Prompt => Some(saved::PROMPT_FILE),
        Form::Adapter => Some(saved::ADAPTER_FILE),
        Form::Model => None,
    };
    if let Some(own) = own {
        let own = path.join(own);
        return Ok(match own.exists() {
            true => vec![own],
            false => vec![path.join(PEFT), path.join("adapter_model.safetensors")],
        });
    }
    let mut files = vec![path.join("config.json")];
    files.extend(WeightFiles::find(path)?.paths().iter().cloned());
    Ok(files)
}

/// The SHA-256 of one file, or of the lines that `sha256sum` prints for several; and their total size.
fn hash(files: &[PathBuf]) -> Result<(String, u64), ElsewhereError> {
    let (mut lines, mut bytes) = (String::new(), 0);
    for file in files {
        let contents = fs::read(file).map_err(io(file))?;
        bytes += contents.len() as u64;
        let hash = sha256(&contents);
        if let [_] = files {
            return Ok((hash, bytes));
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        lines.push_str(&format!("{hash}  {name}\n"));
    }
    Ok((sha256(lines.as_bytes()), bytes))
}

/// A model's folder as a network that replaces the backbone; architecture, sizes and tokenizer must match.
fn whole_model(
    path: &Path,
    datasets: &Datasets,
    wording: &Wording,
    backbone: &Backbone,
) -> Result<Tuned, ElsewhereError> {
    let config = Config::read(&path.join("config.json"))?;
    check_config(path, &backbone.config, &config)?;
    let (tokenizer, _) = folder_tokenizer(path, &config)?;
    check_tokenizer(path, &tokenizer, datasets, backbone)?;
    let (weights, _) = WeightFiles::find(path)?.read()?;
    let card = &datasets.source.card;
    let head = head_form(
        &backbone.config,
        card.task,
        card.labels.len(),
        wording.score_by,
    )?;
    // All weights come from the file, so no initialisation is drawn.
    let start = Tuned::untuned_on(backbone, head, 0);
    Ok(Tuned {
        backbone: start.backbone.with_weights(&config, weights)?,
        ..start
    })
}

/// Keys that may differ between two configurations of one architecture: the weights determine whether the
/// head is tied, and initialisation is irrelevant.
const FREE: [&str; 5] = [
    "tied",
    "tie_word_embeddings",
    "scale_decoder_outputs",
    "initializer_range",
    "model_type",
];

fn check_config(path: &Path, wanted: &Config, found: &Config) -> Result<(), ElsewhereError> {
    let path = path.join("config.json");
    if wanted.kind() != found.kind() {
        return Err(wrong(&path, wanted.kind(), found.kind()));
    }
    let lines = |config: &Config| -> Vec<String> {
        let text = format!("{config:#?}");
        (text
            .lines()
            .map(|line| line.trim().trim_end_matches(',').to_owned()))
        .filter(|line| !FREE.iter().any(|key| line.starts_with(&format!("{key}:"))))
        .collect()
    };
    let (wanted, found) = (lines(wanted), lines(found));
    let differs = (wanted.iter().zip(&found)).find(|(wanted, found)| wanted != found);
    match differs {
        Some((wanted, found)) => Err(wrong(&path, wanted, found)),
        None => Ok(()),
    }
}

/// Checks that the other tokenizer encodes all rows like the backbone's: libraries write the same tokenizer
/// in several ways, so its file may differ.
fn check_tokenizer(
    path: &Path,
    tokenizer: &Tokenizer,
    datasets: &Datasets,
    backbone: &Backbone,
) -> Result<(), ElsewhereError> {
    let rows = datasets.tests.iter().flat_map(|test| &test.rows.examples);
    let texts = rows.map(|row| &row.input);
    let mut texts = texts.chain(datasets.source.card.labels.iter());
    let differs = texts.find(|text| tokenizer.encode(text) != backbone.tokenizer.encode(text));
    match differs {
        None => Ok(()),
        Some(text) => {
            let start: String = text.chars().take(60).collect();
            Err(wrong(
                path,
                format!("the tokenizer of '{}'", backbone.name),
                format!("one that reads '{start}…' as other tokens"),
            ))
        }
    }
}

fn wrong(path: &Path, wanted: impl ToString, found: impl ToString) -> ElsewhereError {
    ElsewhereError::Wrong {
        path: path.to_owned(),
        wanted: wanted.to_string(),
        found: found.to_string(),
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ElsewhereError {
    let path = path.to_owned();
    move |source| ElsewhereError::Io {
        path: path.clone(),
        source,
    }
}
