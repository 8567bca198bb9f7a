//! Templates: the text around an example's fields, with positions for a soft prompt's vectors.
//!
//! A file, `datasets/templates/<name>.toml` or a user's own, has one of
//!
//! - `text`: words with slots, `Is "{text1}" the same as "{text2}"?`. `{soft:5}` is the position of five
//!   soft-prompt vectors, which are then inside the input rather than before it (mixed prompts, as
//!   OpenPrompt's `mixed_template`; Ding et al. 2022, arXiv 2111.01998);
//! - `text` and `[parts]`: a rule over named sub-prompts, `{first} {second} {relation}`, each with its own
//!   slots (after PTR; Han et al. 2021, arXiv 2105.11259, whose sub-prompts each have a mask, while T5 writes
//!   one answer);
//! - `[[fields]]`: keys and values, written `[Format] ... [Task] ...` (after ProQA; Zhong et al. 2022, arXiv
//!   2205.04040).
//!
//! Slots are a row's fields: `question`, `context`; the columns of labelled texts by name or as `text1`,
//! `text2`; `query`, `entities`, `passage` (ReCoRD); `text` (WSC); and for every row `domain`, `task`,
//! `labels`. `{{` and `}}` are literal braces.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::pieces::{Filled, Piece, escaped, fill, pieces};
use crate::domain::card::{Card, Schema};
use crate::domain::task::Task;
use crate::hash::sha256;

/// Slots that exist for every row.
const COMMON: [&str; 3] = ["domain", "task", "labels"];

/// A template, reduced to one text with slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its name, from its file.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Words and slots, with sub-prompts and keys expanded.
    pub text: String,
    /// A one-line description.
    #[serde(skip)]
    pub about: String,
    /// The tasks it supports; empty if it was read from a record.
    #[serde(skip)]
    pub tasks: Vec<Task>,
}

/// The TOML form of a template.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    about: String,
    tasks: Vec<Task>,
    text: Option<String>,
    #[serde(default)]
    parts: BTreeMap<String, String>,
    #[serde(default)]
    fields: Vec<Field>,
}

/// A key with its value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    key: String,
    value: String,
}

/// Why a template can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// Neither a bundled template nor a file.
    #[error(
        "unknown template '{found}': wanted one of {}, or the path of a TOML file", .known.join(", ")
    )]
    Unknown {
        /// What was typed.
        found: String,
        /// The bundled ones.
        known: Vec<String>,
    },
    /// The file can't be read or is not TOML of this form.
    #[error("{file}: wanted a template, found: {found}")]
    Open {
        /// The file.
        file: String,
        /// The error of the system or the parser.
        found: String,
    },
    /// A key has an invalid value.
    #[error("{file}, {key}: wanted {wanted}, found {found}")]
    Invalid {
        /// The file, or the template's name.
        file: String,
        /// The key.
        key: String,
        /// What was wanted.
        wanted: String,
        /// What was found.
        found: String,
    },
}

impl Template {
    /// The bundled template of this name, or the file at this path.
    ///
    /// # Errors
    /// There is no such template, or the file is not a template.
    pub fn find(text: &str) -> Result<Template, TemplateError> {
        if let Some(template) = bundled().into_iter().find(|known| known.name == text) {
            return Ok(template);
        }
        let path = Path::new(text);
        if !path.is_file() {
            return Err(TemplateError::Unknown {
                found: text.to_string(),
                known: bundled().into_iter().map(|known| known.name).collect(),
            });
        }
        let bytes = std::fs::read_to_string(path).map_err(|error| TemplateError::Open {
            file: text.to_string(),
            found: error.to_string(),
        })?;
        Template::parse(text, &bytes)
    }

    /// Parses a template; `file` is its name in errors.
    ///
    /// # Errors
    /// It is not a template.
    pub fn parse(file: &str, toml: &str) -> Result<Template, TemplateError> {
        let written: Written = toml::from_str(toml).map_err(|error| TemplateError::Open {
            file: file.to_string(),
            found: error.to_string(),
        })?;
        let invalid = |(key, wanted, found): (String, String, String)| TemplateError::Invalid {
            file: file.to_string(),
            key,
            wanted,
            found,
        };
        let text = written.flat().map_err(invalid)?;
        pieces(&text).map_err(|(wanted, found)| invalid(("text".to_string(), wanted, found)))?;
        if written.tasks.is_empty() {
            let known: Vec<String> = Task::ALL.iter().map(|task| plain(*task)).collect();
            let wanted = format!("at least one of {}", known.join(", "));
            return Err(invalid(("tasks".to_string(), wanted, "none".to_string())));
        }
        Ok(Template {
            name: written.name,
            sha256: sha256(toml.as_bytes()),
            text,
            about: written.about,
            tasks: written.tasks,
        })
    }

    /// T5's own format for a domain's rows, without the task's name, which the paper omits.
    pub fn of_t5(card: &Card) -> Template {
        let text = match card.schema {
            Schema::Squad | Schema::Mrqa => "question: {question} context: {context}".to_string(),
            Schema::Record => "query: {query} entities: {entities} passage: {passage}".to_string(),
            Schema::Wsc => "{text}".to_string(),
            Schema::Glue | Schema::Multirc => {
                let fields: Vec<String> = (card.texts.iter().enumerate())
                    .map(|(at, name)| {
                        let name = name.replace('{', "{{").replace('}', "}}");
                        format!("{name}: {{text{}}}", at + 1)
                    })
                    .collect();
                fields.join(" ")
            }
        };
        Template {
            name: "t5".to_string(),
            sha256: String::new(),
            text,
            about: "T5's own".to_string(),
            tasks: vec![card.task],
        }
    }

    /// The number of soft-prompt vectors inside the text.
    pub fn vectors(&self) -> usize {
        let soft = self.pieces().into_iter().map(|piece| match piece {
            Piece::Soft(count) => count,
            Piece::Words(_) | Piece::Slot(_) => 0,
        });
        soft.sum()
    }

    /// Checks that the slots match a domain's rows: every slot is one of their fields, and every field has a
    /// slot.
    ///
    /// # Errors
    /// They do not match.
    pub fn check(&self, card: &Card) -> Result<(), TemplateError> {
        let invalid = |wanted: String, found: String| {
            Err(TemplateError::Invalid {
                file: format!("template '{}' with {}", self.name, card.name),
                key: "text".to_string(),
                wanted,
                found,
            })
        };
        if !self.tasks.is_empty() && !self.tasks.contains(&card.task) {
            let tasks: Vec<String> = self.tasks.iter().map(Task::to_string).collect();
            return invalid(
                format!("a domain of {}", tasks.join(", ")),
                card.task.to_string(),
            );
        }
        let fields = fields(card);
        let slots: Vec<&str> = (self.pieces().into_iter())
            .filter_map(|piece| match piece {
                Piece::Slot(name) => Some(name),
                Piece::Words(_) | Piece::Soft(_) => None,
            })
            .collect();
        let known = |slot: &&str| {
            COMMON.contains(slot) || fields.iter().any(|names| names.iter().any(|n| n == slot))
        };
        if let Some(slot) = slots.iter().find(|slot| !known(slot)) {
            let names: Vec<String> = (fields.iter().flatten().cloned())
                .chain(COMMON.map(str::to_string))
                .collect();
            return invalid(
                format!("slots of {{{}}}", names.join("}, {")),
                format!("{{{slot}}}"),
            );
        }
        let missing =
            |names: &&Vec<String>| !names.iter().any(|name| slots.contains(&name.as_str()));
        match fields.iter().find(missing) {
            Some(names) => invalid(
                format!("a place for {{{}}}", names.join("} or {")),
                self.text.clone(),
            ),
            None => Ok(()),
        }
    }

    /// The text with the slots filled by `value`. White space before soft-prompt vectors is dropped.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Filled {
        fill(&self.pieces(), value)
    }

    fn pieces(&self) -> Vec<Piece<'_>> {
        // A template from a record was parsed when its file was read.
        pieces(&self.text).unwrap_or_default()
    }
}

impl Written {
    /// The template as one text. The error is the key, what was wanted and what was found.
    fn flat(&self) -> Result<String, (String, String, String)> {
        let error = |key: &str, wanted: &str, found: &str| {
            Err((key.to_string(), wanted.to_string(), found.to_string()))
        };
        if self.name.trim().is_empty() {
            return error("name", "a name", "an empty one");
        }
        match (&self.text, self.fields.is_empty()) {
            (Some(_), false) => error("fields", "either text or fields", "both"),
            (None, true) => error("text", "text with slots, or fields", "neither"),
            (None, false) if !self.parts.is_empty() => {
                error("parts", "a text that names them", "fields")
            }
            (None, false) => {
                let fields = (self.fields.iter())
                    .map(|Field { key, value }| format!("[{}] {value}", escaped(key)));
                Ok(fields.collect::<Vec<_>>().join(" "))
            }
            (Some(text), true) => self.composed(text),
        }
    }

    /// The rule with its sub-prompts expanded.
    fn composed(&self, text: &str) -> Result<String, (String, String, String)> {
        let of = |key: &str, text: &str| {
            let found = pieces(text).map(|pieces| {
                let slots = pieces.into_iter().filter_map(|piece| match piece {
                    Piece::Slot(name) => Some(name.to_string()),
                    Piece::Words(_) | Piece::Soft(_) => None,
                });
                slots.collect::<Vec<_>>()
            });
            found.map_err(|(wanted, found)| (key.to_string(), wanted, found))
        };
        let named = of("text", text)?;
        let mut flat = text.to_string();
        for (name, part) in &self.parts {
            let key = format!("parts.{name}");
            if !named.contains(name) {
                let wanted = format!("a text that names it, {{{name}}}");
                return Err((key, wanted, text.to_string()));
            }
            if let Some(inner) = of(&key, part)?
                .iter()
                .find(|slot| self.parts.contains_key(*slot))
            {
                let wanted = "words and fields, no other sub-prompt".to_string();
                return Err((key, wanted, format!("{{{inner}}}")));
            }
            flat = flat.replace(&format!("{{{name}}}"), part);
        }
        Ok(flat)
    }
}

/// The fields of a domain's rows, each with all its names.
fn fields(card: &Card) -> Vec<Vec<String>> {
    let named = |names: &[&str]| names.iter().map(|name| vec![name.to_string()]).collect();
    match card.schema {
        Schema::Squad | Schema::Mrqa => named(&["question", "context"]),
        Schema::Record => named(&["query", "entities", "passage"]),
        Schema::Wsc => named(&["text"]),
        Schema::Glue | Schema::Multirc => (card.texts.iter().enumerate())
            .map(|(at, name)| vec![format!("text{}", at + 1), name.clone()])
            .collect(),
    }
}

/// A task's name as typed by a user.
fn plain(task: Task) -> String {
    let json = serde_json::to_value(task).expect("a task is a word");
    json.as_str().unwrap_or_default().to_string()
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$((
            concat!("datasets/templates/", $name, ".toml"),
            include_str!(concat!("../../../../../datasets/templates/", $name, ".toml"))
        )),*]
    };
}

const TEMPLATES: [(&str, &str); 6] = templates![
    "question-first",
    "soft-inside",
    "structured",
    "same-meaning",
    "soft-pair",
    "pair-rule",
];

/// Every bundled template, in the order in which `list` shows them.
pub fn bundled() -> Vec<Template> {
    let parse = |(file, text)| {
        Template::parse(file, text).expect("the templates are compiled in and tested")
    };
    TEMPLATES.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests;
