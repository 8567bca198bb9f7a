//! What a plan works on: the rows of its source and its targets.

use std::collections::BTreeMap;

use crate::backbone::Backbone;
use crate::batch::{encode, readings};
use crate::domain::Split;
use crate::domain::allotment::Portion;
use crate::domain::card::Card;
use crate::domain::catalogue::{Catalogue, CatalogueError};
use crate::domain::draw::Take;
use crate::domain::suite::{DomainError, Rows, Suite};
use crate::hygiene::{self, Seen};
use crate::plan::Plan;
use crate::recipe::Limits;
use crate::record::Role;
use crate::record::hygiene::Hygiene;

/// Rows that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A domain is not there.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A domain's rows can't be read.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

/// The rows of one plan, read and checked before anything is trained.
pub struct Material {
    pub(crate) source: Source,
    /// Source first.
    pub(crate) tests: Vec<Test>,
    /// What the report has to say about the choice of rows.
    pub notes: Vec<String>,
}

/// What training may look at.
pub(crate) struct Source {
    pub(crate) card: Card,
    pub(crate) train: Rows,
    pub(crate) validation: Rows,
}

/// Rows that are only ever scored.
pub(crate) struct Test {
    pub(crate) card: Card,
    pub(crate) role: Role,
    pub(crate) rows: Rows,
}

impl Material {
    /// Reads the rows of a plan.
    ///
    /// # Errors
    /// A domain is unknown, absent or damaged.
    pub fn read(plan: &Plan, catalogue: &Catalogue) -> Result<Self, MaterialError> {
        let suite: &Suite = &plan.suite;
        let resolved = catalogue.resolve(&plan.transfer, suite)?;
        let card = resolved.source.clone();
        let splits = suite.source(&card)?;
        let train_rows = Take::at_most(plan.train_rows);
        let eval_rows = Take::at_most(plan.eval_rows);
        let load = |card: &Card, portion: &Portion, take: Take| {
            suite.load(card, portion, take, plan.answers, &plan.wording)
        };
        let source = Source {
            train: load(&card, &splits.train, train_rows)?,
            validation: load(&card, &splits.validation, eval_rows)?,
            card,
        };
        let mut tests = vec![Test {
            card: source.card.clone(),
            role: Role::Source,
            rows: load(&source.card, &splits.test, eval_rows)?,
        }];
        for card in resolved.targets {
            let portion = suite.target(card)?;
            tests.push(Test {
                card: card.clone(),
                role: Role::Target,
                rows: load(card, &portion, eval_rows)?,
            });
        }
        let notes = [&source.train, &source.validation]
            .into_iter()
            .map(|rows| (&source.card, rows))
            .chain(tests.iter().map(|test| (&test.card, &test.rows)))
            .filter_map(|(card, rows)| Some(format!("{}: {}", card.name, rows.note.as_ref()?)))
            .collect();
        Ok(Material {
            source,
            tests,
            notes,
        })
    }

    /// How many tokens training and evaluation will see.
    pub fn tokens(&self, backbone: &Backbone, limits: &Limits) -> TokenCounts {
        let count = |rows: &Rows| {
            let encodings = encode(&rows.examples, &backbone.tokenizer, limits);
            let sums = encodings
                .iter()
                .fold((0, 0), |(inputs, targets), encoding| {
                    (
                        inputs + encoding.input.len(),
                        targets + encoding.target.len(),
                    )
                });
            (sums.0 as f64, sums.1 as f64)
        };
        let train = count(&self.source.train);
        let rows = self.source.train.examples.len() as f64;
        let validation = count(&self.source.validation);
        let evaluated = self.tests.iter().map(|test| count(&test.rows));
        let evaluated = evaluated.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        TokenCounts {
            train_input: train.0 / rows,
            train_target: train.1 / rows,
            evaluated_inputs: evaluated.0,
            evaluated_outputs: evaluated.1,
            validation_inputs: validation.0,
            validation_outputs: validation.1,
        }
    }

    /// What the rows are like: source training, source validation, then the evaluated splits.
    pub fn hygiene(&self, backbone: &Backbone, limits: &Limits) -> Vec<Hygiene> {
        let seen = Seen::of(&self.source.train.examples);
        let count = |card: &Card, split, rows: &Rows, seen| {
            let readings = readings(&rows.examples, &backbone.tokenizer, limits);
            hygiene::count(&card.name, split, &rows.examples, &readings, seen)
        };
        let source = [
            (Split::Train, &self.source.train, None),
            (Split::Validation, &self.source.validation, Some(&seen)),
        ]
        .map(|(split, rows, seen)| count(&self.source.card, split, rows, seen));
        let tests =
            (self.tests.iter()).map(|test| count(&test.card, Split::Test, &test.rows, Some(&seen)));
        source.into_iter().chain(tests).collect()
    }

    /// SHA-256 of every file read, by `domain/split`, and of users' cards, by `domain/card`.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        let name = &self.source.card.name;
        let source = [
            (
                format!("{name}/{}", Split::Train),
                self.source.train.sha256.clone(),
            ),
            (
                format!("{name}/{}", Split::Validation),
                self.source.validation.sha256.clone(),
            ),
        ];
        let tests = self.tests.iter().map(|test| {
            (
                format!("{}/{}", test.card.name, Split::Test),
                test.rows.sha256.clone(),
            )
        });
        // The source is among the tests.
        let cards = (self.tests.iter()).filter_map(|test| {
            let sha256 = test.card.sha256.clone()?;
            Some((format!("{}/card", test.card.name), sha256))
        });
        source.into_iter().chain(tests).chain(cards).collect()
    }
}

/// How many tokens a plan's training and evaluation see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenCounts {
    /// Mean training input.
    pub train_input: f64,
    /// Mean training target.
    pub train_target: f64,
    /// Inputs of all test rows.
    pub evaluated_inputs: f64,
    /// Targets of all test rows.
    pub evaluated_outputs: f64,
    /// Inputs of the source's validation rows.
    pub validation_inputs: f64,
    /// Targets of the source's validation rows.
    pub validation_outputs: f64,
}
