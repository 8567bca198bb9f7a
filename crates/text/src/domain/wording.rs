//! How an example becomes text and how an answer is read from the model: a [`Template`] for the input, a
//! [`Verbalizer`] for the classes, and how an answer is chosen.
//!
//! A wording is plain data and part of a record's cell. The default is the paper's: T5's text formats, the
//! data set's class strings, answers by generation.

mod pieces;
mod proposal;
pub(super) mod spelling;
mod template;
mod verbalizer;

use serde::{Deserialize, Serialize};

use super::card::Card;
use super::variant::Variant;

pub use pieces::Filled;
pub use proposal::{proposed, skeleton};
pub use spelling::{Aggregate, Spelling};
pub use template::{Template, TemplateError, bundled};
pub use verbalizer::{Verbalizer, VerbalizerError, Words};

/// How an answer is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreBy {
    /// The text generated greedily; for labels, the class with that string (as in the paper).
    #[default]
    Generation,
    /// The class whose words are most probable, end of sequence included (rank classification).
    Likelihood,
    /// As `Likelihood`, after contextual calibration (Zhao et al. 2021, "Calibrate Before Use", arXiv 2102.09690):
    /// divided by the class's probability for inputs without content.
    Calibrated,
}

impl ScoreBy {
    /// All variants.
    pub const ALL: [ScoreBy; 3] = [
        ScoreBy::Generation,
        ScoreBy::Likelihood,
        ScoreBy::Calibrated,
    ];

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            ScoreBy::Generation => "generation",
            ScoreBy::Likelihood => "likelihood",
            ScoreBy::Calibrated => "calibrated",
        }
    }

    /// Whether classes are ranked; requires a task with classes.
    pub fn ranks(self) -> bool {
        self != ScoreBy::Generation
    }

    fn is_generation(&self) -> bool {
        *self == ScoreBy::Generation
    }
}

/// What the model's answers begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// The answer's text (as in the paper).
    #[default]
    Text,
    /// The sentinel `<extra_id_0>` before the text: a model pre-trained only by span corruption begins its
    /// outputs with it (Lester et al. 2021, §3.2, "Span Corruption + Sentinel").
    Sentinel,
}

impl Opening {
    fn is_text(&self) -> bool {
        *self == Opening::Text
    }
}

/// See the module's documentation. A field missing from an old record has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wording {
    /// How an answer is chosen.
    #[serde(default, skip_serializing_if = "ScoreBy::is_generation")]
    pub score_by: ScoreBy,
    /// Words for the source's classes; if absent, their label strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbalizer: Option<Verbalizer>,
    /// The input's template; if absent, T5's own for the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// What answers begin with, in training and in generation.
    #[serde(default, skip_serializing_if = "Opening::is_text")]
    pub opening: Opening,
}

/// A wording that does not fit a domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordingError {
    /// Classes can't be ranked for a task without classes.
    #[error(
        "--score-by {way}: {domain} has no classes; wanted a domain with labels, or --score-by generation"
    )]
    NoClasses {
        /// [`ScoreBy::name`].
        way: &'static str,
        /// The domain.
        domain: String,
    },
    /// The study's template has positions for the soft prompt and the target's template has none.
    #[error(
        "--template {template}: it places the soft prompt inside the text, where the template of '{domain}' has none; \
         wanted a template without {{soft:N}}, or the domain without its template"
    )]
    PromptOutside {
        /// The study's template.
        template: String,
        /// The target.
        domain: String,
    },
    /// The template does not fit.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Wording {
    /// Whether this is the default.
    pub fn is_default(&self) -> bool {
        *self == Wording::default()
    }

    /// Checks that examples of a domain can be worded this way.
    ///
    /// # Errors
    /// They can't.
    pub fn check(&self, card: &Card) -> Result<(), WordingError> {
        if self.score_by.ranks() && card.labels.is_empty() {
            return Err(WordingError::NoClasses {
                way: self.score_by.name(),
                domain: card.name.clone(),
            });
        }
        let Some(template) = &self.template else {
            return Ok(());
        };
        template.check(card)?;
        match card.variant {
            Some(Variant::Template(_)) if template.vectors() > 0 => {
                Err(WordingError::PromptOutside {
                    template: template.name.clone(),
                    domain: card.name.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The training target for a class of `card`: the first of its words.
    pub fn target<'a>(&'a self, card: &'a Card, class: usize) -> &'a str {
        let words = self.verbalizer.as_ref().and_then(|v| v.classes.get(class));
        match words {
            Some(words) => &words.words[0],
            None => &card.labels[class],
        }
    }

    /// The words of each class of the source, in the order of its classes; each has at least one.
    pub fn words<'a>(&'a self, source: &'a Card) -> Vec<Vec<&'a str>> {
        match &self.verbalizer {
            Some(verbalizer) => (verbalizer.classes.iter())
                .map(|class| class.words.iter().map(String::as_str).collect())
                .collect(),
            None => source.labels.iter().map(|label| vec![&**label]).collect(),
        }
    }

    /// A generated text, with a class's word replaced by the class's label.
    pub fn read<'a>(&'a self, text: &'a str, source: &'a Card) -> &'a str {
        let class = self.verbalizer.as_ref().and_then(|verbalizer| {
            (verbalizer.classes.iter())
                .position(|class| class.words.iter().any(|word| word == text))
        });
        match class {
            Some(class) => &source.labels[class],
            None => text,
        }
    }

    /// A short title for a table: `generation`, `likelihood, verbalizer yes-no`.
    pub fn title(&self) -> String {
        let verbalizer = self.verbalizer.as_ref();
        let template = self.template.as_ref();
        let parts = [
            Some(self.score_by.name().to_string()),
            verbalizer.map(|verbalizer| format!("verbalizer {}", verbalizer.name)),
            template.map(|template| format!("template {}", template.name)),
            (!self.opening.is_text()).then(|| "a sentinel before answers".to_string()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
