//! The pieces of a study: searches, trainings and evaluations. A process can compute any of them given its
//! name. The command line calls them cells.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;
use serde_json::json;

use crate::plan::{Plan, SEARCH_SEED};
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::folder::folder_name;
use promptshift_text::hash::sha256;

/// The kinds of pieces. A piece depends only on pieces of earlier kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Trials of a method's recipe.
    Search,
    /// A method tuned with one seed.
    Training,
    /// A tuned or given model's answers.
    Evaluation,
}

impl Kind {
    /// In the order of computation.
    pub const ALL: [Kind; 3] = [Kind::Search, Kind::Training, Kind::Evaluation];

    /// The first component of such pieces' names.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Search => "search",
            Kind::Training => "training",
            Kind::Evaluation => "evaluation",
        }
    }
}

/// One piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// `training/prompt-seed0`, in an ablation `training/length-20/prompt-seed0`.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The index of its part of the study.
    pub part: usize,
    /// The cell to train or evaluate, before any search for its recipe; for a search, the cell of its trials.
    pub cell: Cell,
    /// The names of the pieces that it depends on.
    pub waits_for: Vec<String>,
    /// Its key in the store, the same in every study that contains this piece.
    pub key: String,
}

/// The pieces of the plan with index `part` in a study. `folder`, the part's own folder if it has one,
/// becomes part of their names.
pub fn of_plan(part: usize, folder: Option<&str>, plan: &Plan) -> Vec<Piece> {
    let name = |kind: Kind, what: &str| match folder {
        Some(folder) => format!("{}/{folder}/{what}", kind.name()),
        None => format!("{}/{what}", kind.name()),
    };
    let piece = |kind: Kind, cell: Cell, what: &str, waits_for: Vec<String>| Piece {
        name: name(kind, what),
        kind,
        part,
        waits_for,
        key: key(kind, plan, &cell, what),
        cell,
    };
    let mut pieces = Vec::new();
    for method in plan.searched_methods() {
        let trials = plan.cell(method, SEARCH_SEED);
        pieces.push(piece(Kind::Search, trials, method.name(), Vec::new()));
    }
    for cell in plan.cells() {
        let what = folder_name(&cell);
        let search = name(Kind::Search, cell.method.name());
        let mut waits_for = Vec::from_iter(cell.trials.is_some().then_some(search));
        if cell.recipe.is_some() {
            let training = piece(Kind::Training, cell.clone(), &what, waits_for);
            waits_for = vec![training.name.clone()];
            pieces.push(training);
        }
        pieces.push(piece(Kind::Evaluation, cell, &what, waits_for));
    }
    pieces
}

/// `training-prompt-seed0-1f0a9c…`: a hash of everything in the plan that determines the piece. Targets are
/// left out unless it is an evaluation, so studies with other targets share its result.
fn key(kind: Kind, plan: &Plan, cell: &Cell, what: &str) -> String {
    let mut cell = cell.clone();
    if kind != Kind::Evaluation {
        cell.setting.targets.clear();
        cell.setting.eval_rows = None;
        cell.setting.tune_on = None;
    }
    let json = json!([kind, plan.suite, plan.cards, plan.backbone, cell]);
    let hash = sha256(json.to_string().as_bytes());
    format!("{}-{what}-{}", kind.name(), &hash[..16])
}

/// `slice:2/5`: every fifth evaluation, starting with the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    number: usize,
    of: usize,
}

impl Slice {
    /// Selects from all of a study's pieces every Nth evaluation and what it depends on. Computed pieces
    /// count too, so slices of one study share only searches.
    pub fn of(self, mut pieces: Vec<Piece>) -> Vec<Piece> {
        let evaluations = pieces.iter().filter(|one| one.kind == Kind::Evaluation);
        let mut wanted: BTreeSet<String> = evaluations
            .enumerate()
            .filter(|(at, _)| at % self.of == self.number - 1)
            .map(|(_, piece)| piece.name.clone())
            .collect();
        for piece in pieces.iter().rev() {
            if wanted.contains(&piece.name) {
                wanted.extend(piece.waits_for.iter().cloned());
            }
        }
        pieces.retain(|piece| wanted.contains(&piece.name));
        pieces
    }
}

impl FromStr for Slice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (number, of) = text.strip_prefix("slice:")?.split_once('/')?;
            Some((number.parse().ok()?, of.parse().ok()?))
        };
        match parsed() {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Slice { number, of }),
            _ => Err(format!(
                "wanted slice:K/N with K from 1 to N, found '{text}'"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Study;
    use promptshift_numbers::recipe::{Defaults, Limits, Method, Recipe};
    use promptshift_numbers::record::Setting;
    use promptshift_tensors::backbone::BackboneChoice;
    use promptshift_text::domain::Task as Question;
    use promptshift_text::domain::suite::Suite;
    use promptshift_text::transfer::Transfer;

    fn study(trials: Option<usize>, seeds: u64) -> Study {
        study_of("squad->race", trials, seeds)
    }

    fn study_of(transfer: &str, trials: Option<usize>, seeds: u64) -> Study {
        let transfer = Transfer::parse(&[transfer.to_owned()]).expect("a transfer");
        let limits = Limits::default_for(Question::ExtractiveQa);
        let recipe = |method| (method, Recipe::default_for(Defaults::Nano, method));
        Study::of(Plan {
            setting: Setting::new(&transfer, "nano", "mini", limits),
            suite: Suite::Mini,
            cards: Vec::new(),
            backbone: BackboneChoice::Nano,
            methods: vec![Method::Untuned, Method::Prompt, Method::Model],
            seeds: (0..seeds).collect(),
            trials,
            recipes: [Method::Prompt, Method::Model].map(recipe).into(),
            elsewhere: Vec::new(),
        })
    }

    fn names(pieces: &[Piece]) -> Vec<&str> {
        pieces.iter().map(|piece| piece.name.as_str()).collect()
    }

    #[test]
    fn each_piece_stands_behind_those_that_it_waits_for() {
        let pieces = study(Some(2), 1).pieces();
        assert_eq!(
            names(&pieces),
            [
                "search/prompt",
                "search/model",
                "training/prompt-seed0",
                "training/model-seed0",
                "evaluation/untuned",
                "evaluation/prompt-seed0",
                "evaluation/model-seed0",
            ]
        );
        assert_eq!(pieces[2].waits_for, ["search/prompt"]);
        assert_eq!(pieces[5].waits_for, ["training/prompt-seed0"]);
        assert!(pieces[4].waits_for.is_empty());
        let unsearched = study(None, 1).pieces();
        assert!(unsearched[0].waits_for.is_empty());
        let keys: BTreeSet<&String> = (pieces.iter().chain(&unsearched))
            .map(|one| &one.key)
            .collect();
        // Only the untuned evaluation is the same in both.
        assert_eq!(keys.len(), pieces.len() + unsearched.len() - 1);
    }

    #[test]
    fn studies_of_one_source_share_searches_and_trainings() {
        let keys = |transfer: &str| -> BTreeSet<String> {
            let pieces = study_of(transfer, Some(2), 1).pieces();
            pieces.into_iter().map(|piece| piece.key).collect()
        };
        let (race, drop, other) = (keys("squad->race"), keys("squad->drop"), keys("race->drop"));
        let shared: Vec<&String> = race.intersection(&drop).collect();
        assert_eq!(shared.len(), 4, "{shared:?}");
        assert!(!shared.iter().any(|key| key.starts_with("evaluation")));
        assert_eq!(race.intersection(&other).count(), 0);
    }

    #[test]
    fn slices_share_searches_alone_and_are_together_all() {
        let study = study(Some(2), 3);
        let mut seen = BTreeSet::new();
        for number in 1..=4 {
            for piece in (Slice { number, of: 4 }).of(study.pieces()) {
                let is_new = seen.insert(piece.name.clone());
                assert!(is_new || piece.kind == Kind::Search, "{}", piece.name);
            }
        }
        assert_eq!(seen.len(), study.pieces().len());
        let first: Slice = "slice:1/4".parse().expect("a slice");
        assert!(names(&first.of(study.pieces())).contains(&"evaluation/untuned"));
    }

    #[test]
    fn a_slice_that_is_none_is_refused() {
        for text in [
            "1/2",
            "slice:0/2",
            "slice:3/2",
            "slice:1/0",
            "slice:1",
            "slice:a/b",
        ] {
            assert!(text.parse::<Slice>().is_err(), "{text}");
        }
    }
}
